"""The handbook's ideas, shown below a cell: the same texts that `ds01 … --concepts` prints."""

from dataclasses import dataclass

from ds01_spawner import handbook
from ds01_spawner.domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Shown:
    """Markdown that Jupyter renders when it is what a cell ends with.

    Attributes:
        text: Markdown.
    """

    text: str

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def concept(name: str, *, title: bool = True) -> Shown:
    """One idea of the platform, explained.

    Args:
        name: Such as `image`, `gpu-slot`, `queue`.
        title: Whether its title stands above it.

    Raises:
        NotFound: Nothing is written about it.
    """
    return Shown(markdown(name, title=title))


def markdown(name: str, *, title: bool = True) -> str:
    """The same as text."""
    found = handbook.concept(name)
    return f"### {found.title}\n\n{found.text}" if title else found.text


def step(command: str, name: str) -> str:
    """What is told before a step of a command, as Markdown: the same as `ds01 … --guided` tells.

    Args:
        command: Such as `image create`.
        name: Of the step.

    Raises:
        NotFound: Nothing is written about it.
    """
    steps = handbook.page(command).steps
    if name not in steps:
        raise NotFound(f"Nothing is written about the step {name} of {command}.")
    return steps[name]
