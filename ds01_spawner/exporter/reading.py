"""What is read for a scrape, and from where."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ds01_spawner.domain.card_health import FaultCount
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.gpu import Gpu, Inventory
from ds01_spawner.domain.usage_totals import UsageTotal
from ds01_spawner.exporter.cpu_book import CpuBook, booked
from ds01_spawner.exporter.disks import PLACES, Disks
from ds01_spawner.exporter.event_counts import EventCounts, counted
from ds01_spawner.exporter.facts import (
    CardFacts,
    DiskFacts,
    Facts,
    LedgerFacts,
    LogFacts,
    PolicyFacts,
    ServiceFacts,
    WorkFacts,
)
from ds01_spawner.exporter.one_list import OneList
from ds01_spawner.exporter.source import Readings, Round, Source
from ds01_spawner.operations.attribution.scan import Attribution, Picture
from ds01_spawner.operations.lifecycle.enforce import LEASE
from ds01_spawner.operations.usage.all_time import AllTime
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Clock, ContainerList, EventReader, GpuProbe, LedgerReader
from ds01_spawner.ports.usage import UsageProbe

SLOW_SECONDS = 60.0
"""The books change with each pass of the lifecycle service; disks hardly sooner."""

SLOW_LASTS_SECONDS = 300.0
ROWS_SECONDS = 300.0
"""Tables grow in weeks, and counting reads all of them."""

ROWS_LAST_SECONDS = 900.0
NO_AGE = timedelta(0)


class ReadPolicy(Protocol):
    """The policy, with what is known of its files."""

    @property
    def problems(self) -> Sequence[object]:
        """What is wrong with them now."""
        ...

    @property
    def loaded_at(self) -> datetime | None:
        """When the policy in force was read."""
        ...

    def current(self) -> Policy:
        """The policy in force."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What is read from. Each is asked for when it is first read, and may be unavailable.

    Attributes:
        clock: The time.
        engine: Containers.
        probe: GPUs.
        ledger: The ledger.
        policy: The policy.
        usage: What containers take.
        attribution: Makes what takes pictures of a list of containers.
        events: The event log.
        log_file: Its present file.
        faults: Errors in the kernel log.
        ledger_bytes: Size of the ledger's files.
        places: Folders whose disks are looked at, by place.
        services: Asks the other services.
        excluded: Cards (UUID) for batch work.
        version: The release that runs.
        instance: Which installation this is.
        data_root: Where the engine's disk is, as it says.
    """

    clock: Clock
    engine: Callable[[], ContainerList]
    probe: Callable[[], GpuProbe]
    ledger: Callable[[], LedgerReader]
    policy: Callable[[], ReadPolicy]
    usage: Callable[[], UsageProbe]
    attribution: Callable[[ContainerList], Attribution]
    events: EventReader
    log_file: Path
    faults: Callable[[], Mapping[tuple[str, int], FaultCount]]
    ledger_bytes: Callable[[], int]
    places: Callable[[], Mapping[str, str]]
    services: Callable[[], ServiceFacts]
    excluded: Callable[[Inventory], frozenset[str]]
    version: str
    instance: Callable[[], str]
    data_root: Callable[[], str | None] = lambda: None


class Reading:
    """The sources of a scrape, and what is remembered between two."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._list = OneList(parts.engine, parts.instance)
        self._attribution: Attribution | None = None
        self._picture: Picture | None = None
        self._all_time = AllTime(parts.clock)
        self._cpu = CpuBook()
        self._place = ""
        self._disks = Disks(parts.places, parts.data_root)
        self._counts = EventCounts()
        self._last_event: datetime | None = None
        self._known: dict[str, Gpu] = {}
        self._bus_ids: dict[str, str] = {}
        slow = {"every_seconds": SLOW_SECONDS, "lasts_seconds": SLOW_LASTS_SECONDS}
        self.containers = Source("containers", lambda _round: self._list.shared())
        self.cards = Source("cards", self._read_cards)
        self.ledger = Source("ledger", self._read_ledger)
        self.policy = Source("policy", self._read_policy)
        self.picture = Source("attribution", self._read_picture)
        self.work = Source("work", self._read_work)
        self.totals = Source("totals", self._read_totals, **slow)
        self.rows = Source(
            "rows",
            lambda _round: self._parts.ledger().row_counts(),
            every_seconds=ROWS_SECONDS,
            lasts_seconds=ROWS_LAST_SECONDS,
        )
        self.disks = {place: self._disk_source(place) for place in PLACES}
        self.log = Source("events", self._read_log)
        self.services = Source("services", lambda _round: self._parts.services())
        self.xids = Source("kernel_log", lambda _round: self._parts.faults())

    @property
    def sources(self) -> tuple[Source[Any], ...]:
        """All of them."""
        return (
            *(self.picture, self.containers, self.cards, self.ledger, self.policy, self.work),
            *(self.totals, self.rows, self.log, self.services, self.xids),
            *self.disks.values(),
        )

    @property
    def bus_ids(self) -> dict[str, str]:
        """The index of each card by where it is, also of one that is lost by now."""
        return dict(self._bus_ids)

    def begin(self) -> None:
        """A scrape begins."""
        self._list.begin()

    def facts(self, readings: Readings) -> Facts:
        """Everything that was read."""
        cards = readings.of(self.cards)
        excluded: frozenset[str] = frozenset()
        if cards is not None:
            with suppress(DS01Error):  # a broken gpu-config.yaml is told by its reader
                excluded = self._parts.excluded(cards.inventory)
        return Facts(
            now=self._parts.clock.now(),
            version=self._parts.version,
            containers=readings.of(self.containers),
            cards=cards,
            known_cards=tuple(self._known.values()),
            ledger=readings.of(self.ledger),
            policy=readings.of(self.policy),
            picture=readings.of(self.picture) or self._picture_of_before(readings),
            work=readings.of(self.work),
            totals=readings.of(self.totals),
            rows=readings.of(self.rows),
            disks={
                place: found
                for place, source in self.disks.items()
                if (found := readings.of(source)) is not None
            },
            log=readings.of(self.log),
            services=readings.of(self.services),
            xids=readings.of(self.xids),
            excluded_gpus=excluded,
            elsewhere=self._list.elsewhere,
        )

    def _picture_of_before(self, readings: Readings) -> Picture | None:
        """What was seen last, where it takes too long to look: what is not seen has not gone."""
        if self._picture is None:
            return None
        problem = readings.problem(self.picture.name)
        return replace(self._picture, fresh=False, problem=problem)

    def _read_cards(self, _round: Round) -> CardFacts:
        probe = self._parts.probe()
        activity = probe.activity()
        inventory = probe.inventory()
        found = CardFacts(inventory, activity, probe.health())
        self._known = {**self._known, **{gpu.uuid: gpu for gpu in inventory.gpus}}
        for gpu in inventory.gpus:
            health = found.health.get(gpu.uuid)
            if health is not None and health.pci_bus_id is not None:
                self._bus_ids[health.pci_bus_id] = str(gpu.index)
        return found

    def _read_ledger(self, _round: Round) -> LedgerFacts:
        mark = self._parts.clock.mark()
        with self._parts.ledger().reading() as reading:
            return LedgerFacts(
                reservations=reading.reservations(),
                stops=reading.rule_stops(),
                tickets=reading.tickets(),
                storage=reading.storage(),
                grants=reading.bare_metal_grants(),
                culler_passes=reading.lease_holder(LEASE, mark) is not None,
                size_bytes=self._parts.ledger_bytes(),
            )

    def _read_policy(self, _round: Round) -> PolicyFacts:
        files = self._parts.policy()
        try:
            policy = files.current()
        except Unavailable:
            return PolicyFacts(None, valid=False)
        return PolicyFacts(policy, not files.problems, files.loaded_at)

    def _read_picture(self, _round: Round) -> Picture:
        if self._attribution is None:
            self._attribution = self._parts.attribution(self._list)
        self._picture = self._attribution.picture(NO_AGE)
        return self._picture

    def _read_work(self, current: Round) -> WorkFacts:
        every = current.of(self.containers)
        elsewhere = self._list.elsewhere
        containers = [each for each in every if each.id not in elsewhere]
        usage = self._parts.usage().work(containers)
        self._cpu, found = booked(self._cpu, containers, usage, self._parts.clock.now())
        return found

    def _read_totals(self, _round: Round) -> Sequence[UsageTotal]:
        with self._parts.ledger().reading() as reading:
            return self._all_time.totals(reading)

    def _disk_source(self, place: str) -> Source[DiskFacts | None]:
        return Source(f"disk {place}", lambda _round: self._disks.look(place))

    def _read_log(self, _round: Round) -> LogFacts:
        events, self._place = self._parts.events.read(self._place, None)
        self._counts = counted(self._counts, events)
        if events:
            self._last_event = events[-1].ts
        unreadable = getattr(self._parts.events, "unreadable_lines", 0)
        return log_facts(self._parts.log_file, self._counts, self._last_event, unreadable)


def log_facts(
    path: Path, counts: EventCounts, last_event_at: datetime | None, unreadable_lines: int
) -> LogFacts:
    """What there is to say of the event log beside its lines."""
    try:
        status = path.stat()
    except FileNotFoundError:
        writable = _writable(path.parent)
        return LogFacts(counts, unreadable_lines, 0, last_event_at, writable)
    except OSError as exc:
        raise Unavailable(f"The event log {path} cannot be read: {exc.strerror}.") from exc
    if last_event_at is None and status.st_size:
        last_event_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return LogFacts(counts, unreadable_lines, status.st_size, last_event_at, _writable(path))


def _writable(path: Path) -> bool:
    """Whether the next line can be written there: its disk has room, and takes something."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return disk.f_bavail > 0 and not disk.f_flag & os.ST_RDONLY and os.access(path, os.W_OK)
