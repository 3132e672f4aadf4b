"""What parts say: points, and how they become families as `prometheus_client` has them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from ds01_spawner.exporter.catalogue import CATALOGUE, Definition, Kind

INFINITY = "+Inf"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often something took how long.

    Attributes:
        bounds: Upper ends of the buckets; what is beyond the last counts as well.
        counts: In each bucket, and beyond the last.
        total: All of it together.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> "Distribution":
        """Nothing yet."""
        return cls(bounds, (0,) * (len(bounds) + 1))

    def with_value(self, value: float) -> "Distribution":
        """One more."""
        place = sum(value > bound for bound in self.bounds)
        counts = (*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :])
        return Distribution(self.bounds, counts, self.total + value)

    def cumulative(self) -> Iterable[tuple[str, int]]:
        """The upper end of each bucket, and how many were below it."""
        ends = (*map(str, self.bounds), INFINITY)
        return zip(ends, accumulate(self.counts), strict=True)


Point = tuple[str, tuple[str, ...], float | Distribution]
"""One row: the metric's name, its labels' values in the order of the catalogue, what it is.

Nothing but a tuple: a scrape makes thousands, and a class would take longer than all else of them.
"""


def grouped(points: Iterable[Point]) -> dict[str, dict[tuple[str, ...], float | Distribution]]:
    """The points by metric and labels; of two that are the same the later."""
    found: dict[str, dict[tuple[str, ...], float | Distribution]] = {}
    for name, labels, value in points:
        found.setdefault(name, {})[labels] = value
    return found


def families(points: Iterable[Point]) -> list[Metric]:
    """The points by metric, in the order of the catalogue."""
    found = grouped(points)
    return [_family(CATALOGUE[name], found[name]) for name in CATALOGUE if name in found]


def _family(definition: Definition, rows: Mapping[tuple[str, ...], float | Distribution]) -> Metric:
    name = definition.name
    base = name.removesuffix("_total") if definition.kind is Kind.COUNTER else name
    metric = Metric(base, definition.help, definition.kind.value)
    names = definition.labels
    samples = metric.samples
    for labels, value in rows.items():
        marks = dict(zip(names, labels, strict=True))
        if isinstance(value, Distribution):
            samples.extend(_histogram(name, marks, value))
        else:
            samples.append(Sample(name, marks, value))
    return metric


def _histogram(name: str, marks: Mapping[str, str], value: Distribution) -> Iterable[Sample]:
    for end, count in value.cumulative():
        yield Sample(f"{name}_bucket", {**marks, "le": end}, count)
    yield Sample(f"{name}_count", dict(marks), sum(value.counts))
    yield Sample(f"{name}_sum", dict(marks), value.total)
