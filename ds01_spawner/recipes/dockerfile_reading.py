"""What a Dockerfile says: what it was made of, whether somebody changed it, and its steps."""

from dataclasses import dataclass

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.dockerfile import DIGEST_MARK, RECIPE_MARK, digest
from ds01_spawner.recipes.recipe import Recipe, loaded


@dataclass(frozen=True, slots=True)
class Kept:
    """A Dockerfile that is there.

    Attributes:
        recipe: What it was made of; `None` where it does not say.
        edited: Whether it is not as it was written: somebody changed it, or wrote all of it.
    """

    recipe: Recipe | None
    edited: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction.

    Attributes:
        line: On which it begins, from 1.
        text: The whole of it on one line, with single spaces.
        title: What it does: the comment above it, or above those before it; may be empty.
        lines: Its lines as they stand.
    """

    line: int
    text: str
    title: str
    lines: tuple[str, ...]


def kept(text: str) -> Kept:
    """What a Dockerfile says of itself."""
    lines = [line.rstrip() for line in text.splitlines()]
    said = next((line for line in lines if line.startswith(RECIPE_MARK)), None)
    place = next((n for n, line in enumerate(lines) if line.startswith(DIGEST_MARK)), None)
    if said is None:
        return Kept(None, edited=True)
    try:
        recipe = loaded(said.removeprefix(RECIPE_MARK))
    except InvalidRequest:
        return Kept(None, edited=True)
    if place is None:
        return Kept(recipe, edited=True)
    found = digest("\n".join(lines[:place]), "\n".join([*lines[place + 1 :], ""]))
    return Kept(recipe, edited=lines[place].removeprefix(DIGEST_MARK) != found)


def steps(dockerfile: str) -> tuple[Step, ...]:
    """The instructions of a Dockerfile, in order."""
    found: list[Step] = []
    comments: list[str] = []
    title = ""
    began, parts = 0, list[str]()
    for number, line in enumerate(dockerfile.splitlines(), 1):
        stripped = line.strip()
        if not parts and not stripped:
            comments, title = [], ""
        elif stripped.startswith("#"):
            if not parts:
                comments.append(stripped.lstrip("# "))
        elif stripped:
            began = began or number
            parts.append(line)
            if not stripped.endswith("\\"):
                text = " ".join(" ".join(each.rstrip("\\ ") for each in parts).split())
                title = " ".join(comments).rstrip(".") or title
                found.append(Step(began, text, title, tuple(parts)))
                began, parts, comments = 0, [], []
    return tuple(found)


def step_of(told: str, known: tuple[Step, ...]) -> Step | None:
    """The step that a builder tells of, or `None`: it adds steps of its own.

    Args:
        told: Such as `RUN pip install   'numpy'`, as the builder says it.
        known: The steps of the Dockerfile.
    """
    wanted = " ".join(told.split())
    return next((each for each in known if each.text == wanted), None)
