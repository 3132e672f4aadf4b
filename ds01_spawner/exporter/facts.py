"""What is read for a scrape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import Metric

from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.card_health import CardHealth, FaultCount
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import Gpu, Inventory, SlotActivity
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage_totals import UsageTotal
from ds01_spawner.domain.work import RuleStop
from ds01_spawner.exporter.event_counts import EventCounts
from ds01_spawner.operations.attribution.scan import Picture
from ds01_spawner.policy.resolution import Policy


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The GPUs.

    Attributes:
        inventory: Every card and slot.
        activity: What slots do, by UUID.
        health: How cards are, by UUID.
    """

    inventory: Inventory
    activity: Mapping[str, SlotActivity]
    health: Mapping[str, CardHealth]


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What is in the ledger at one moment.

    Attributes:
        reservations: Promises, expired or not.
        stops: By which rules containers were stopped.
        tickets: The queue, alive or not.
        storage: Homes as last measured.
        grants: Access to GPUs outside of containers.
        culler_passes: Whether the lifecycle service has its lease.
        size_bytes: Of its files.
    """

    reservations: Sequence[Reservation] = ()
    stops: Sequence[RuleStop] = ()
    tickets: Sequence[Ticket] = ()
    storage: Sequence[StorageUse] = ()
    grants: Sequence[BareMetalGrant] = ()
    culler_passes: bool = False
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """The policy.

    Attributes:
        policy: In force; `None` where none was ever valid.
        valid: Whether it is what the files say.
        loaded_at: When it was read.
    """

    policy: Policy | None
    valid: bool
    loaded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What containers take.

    Attributes:
        cpu_seconds: Of each person, since the exporter began.
        memory_bytes: Of each person, now.
        unread: Containers whose figures could not be read: they are in neither.
        anything: Whether any could be, or there are none.
    """

    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    anything: bool = True


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The event log.

    Attributes:
        counts: What was written since the exporter began.
        unreadable_lines: What was no event.
        size_bytes: Of its present file; 0 without one.
        last_event_at: When its last line was written; `None` without one.
        writable: Whether the next line can be.
    """

    counts: EventCounts
    unreadable_lines: int = 0
    size_bytes: int = 0
    last_event_at: datetime | None = None
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The other services; those that are not here are not listed.

    Attributes:
        answers: Whether each answers.
        last_good: When each last did; 1970 of a lifecycle service that never did.
        passed_on: The lifecycle service's own figures.
        culler_problem: Why there are none of those; empty where there are.
    """

    answers: Mapping[str, bool] = field(default_factory=dict)
    last_good: Mapping[str, datetime] = field(default_factory=dict)
    passed_on: Sequence[Metric] = ()
    culler_problem: str = ""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A disk.

    Attributes:
        free_bytes: For everybody.
        size_bytes: Of it.
    """

    free_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one scrape; `None` where it could not be read.

    Attributes:
        now: The moment.
        version: The release that runs.
        containers: Every container of the engine.
        cards: The GPUs.
        known_cards: As they were when they could last be read.
        ledger: The ledger.
        policy: The policy.
        picture: Whose the processes on the GPUs are.
        work: What containers take.
        totals: What was used since there are books.
        rows: Rows of the ledger's tables.
        disks: By place, as far as they could be read.
        log: The event log.
        services: The other services.
        xids: Errors in the kernel log, by bus id and number.
        excluded_gpus: Cards (UUID) that are for batch work.
        elsewhere: Containers that another installation on this engine made: names by id.
    """

    now: datetime
    version: str = ""
    containers: Sequence[Container] | None = None
    cards: CardFacts | None = None
    known_cards: tuple[Gpu, ...] = ()
    ledger: LedgerFacts | None = None
    policy: PolicyFacts | None = None
    picture: Picture | None = None
    work: WorkFacts | None = None
    totals: Sequence[UsageTotal] | None = None
    rows: Mapping[str, int] | None = None
    disks: Mapping[str, DiskFacts] = field(default_factory=dict)
    log: LogFacts | None = None
    services: ServiceFacts | None = None
    xids: Mapping[tuple[str, int], FaultCount] | None = None
    excluded_gpus: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
