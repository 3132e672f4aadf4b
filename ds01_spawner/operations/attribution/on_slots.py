"""Slots that work past the platform is on, with whose that is. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from ds01_spawner.domain.attribution import Attributed, WorkloadClass
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.usage_unmanaged import NOBODY
from ds01_spawner.operations.allocation.gpu_status import GpuStatus, SlotStatus
from ds01_spawner.operations.attribution.scan import Picture

_OF_CONTAINERS = {WorkloadClass.MANAGED, WorkloadClass.BUILD}
"""What the platform made; what a grant allows has no slot, and is other work on it."""


def with_others(status: GpuStatus, picture: Callable[[], Picture]) -> GpuStatus:
    """The status, with whose work is on slots that nobody was given.

    Args:
        status: What is known without.
        picture: What runs; only asked where there is such a slot. Without an answer it stays
            unsaid.
    """
    if not any(map(_is_others, status.slots)):
        return status
    try:
        processes = picture().processes
    except Unavailable:
        return status
    return replace(
        status,
        slots=tuple(
            _told(each, [one for one in processes if one.slot == each.use.slot.id])
            if _is_others(each)
            else each
            for each in status.slots
        ),
    )


def _is_others(status: SlotStatus) -> bool:
    use = status.use
    return use.state is SlotState.FOREIGN and use.user is None and not status.elsewhere


def _told(status: SlotStatus, processes: Iterable[Attributed]) -> SlotStatus:
    found = [each for each in processes if each.owner.kind not in _OF_CONTAINERS]
    begun = [each.started_at for each in found if each.started_at is not None]
    return replace(
        status,
        others=tuple(dict.fromkeys(map(_named, found))),
        others_since=min(begun, default=None),
    )


def _named(each: Attributed) -> str:
    """Whose it is, and the container or the program: `alice train`."""
    what = each.owner.container or each.name
    return " ".join(filter(None, (each.owner.user or NOBODY, what)))
