"""What somebody chooses for an image, out of what the server declares. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework
from ds01_spawner.recipes.packages import apt_packages, pip_packages
from ds01_spawner.recipes.recipe import Recipe

NAME, PIP, APT, REQUIREMENTS, FRAMEWORK = "name", "pip", "apt", "requirements", "framework"
"""Fields that can be wrong."""

_Check = Callable[[Iterable[str]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen and typed, right or wrong.

    Attributes:
        framework: Key.
        use_case: Key.
        jupyter: Whether it is wanted.
        data_science: Whether it is wanted.
        pip: Python packages as they are typed, one on a line.
        apt: System packages, as they are typed.
        requirements: Files beside the Dockerfile that list packages.
    """

    framework: str = ""
    use_case: str = NO_USE_CASE
    jupyter: bool = True
    data_science: bool = True
    pip: str = ""
    apt: str = ""
    requirements: tuple[str, ...] = ()

    def recipe(self) -> Recipe:
        """What they come to.

        Raises:
            InvalidRequest: A package is none.
        """
        return Recipe(
            self.framework,
            self.use_case,
            jupyter=self.jupyter,
            data_science=self.data_science,
            pip=pip_packages(typed(self.pip, pip_packages)),
            apt=apt_packages(typed(self.apt, apt_packages)),
            requirements=self.requirements,
        )

    def faults(self) -> dict[str, str]:
        """What is wrong with what was typed, in words, by field."""
        found: dict[str, str] = {}
        checks: tuple[tuple[str, str, _Check], ...] = (
            (PIP, self.pip, pip_packages),
            (APT, self.apt, apt_packages),
        )
        for field, text, check in checks:
            try:
                check(typed(text, check))
            except InvalidRequest as exc:
                found[field] = str(exc)
        return found


def of_recipe(recipe: Recipe) -> Choices:
    """The choices that a recipe was made of."""
    return Choices(
        recipe.framework,
        recipe.use_case,
        recipe.jupyter,
        recipe.data_science,
        "\n".join(recipe.pip),
        "\n".join(recipe.apt),
        recipe.requirements,
    )


def offered(options: m.ImageOptions, catalogue: Catalogue) -> tuple[Framework, ...]:
    """The frameworks that can be built here: their base is here, or may be fetched."""
    missing = {each.reference for each in options.bases if not (each.present or each.fetchable)}
    return tuple(each for each in catalogue.frameworks if each.base not in missing)


def fitting(
    choices: Choices, frameworks: Iterable[Framework], catalogue: Catalogue
) -> tuple[Choices, tuple[str, ...]]:
    """The choices with what is not offered any more replaced, and what was, in sentences."""
    notes: list[str] = []
    keys = [each.key for each in frameworks]
    if choices.framework not in keys:
        if choices.framework and keys:
            notes.append(f"The framework {choices.framework} is not offered here any more.")
        choices = replace(choices, framework=keys[0] if keys else "")
    if choices.use_case not in [each.key for each in catalogue.use_cases]:
        if choices.use_case != NO_USE_CASE:
            notes.append(f"The use case {choices.use_case} is not offered here any more.")
        choices = replace(choices, use_case=catalogue.use_cases[-1].key)
    return choices, tuple(notes)


def typed(text: str, check: _Check) -> tuple[str, ...]:
    """The packages of a field: one on a line, or several with spaces between them.

    What comes after `#` is left out. A line that can be read as one package is one.
    """
    found: list[str] = []
    for line in text.splitlines():
        plain = line.partition(" #")[0].strip().strip(",")
        if not plain or plain.startswith("#"):
            continue
        words = [each.strip(",") for each in plain.split()]
        found += [plain] if len(words) == 1 or _is_one(plain, check) else words
    return tuple(found)


def _is_one(text: str, check: _Check) -> bool:
    try:
        check([text])
    except DS01Error:
        return False
    return True
