"""What changes from step to step: a graph as data, before it is drawn. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ds01_spawner.charts.scale import figure

UNKNOWN = "not known"
NOTHING = "nothing"
COLOURS = ("#d9690f", "#3b82d6", "#2f9e6e", "#9b6dd6")
"""Each at least 3:1 against white and against the dark theme's #212529."""


@dataclass(frozen=True, slots=True)
class Bars:
    """One thing that is measured in each step; several stand on each other.

    Attributes:
        name: What it is, as in `held`.
        values: In each step; `None` is not known.
        hatched: Whether it is drawn as what is only half known.
        colour: Which of `COLOURS`; `None` for the one of its place.
    """

    name: str
    values: Sequence[float | None]
    hatched: bool = False
    colour: int | None = None

    def colour_at(self, place: int) -> int:
        """Which of `COLOURS` it has as the bars of that place."""
        return (place if self.colour is None else self.colour) % len(COLOURS)


@dataclass(frozen=True, slots=True)
class Column:
    """Something that only the table says.

    Attributes:
        name: What it is.
        cells: In each step.
    """

    name: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A graph.

    Attributes:
        id: Of the graph on its page.
        title: What it shows.
        unit: Of the figures, as in `kWh`.
        words: What is to be seen, in a sentence, for who cannot see it.
        begins: When each step begins.
        step: `day`, `week` or `month`.
        bars: From the bottom up.
        line: A figure that stands for all steps, with its name; such as a capacity.
        highest: What the axis reaches at least.
        said: A figure in words.
        columns: What else the table says.
        blank: Steps of which there is nothing to be known; such as how busy what nobody held was.
    """

    id: str
    title: str
    unit: str
    words: str
    begins: Sequence[datetime]
    step: str
    bars: Sequence[Bars]
    line: tuple[str, float] | None = None
    highest: float = 0.0
    said: Callable[[float], str] = figure
    columns: Sequence[Column] = field(default=())
    blank: frozenset[int] = frozenset()


def label(begin: datetime, step: str) -> str:
    """A step on the axis: `3 Nov`, `Nov 2026`."""
    return f"{begin:%b %Y}" if step == "month" else f"{begin.day} {begin:%b}"


def heading(chart: Timeline) -> str:
    """What a graph shows, in which unit."""
    return f"{chart.title}, {chart.unit}" if chart.unit else chart.title


def told(chart: Timeline, place: int) -> str:
    """One step in words, for who points at it."""
    if place in chart.blank:
        return NOTHING
    if is_gap(chart, place):
        return UNKNOWN
    found: list[str] = []
    for each in chart.bars:
        value = each.values[place]
        if value is not None and (value or not found):
            name = f"{each.name} " if len(chart.bars) > 1 else ""
            found.append(f"{name}{chart.said(value)}")
    return ", ".join(found)


def is_gap(chart: Timeline, place: int) -> bool:
    """Whether nothing is known of a step."""
    return place not in chart.blank and all(each.values[place] is None for each in chart.bars)


def day(begin: datetime, step: str) -> str:
    """A step by itself: `3 Nov 2026`."""
    if step == "month":
        return f"{begin:%B %Y}"
    return f"{'week of ' * (step == 'week')}{begin.day} {begin:%b %Y}"
