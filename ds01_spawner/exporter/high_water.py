"""Counters of people never fall while the exporter runs.

Prometheus takes any fall for a new beginning, and all that the counter then has for what was used
since. So a total that is found to be lower than it was told (an end is known more exactly by now,
the ledger is an older one) stays as it was told until it has grown beyond that.
"""

from collections.abc import Iterable

from ds01_spawner.exporter.catalogue import CATALOGUE, Kind
from ds01_spawner.exporter.points import Distribution, Point

_OF_PEOPLE = frozenset(
    name for name, each in CATALOGUE.items() if each.kind is Kind.COUNTER and "user" in each.labels
)


class HighWater:
    """The highest that each row was told."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, tuple[str, ...]], float] = {}

    def kept(self, points: Iterable[Point]) -> tuple[Point, ...]:
        """The points; of counters of people none below what was told before."""
        return tuple(
            (point[0], point[1], self._mark(point)) if point[0] in _OF_PEOPLE else point
            for point in points
        )

    def _mark(self, point: Point) -> float | Distribution:
        name, labels, value = point
        if isinstance(value, Distribution):
            return value
        key = name, labels
        mark = self._marks.get(key)
        if mark is None or value > mark:
            self._marks[key] = mark = value
        return mark
