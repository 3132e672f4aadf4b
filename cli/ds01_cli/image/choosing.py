"""Choices of a person, by flags or by questions: both give a recipe, and nothing else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ds01_cli.frame import asking, guide
from ds01_cli.frame.asking import Choice
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework
from ds01_spawner.recipes.packages import apt_packages, pip_packages
from ds01_spawner.recipes.recipe import Recipe

_Check = Callable[[Iterable[str]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; `None` was not said.

    Attributes:
        framework: Key.
        use_case: Key.
        jupyter: Whether it is wanted.
        data_science: Whether it is wanted.
        pip: Packages.
        apt: Debian packages.
        requirements: Files beside the Dockerfile.
    """

    framework: str | None = None
    use_case: str | None = None
    jupyter: bool | None = None
    data_science: bool | None = None
    pip: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


def recipe_of(flags: Flags, catalogue: Catalogue) -> Recipe:
    """The recipe of what was said, with what is asked for the rest.

    Who names a framework gets what is usual for everything else; who does not is asked for each
    choice that no flag made.

    Raises:
        NotFound: The catalogue has not what was said.
        InvalidRequest: A package is none.
        BadParameter: Something has to be asked, and there is no terminal.
    """
    asks = flags.framework is None or (guide.is_on() and asking.can_ask())
    framework = _framework(flags, catalogue)
    use_case = flags.use_case
    jupyter, data_science = flags.jupyter, flags.data_science
    pip, apt = flags.pip, flags.apt
    if asks:
        if jupyter is None:
            guide.tell("jupyter")
            jupyter = asking.confirm("Jupyter, to work in the browser?", "--jupyter", default=True)
        if data_science is None:
            guide.tell("data-science")
            data_science = asking.confirm(
                f"Data science ({', '.join(catalogue.data_science)})?",
                "--data-science",
                default=True,
            )
        if use_case is None:
            guide.tell("use-case")
            use_case = _use_case(catalogue, framework)
        if not (pip or apt):
            guide.tell("extras")
            pip = _packages("More Python packages (Enter for none)", "--pip", pip_packages)
            apt = _packages("More system packages (Enter for none)", "--apt", apt_packages)
    chosen = NO_USE_CASE if use_case is None else catalogue.use_case(use_case).key
    return Recipe(
        framework.key,
        chosen,
        jupyter=True if jupyter is None else jupyter,
        data_science=True if data_science is None else data_science,
        pip=pip,
        apt=apt,
        requirements=flags.requirements,
    )


def _framework(flags: Flags, catalogue: Catalogue) -> Framework:
    guide.tell("framework")
    if flags.framework is not None:
        return catalogue.framework(flags.framework)
    options = [Choice(each.key, each.key, _hint(each)) for each in catalogue.frameworks]
    key = asking.choose("Framework", options, "--framework", catalogue.frameworks[0].key)
    return catalogue.framework(key)


def _use_case(catalogue: Catalogue, framework: Framework) -> str:
    options = [
        Choice(each.key, each.key, f"{each.title}: {', '.join(each.packages_for(framework))}")
        if each.packages_for(framework)
        else Choice(each.key, each.key, each.description)
        for each in catalogue.use_cases
    ]
    return asking.choose("What for", options, "--use-case", NO_USE_CASE)


def _hint(framework: Framework) -> str:
    return f"{framework.title}. {framework.description}".strip()


def _packages(question: str, flag: str, check: _Check) -> tuple[str, ...]:
    def checked(answer: str) -> str:
        try:
            check(answer.split())
        except InvalidRequest as exc:
            raise ValueError(str(exc)) from exc
        return answer

    return check(asking.text(question, flag, default="", check=checked).split())
