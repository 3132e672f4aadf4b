"""What somebody chose for an image: few words, kept with its Dockerfile."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue
from ds01_spawner.recipes.packages import apt_packages, pip_name, pip_packages

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_LONGEST_FILE = 200
_MOST_FILES = 16
_UNREADABLE = "The recipe cannot be read"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Choices, checked. Nothing in it can be read as an instruction or a command.

    Attributes:
        framework: Key of the catalogue.
        use_case: Key of the catalogue.
        jupyter: Whether JupyterLab and the hub's server are in it.
        data_science: Whether pandas and its like are in it.
        pip: More packages for pip.
        apt: More Debian packages.
        requirements: Files beside the Dockerfile, which pip reads when the image is built: the
            first; others are what it includes.
    """

    framework: str
    use_case: str = NO_USE_CASE
    jupyter: bool = True
    data_science: bool = True
    pip: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in (self.framework, self.use_case):
            if not _KEY.fullmatch(key):
                raise InvalidRequest(f"{shown(key)} is no framework or use case.")
        object.__setattr__(self, "pip", pip_packages(self.pip))
        object.__setattr__(self, "apt", apt_packages(self.apt))
        object.__setattr__(self, "requirements", tuple(dict.fromkeys(self.requirements)))
        for name in self.requirements:
            requirements_name(name)
        if len(self.requirements) > _MOST_FILES:
            raise InvalidRequest(f"More than {_MOST_FILES} files of requirements.")

    def sentence(self, catalogue: Catalogue) -> str:
        """What is in it: `PyTorch, Jupyter, data science, Computer vision, 2 packages`.

        Raises:
            NotFound: The catalogue has not what was chosen.
        """
        parts = [catalogue.framework(self.framework).title]
        parts += ["Jupyter"] * self.jupyter + ["data science"] * self.data_science
        if self.use_case != NO_USE_CASE:
            parts.append(catalogue.use_case(self.use_case).title)
        if extras := len(self.pip) + len(self.apt):
            parts.append(f"{extras} package{'s' * (extras > 1)} of your own")
        parts += self.requirements[:1]
        return ", ".join(parts)


def requirements_name(text: str) -> str:
    """`text`, unchanged, when it can be a file beside a Dockerfile.

    Raises:
        InvalidRequest: It cannot.
    """
    if len(text) > _LONGEST_FILE or not _FILE.fullmatch(text):
        raise InvalidRequest(
            f"{shown(text)} cannot be read by a build.",
            "Use a file in the project's folder with a plain name, such as requirements.txt.",
        )
    return text


def with_packages(
    recipe: Recipe, *, add: Iterable[str] = (), apt: Iterable[str] = (), remove: Iterable[str] = ()
) -> Recipe:
    """The recipe with other packages of one's own.

    Args:
        recipe: As it was.
        add: Packages for pip; one that is there already is replaced.
        apt: Debian packages.
        remove: Names of either kind.

    Raises:
        InvalidRequest: One is no package, or is to be removed and is not in the recipe.
    """
    gone = {each.strip().lower().replace("_", "-") for each in remove}
    own = {pip_name(each) for each in recipe.pip}
    own |= {each.partition("=")[0] for each in recipe.apt}
    if missing := sorted(gone - own):
        raise InvalidRequest(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not among the packages "
            f"that you added ({', '.join(sorted(own)) or 'none'}).",
            "What a phase brings goes with the phase: choose another framework or use case.",
        )
    pip = [each for each in recipe.pip if pip_name(each) not in gone]
    debian = [each for each in recipe.apt if each.partition("=")[0] not in gone]
    return replace(recipe, pip=pip_packages((*pip, *add)), apt=apt_packages((*debian, *apt)))


def dumped(recipe: Recipe) -> str:
    """One line of JSON; what is as usual is left out."""
    usual = Recipe(recipe.framework)
    said = {
        name: value
        for name, value in asdict(recipe).items()
        if name == "framework" or value != getattr(usual, name)
    }
    return json.dumps(said)


def loaded(text: str) -> Recipe:
    """The recipe of such a line.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"{_UNREADABLE}: it is no JSON.") from exc
    known = {each.name for each in fields(Recipe)}
    if not isinstance(said, dict) or not said.keys() <= known or "framework" not in said:
        raise InvalidRequest(f"{_UNREADABLE}: it is of another release.")
    words = [said["framework"], said.get("use_case", "")]
    flags = [said.get("jupyter", True), said.get("data_science", True)]
    lists = [said.get(name, []) for name in ("pip", "apt", "requirements")]
    good = (
        all(isinstance(each, str) for each in words)
        and all(isinstance(each, bool) for each in flags)
        and all(isinstance(each, list) for each in lists)
        and all(isinstance(each, str) for texts in lists for each in texts)
    )
    if not good:
        raise InvalidRequest(f"{_UNREADABLE}: a value is of another kind.")
    tuples = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Recipe(**{**said, **tuples})
