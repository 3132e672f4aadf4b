"""A scrape: everything is read once, and each part says what it can of it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from ds01_spawner.exporter.cap import capped
from ds01_spawner.exporter.catalogue import Part
from ds01_spawner.exporter.high_water import HighWater
from ds01_spawner.exporter.membership import KnownLimits
from ds01_spawner.exporter.parts import gpus, housekeeping, people, processes, work
from ds01_spawner.exporter.points import Point, families
from ds01_spawner.exporter.reading import Reading
from ds01_spawner.exporter.source import BOUND_SECONDS, Readings, Source, gather
from ds01_spawner.exporter.text import END, exposition
from ds01_spawner.exporter.view import View
from ds01_spawner.exporter.words import user_label

SHARED_SECONDS = 2.0
"""Whoever asks within it of the last scrape gets the same."""

_log = logging.getLogger("ds01.exporter")


@dataclass(frozen=True, slots=True)
class PartSpec:
    """What a part stands on, and what it says.

    Attributes:
        part: Which.
        sources: What has to be read for all of it.
        say: What it says of what was read.
    """

    part: Part
    sources: tuple[Source[Any], ...]
    say: Callable[[View], Iterable[Point]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a scrape came to.

    Attributes:
        points: Of the exporter's own metrics.
        passed_on: Other services' metrics, as they are.
    """

    points: tuple[Point, ...]
    passed_on: tuple[Metric, ...] = ()


class _Given(CollectorRegistry):
    """A registry of metrics that are there already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        super().__init__(auto_describe=False)
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def part_specs(reading: Reading) -> tuple[PartSpec, ...]:
    """Every part."""
    containers, cards, ledger = reading.containers, reading.cards, reading.ledger
    policy = reading.policy
    return (
        PartSpec(Part.SLOTS, (cards, containers, ledger, policy), gpus.slots),
        PartSpec(Part.CARDS, (cards,), gpus.cards),
        PartSpec(Part.CONTAINERS, (containers,), work.containers),
        PartSpec(
            Part.PEOPLE,
            (containers, cards, ledger, policy, reading.work, reading.totals),
            people.people,
        ),
        PartSpec(Part.STORAGE, (ledger, *reading.disks.values()), people.storage),
        PartSpec(Part.QUEUE, (ledger,), work.queue),
        PartSpec(Part.ATTRIBUTION, (reading.picture,), processes.attribution),
        PartSpec(Part.EVENTS, (reading.log,), work.events),
        PartSpec(Part.POLICY, (policy,), housekeeping.policy),
        PartSpec(Part.LEDGER, (ledger, reading.rows), housekeeping.ledger),
        PartSpec(Part.SERVICES, (reading.services, ledger), housekeeping.services),
        PartSpec(Part.KERNEL_LOG, (reading.xids,), lambda view: gpus.xids(view, reading.bus_ids)),
    )


class Exporter(Collector):
    """What `prometheus_client` asks. Safe to use from many threads.

    Args:
        reading: What is read.
        bound_seconds: How long a scrape waits for any of it.
        monotonic: Seconds that never jump.
        after: Called with what was read, for those who do something with it.
    """

    def __init__(
        self,
        reading: Reading,
        *,
        bound_seconds: float = BOUND_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        after: Callable[[View], None] = lambda _view: None,
    ) -> None:
        self._reading = reading
        self._specs = part_specs(reading)
        self._bound = bound_seconds
        self._monotonic = monotonic
        self._after = after
        self._lock = threading.Lock()
        self._said: tuple[float, Scrape] | None = None
        self._good: dict[Part, float] = {}
        self._marks = HighWater()
        self._limits = KnownLimits()

    def describe(self) -> Iterable[Metric]:
        """Nothing: to register it reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything there is to say, at most `SHARED_SECONDS` old."""
        said = self.scrape()
        yield from families(said.points)
        yield from said.passed_on

    def scrape(self) -> Scrape:
        """Everything there is to say, at most `SHARED_SECONDS` old."""
        with self._lock:
            said = self._said
            if said is None or self._monotonic() - said[0] >= SHARED_SECONDS:
                began = self._monotonic()
                said = self._said = (began, self._scraped())
            return said[1]

    def text(self, *, openmetrics: bool = False) -> str:
        """The same as text."""
        said = self.scrape()
        write = generate_openmetrics if openmetrics else generate_latest
        passed_on = write(_Given(said.passed_on)).decode().removesuffix(END)
        end = END if openmetrics else ""
        return f"{exposition(said.points, openmetrics=openmetrics)}{passed_on}{end}"

    def _scraped(self) -> Scrape:
        self._reading.begin()
        readings = gather(self._reading.sources, self._bound, self._monotonic())
        view = View(self._reading.facts(readings), self._limits)
        points: list[Point] = [("ds01_build_info", (view.facts.version,), 1.0)]
        for spec in self._specs:
            points += self._part(spec, view, readings)
        services, passes = view.facts.services, housekeeping.culler_passes(view)
        passed_on: Sequence[Metric] = services.passed_on if services is not None and passes else ()
        try:
            self._after(view)
        except Exception:  # noqa: BLE001 - the top of a scrape: said, the figures are given
            _log.exception("What follows a scrape failed")
        return Scrape(
            self._marks.kept(capped(points, map(user_label, view.users))), tuple(passed_on)
        )

    def _part(self, spec: PartSpec, view: View, readings: Readings) -> list[Point]:
        """What a part says, and whether that is all."""
        name, began = spec.part.value, time.monotonic()
        complete = not any(readings.problem(source.name) for source in spec.sources)
        points: list[Point] = []
        try:
            points.extend(spec.say(view))
        except Exception:  # noqa: BLE001 - the top of a part: said, the other parts go on
            _log.exception("Part %s failed", name)
            complete = False
        if self._reading.policy in spec.sources and view.facts.policy is not None:
            complete = complete and view.facts.policy.policy is not None
        if spec.part is Part.ATTRIBUTION and view.facts.picture is not None:
            complete = complete and view.facts.picture.fresh
        if spec.part is Part.PEOPLE and view.facts.work is not None:
            complete = complete and view.facts.work.anything
        if spec.part is Part.SERVICES and view.facts.services is not None:
            told = not view.facts.services.culler_problem or not housekeeping.culler_passes(view)
            complete = complete and told
        if complete:
            self._good[spec.part] = view.facts.now.timestamp()
        seconds = max(readings.seconds(source.name) for source in spec.sources)
        seconds += time.monotonic() - began
        points.append(("ds01_collector_up", (name,), float(complete)))
        points.append(("ds01_collector_seconds", (name,), seconds))
        if spec.part in self._good:
            when = self._good[spec.part]
            points.append(("ds01_collector_last_good_timestamp_seconds", (name,), when))
        return points
