"""Every GPU slot: free, one's own, somebody's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.gpu import FULL_PROFILE
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.wording import size, span
from ds01_widgets.models.live import Live

_STATES = {
    "free": "free",
    "reserved": "being given out",
    "allocated": "in use",
    "held": "kept for a stopped server",
    "foreign": "used outside DS01",
    "unavailable": "out of order",
}
_SOMEBODY = "somebody"


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One slot in words.

    Attributes:
        slot: `2`, or `0:1`.
        size: `whole GPU`, or the profile.
        memory: How much it has, and how much of that is in use where it is known.
        state: What it is doing.
        who: Who has it: `you`, a name that managers are told, or `somebody`; empty for nobody.
        since: For how long; empty where nobody knows.
        busy: From 0 to 1; `None` where nobody knows.
        mine: Whether it is one's own.
        free: Whether one could get it now.
    """

    slot: str
    size: str
    memory: str
    state: str
    who: str
    since: str
    busy: float | None
    mine: bool
    free: bool


class GpuStatusModel(Live[m.Gpus]):
    """What the GPUs do, and which are one's own."""

    EVERY_SECONDS: ClassVar[float] = 5.0

    def read(self, client: Client) -> m.Gpus:
        """See `Live`."""
        return client.gpus()

    @property
    def rows(self) -> tuple[SlotRow, ...]:
        """The slots, in the platform's order."""
        return () if self.found is None else tuple(_rows(self.found))

    @property
    def summary(self) -> str:
        """One sentence."""
        rows = self.rows
        if self.found is None:
            return "Looking at the GPUs …"
        if not rows:
            return "This server has no GPUs."
        free, mine = sum(row.free for row in rows), sum(row.mine for row in rows)
        yours = f" {mine} {'is' if mine == 1 else 'are'} yours." if mine else ""
        return f"{free} of {len(rows)} GPU slots {'is' if free == 1 else 'are'} free.{yours}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know."""
        if self.found is None:
            return ()
        simulated = self.found.source == "simulated"
        notes = ("These GPUs are simulated: no real GPU computes anything.",) if simulated else ()
        return (*notes, *self.found.problems)


def size_words(profile: str | None) -> str:
    """What a slot is, for people: `whole GPU`, or its profile."""
    return "whole GPU" if profile == FULL_PROFILE else profile or "not known"


def _rows(found: m.Gpus) -> Iterator[SlotRow]:
    for each in found.slots:
        since = "" if each.since is None else span(found.taken_at - each.since)
        yield SlotRow(
            each.slot,
            size_words(each.profile),
            _memory(each),
            _state(each, found),
            _who(each),
            since,
            each.utilisation,
            each.mine,
            each.state == "free" and each.use != "batch",
        )


def _state(slot: m.GpuSlot, found: m.Gpus) -> str:
    if slot.state == "free" and slot.use == "batch":
        return "free, for batch jobs"
    words = _STATES.get(slot.state, slot.state)
    if slot.state == "held" and slot.until is not None:
        return f"{words}, {span(slot.until - found.taken_at)} more"
    return words


def _who(slot: m.GpuSlot) -> str:
    name = (slot.container or "").partition(SEPARATOR)[0]
    behind = f" ({name})" if name else ""
    if slot.mine:
        return f"you{behind}"
    if slot.user is not None:
        return f"{slot.user}{behind}"
    if slot.elsewhere:
        return "another installation"
    return _SOMEBODY if slot.state in {"allocated", "held", "reserved"} else ""


def _memory(slot: m.GpuSlot) -> str:
    if slot.memory_bytes is None:
        return ""
    whole = size(slot.memory_bytes)
    return f"{size(slot.memory_used_bytes)} of {whole}" if slot.memory_used_bytes else whole
