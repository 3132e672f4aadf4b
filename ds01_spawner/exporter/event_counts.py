"""Counters and durations from what the event log tells. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from ds01_spawner.domain.event import Event
from ds01_spawner.domain.labels import Interface
from ds01_spawner.exporter.known_events import ACTIONS, LIFECYCLE, LIFECYCLE_ACTIONS, SPAWNS
from ds01_spawner.exporter.points import Distribution
from ds01_spawner.exporter.words import OTHER

PHASES = ("limits", "image", "queue", "gpu", "line", "create", "start", "answer")
WAITS = ("granted", "left", "expired")
DECISIONS = ("granted", "refused")
SPAWN = "server.spawn"

SHORTEST_WAIT_SECONDS = 1.0
"""What is answered sooner is no wait."""

WAIT_BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0)
PHASE_BOUNDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DECISION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_MOST_ROWS = 200
"""Of one counter; what people cannot choose is fewer."""

_REJECTIONS = MappingProxyType(
    {"quota.reject": "quota", "gpu.reject": "capacity", "request.reject": "request"}
)
_MILLI = 1000.0
_Key = TypeVar("_Key")


def _empty(names: Iterable[str], bounds: tuple[float, ...]) -> Mapping[str, Distribution]:
    return {name: Distribution.empty(bounds) for name in names}


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What was counted since the exporter began; of what is known, 0 before the first.

    Attributes:
        events: By action.
        lifecycle: By action and the rule's key.
        spawns: By outcome and reason.
        waits: For a GPU, by how they ended.
        phases: Of starts of hub servers.
        decisions: About GPUs.
    """

    events: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    lifecycle: Mapping[tuple[str, str], int] = field(
        default_factory=lambda: dict.fromkeys(LIFECYCLE_ACTIONS, 0)
    )
    spawns: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict.fromkeys(SPAWNS, 0))
    waits: Mapping[str, Distribution] = field(default_factory=lambda: _empty(WAITS, WAIT_BOUNDS))
    phases: Mapping[str, Distribution] = field(default_factory=lambda: _empty(PHASES, PHASE_BOUNDS))
    decisions: Mapping[str, Distribution] = field(
        default_factory=lambda: _empty(DECISIONS, DECISION_BOUNDS)
    )


def counted(counts: EventCounts, events: Iterable[Event]) -> EventCounts:
    """The counts with these events."""
    tally = _Tally(counts)
    for event in events:
        tally.count(event)
    return tally.counts


class _Tally:
    """Adds events up."""

    def __init__(self, counts: EventCounts) -> None:
        self._events = dict(counts.events)
        self._lifecycle = dict(counts.lifecycle)
        self._spawns = dict(counts.spawns)
        self._waits = dict(counts.waits)
        self._phases = dict(counts.phases)
        self._decisions = dict(counts.decisions)
        self._before = counts

    @property
    def counts(self) -> EventCounts:
        return replace(
            self._before,
            events=self._events,
            lifecycle=self._lifecycle,
            spawns=self._spawns,
            waits=self._waits,
            phases=self._phases,
            decisions=self._decisions,
        )

    def count(self, event: Event) -> None:
        _add(self._events, event.action, OTHER)
        if event.action.startswith(LIFECYCLE):
            rule = str(event.details.get("rule") or "").rpartition(".")[2]
            _add(self._lifecycle, (event.action, rule), (OTHER, OTHER))
        self._count_spawn(event)
        self._count_wait(event)
        self._count_decision(event)

    def _count_spawn(self, event: Event) -> None:
        if event.action == SPAWN:
            outcome = str(event.details.get("end") or "failed")
            self._spawned(outcome, str(event.details.get("cause") or ""))
            self._count_phases(event.details.get("phases_ms"))
        elif event.interface == Interface.HUB:
            return  # the hub's starts are told as a whole
        elif event.action in _REJECTIONS:
            limit = str(event.details.get("limit") or "")
            self._spawned("refused", limit or _REJECTIONS[event.action])
        elif event.action == "container.start":
            self._spawned("ready" if event.outcome == "ok" else "failed", "")
        elif event.action == "container.create" and event.outcome == "failed":
            self._spawned("failed", "")

    def _spawned(self, outcome: str, reason: str) -> None:
        _add(self._spawns, (outcome, reason), (OTHER, OTHER))

    def _count_phases(self, told: object) -> None:
        if isinstance(told, Mapping):
            for phase in PHASES:
                self._observe(self._phases, phase, _seconds(told.get(phase), _MILLI))

    def _count_wait(self, event: Event) -> None:
        outcome = {
            "gpu.allocate": "granted",
            "gpu.unqueue": "left",
            "cleanup.ticket": "expired",
        }.get(event.action)
        seconds = _seconds(event.details.get("waited_seconds"))
        if outcome is None or seconds is None:
            return
        if outcome != "granted" or seconds >= SHORTEST_WAIT_SECONDS:
            self._observe(self._waits, outcome, seconds)

    def _count_decision(self, event: Event) -> None:
        seconds = _seconds(event.details.get("decided_ms"), _MILLI)
        if event.action == "gpu.allocate":
            self._observe(self._decisions, "granted", seconds)
        elif event.action in _REJECTIONS:
            self._observe(self._decisions, "refused", seconds)

    @staticmethod
    def _observe(into: dict[str, Distribution], key: str, seconds: float | None) -> None:
        if seconds is not None:
            into[key] = into[key].with_value(seconds)


def _add(into: dict[_Key, int], key: _Key, other: _Key) -> None:
    known = key in into or len(into) < _MOST_ROWS
    place = key if known else other
    into[place] = into.get(place, 0) + 1


def _seconds(said: object, divisor: float = 1.0) -> float | None:
    if isinstance(said, bool) or not isinstance(said, (int, float)) or said < 0:
        return None
    return said / divisor
