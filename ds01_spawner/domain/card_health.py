"""How a card is: what it says of its heat, power, clocks and memory. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ds01_spawner.domain.gpu import CardPower


class ThrottleReason(StrEnum):
    """Why a card runs slower than it could."""

    POWER = "power"
    THERMAL = "thermal"
    HW_SLOWDOWN = "hw_slowdown"
    SYNC = "sync"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class EccErrors:
    """Errors of memory, since the card was made; `None` where it does not tell.

    Attributes:
        corrected: Those that did no harm.
        uncorrected: Those that did.
    """

    corrected: int | None = None
    uncorrected: int | None = None


@dataclass(frozen=True, slots=True)
class RetiredPages:
    """Pages of memory that a card uses no more; `None` where it does not tell.

    Attributes:
        single_bit: For errors that could be corrected.
        double_bit: For those that could not.
    """

    single_bit: int | None = None
    double_bit: int | None = None


@dataclass(frozen=True, slots=True)
class RemappedRows:
    """Rows of memory that others stand in for, on cards since Ampere.

    Attributes:
        correctable: For errors that could be corrected.
        uncorrectable: For those that could not.
        pending: One more is replaced at the next reset of the card.
        failed: One could not be replaced: the card should be.
    """

    correctable: int
    uncorrectable: int
    pending: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class CardHealth:
    """What a card says of itself; `None` where it does not tell.

    Attributes:
        power: What it takes.
        temperature_celsius: Of the processor.
        slowdown_celsius: From there on it runs slower.
        power_limit_watts: It takes no more.
        sm_hertz: Clock of the multiprocessors.
        memory_hertz: Clock of the memory.
        throttled: Why it runs slower than it could, at this moment.
        ecc: Errors of its memory.
        retired: Pages that it uses no more.
        remapped: Rows that others stand in for.
        pci_bus_id: Where it is, as the kernel calls it: `0000:01:00`.
    """

    power: CardPower = field(default_factory=CardPower)
    temperature_celsius: float | None = None
    slowdown_celsius: float | None = None
    power_limit_watts: float | None = None
    sm_hertz: float | None = None
    memory_hertz: float | None = None
    throttled: frozenset[ThrottleReason] | None = None
    ecc: EccErrors = field(default_factory=EccErrors)
    retired: RetiredPages = field(default_factory=RetiredPages)
    remapped: RemappedRows | None = None
    pci_bus_id: str | None = None


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often a card had an error of one number (Xid).

    Attributes:
        count: Since this machine is looked at.
        last_at: When it had it last.
    """

    count: int
    last_at: datetime
