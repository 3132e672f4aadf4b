"""Every GPU slot with who has it and what it does, for people and for programs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.container_owner import is_made_elsewhere
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE, SlotActivity
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.occupancy import Conflict, Occupancy, SlotState, SlotUse, Snapshot
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.policy.gpu_config import GpuConfig

_ELSEWHERE = "one of another installation"


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One slot now.

    Attributes:
        use: The slot, its state and its holder.
        is_batch: On a card that interactive work is not given.
        elsewhere: A container of another installation on this engine has it: who that is, is not
            this one's to tell.
        activity: Load, memory and processes, or `None` when they could not be read.
        others: Whose work past the platform is on it, and what that is called.
        others_since: Since when the oldest of that runs, where it is known.
    """

    use: SlotUse
    is_batch: bool = False
    elsewhere: bool = False
    activity: SlotActivity | None = None
    others: tuple[str, ...] = ()
    others_since: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """Since when somebody has it; of work without a container its processes tell."""
        return self.use.since if self.use.container is not None else self.others_since


@dataclass(frozen=True, slots=True)
class GpuStatus:
    """All slots at one moment.

    Attributes:
        taken_at: The moment.
        source: `nvml` or `simulated`.
        slots: One entry a slot, in the order people read them.
        problems: Sentences about what is not as it should be.
    """

    taken_at: datetime
    source: str
    slots: tuple[SlotStatus, ...]
    problems: tuple[str, ...]


def read_gpu_status(
    admission: Admission, config: GpuConfig, max_age: timedelta = AT_ONCE
) -> GpuStatus:
    """The status now, from the facts that the next decision would be made on.

    Raises:
        Unavailable: Engine, driver, ledger or policy cannot be read.
    """
    situation = admission.current(max_age)
    inventory = situation.snapshot.inventory
    # Plans are for real cards.
    plans = config.layout_problems(inventory) if inventory.source == "nvml" else ()
    elsewhere = containers_elsewhere(situation.snapshot, admission.rules.site.instance)
    return gpu_status(situation.snapshot, situation.occupancy, plans, elsewhere)


def containers_elsewhere(snapshot: Snapshot, instance: str) -> frozenset[str]:
    """Names of the containers that another installation on this engine made."""
    return frozenset(each.name for each in snapshot.containers if is_made_elsewhere(each, instance))


def conflicts_told(occupancy: Occupancy, elsewhere: Collection[str]) -> tuple[str, ...]:
    """A sentence on each slot that more than one container has.

    Args:
        occupancy: Who has what.
        elsewhere: Names of containers that another installation made: they are not told.
    """
    return tuple(str(_without_names(each, elsewhere)) for each in occupancy.conflicts)


def gpu_status(
    snapshot: Snapshot,
    occupancy: Occupancy,
    problems: Iterable[str] = (),
    elsewhere: Collection[str] = (),
) -> GpuStatus:
    """The status that these readings show.

    Args:
        snapshot: What engine and driver said.
        occupancy: Who has what, computed from it.
        problems: Sentences to add, such as layouts that differ from gpu-config.yaml.
        elsewhere: Names of containers that another installation made.
    """
    return GpuStatus(
        taken_at=snapshot.taken_at,
        source=snapshot.inventory.source,
        slots=tuple(
            SlotStatus(
                use=_without_holder(use) if use.container in elsewhere else use,
                is_batch=use.slot.gpu_uuid in occupancy.excluded_gpus,
                elsewhere=use.container in elsewhere,
                activity=snapshot.activity.get(use.slot.uuid),
            )
            for use in occupancy.uses
        ),
        problems=(
            *snapshot.inventory.problems,
            *_unread_activity(snapshot, occupancy),
            *conflicts_told(occupancy, elsewhere),
            *problems,
        ),
    )


def gpu_status_json(status: GpuStatus) -> dict[str, object]:
    """The status as `ds01 gpu status --json` prints it; what is not known is `None`."""
    return {
        "source": status.source,
        "slots": [_slot_json(each) for each in status.slots],
        "problems": list(status.problems),
    }


def _slot_json(status: SlotStatus) -> dict[str, object]:
    use, slot, activity = status.use, status.use.slot, status.activity or SlotActivity()
    is_known = slot.profile != UNKNOWN_PROFILE
    return {
        "slot": slot.id,
        "uuid": slot.uuid or None,
        "profile": slot.profile if is_known else None,
        "memory_bytes": slot.memory_bytes if is_known else None,
        "equivalents": slot.equivalents if is_known else None,
        "state": use.state.value,
        "user": use.user,
        "container": use.container,
        "since": _timestamp(status.since),
        "until": _timestamp(use.until),
        "use": "batch" if status.is_batch else "interactive",
        "others": list(status.others),
        "elsewhere": status.elsewhere,
        "utilisation": activity.utilisation,
        "memory_used_bytes": activity.memory_used_bytes,
        "processes": len(activity.pids) if status.activity is not None else None,
    }


def _without_holder(use: SlotUse) -> SlotUse:
    return replace(use, user=None, container=None, since=None)


def _without_names(conflict: Conflict, elsewhere: Collection[str]) -> Conflict:
    names = (_ELSEWHERE if name in elsewhere else name for name in conflict.containers)
    return replace(conflict, containers=tuple(names))


def _timestamp(moment: datetime | None) -> str | None:
    return None if moment is None else format_timestamp(moment)


def _unread_activity(snapshot: Snapshot, occupancy: Occupancy) -> Iterable[str]:
    readable = {slot.uuid for slot in snapshot.inventory.slots}
    for use in occupancy.uses:
        uuid = use.slot.uuid
        if use.state is SlotState.UNAVAILABLE and uuid in readable - snapshot.activity.keys():
            yield (
                f"GPU slot {use.slot.id}: the driver does not say what runs on it, "
                "so nobody is given it."
            )
