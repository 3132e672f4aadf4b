"""What runs: containers, and what each person runs on GPUs beside them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import OURS, Attributed, Owner, WorkloadClass
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.occupancy import SlotIndex


@dataclass(frozen=True, slots=True)
class Workload:
    """A running container, or everything that one person runs on GPUs outside of containers.

    Attributes:
        id: The container's id; `host:<user or uid>`; `unknown:<container or pid>`.
        owner: Whose it is.
        since: Since when.
        slots: Slots that it was given, and those that it is on.
        processes: How many of its processes are on a GPU.
        memory_bytes: Of GPUs; `None` where the driver does not say.
    """

    id: str
    owner: Owner
    since: datetime | None
    slots: tuple[str, ...] = ()
    processes: int = 0
    memory_bytes: int | None = None

    @property
    def is_managed(self) -> bool:
        """Whether it came to be by the platform."""
        return self.owner.kind in OURS


def workloads_of(
    containers: Sequence[Container],
    owners: Mapping[str, Owner],
    processes: Iterable[Attributed],
    inventory: Inventory,
) -> tuple[Workload, ...]:
    """Everything that runs: containers first, then the server's own processes, then the unknown.

    Args:
        containers: Those that run.
        owners: Of each, by its id.
        processes: On all GPUs.
        inventory: Names the slots.
    """
    theirs: dict[str, list[Attributed]] = defaultdict(list)
    for each in processes:
        theirs[_workload_id(each)].append(each)
    index = SlotIndex(inventory)
    found = [
        _workload(
            container.id,
            owners[container.id],
            _given(container, index),
            theirs.pop(container.id, []),
            container.started_at or container.created_at,
        )
        for container in sorted(containers, key=lambda each: (each.created_at, each.id))
    ]
    rest = [_workload(key, of[0].owner, (), of, None) for key, of in sorted(theirs.items())]
    return (*found, *rest)


def _workload_id(each: Attributed) -> str:
    owner = each.owner
    if owner.kind in {WorkloadClass.HOST, WorkloadClass.BARE_METAL}:
        return f"host:{owner.user or each.uid}"
    if owner.kind is WorkloadClass.UNKNOWN:
        return f"unknown:{owner.container_id or each.process.pid}"
    return owner.container_id or ""


def _given(container: Container, index: SlotIndex) -> tuple[str, ...]:
    """Ids of the slots that a container has, whether anything computes on them or not."""
    ours = container.labels.get(labels.MANAGED) == "true"
    labelled = labels.gpu_uuids_of(container.labels) if ours else ()
    demanded = [slot.uuid for slot in index.demanded(container.demand)]
    known = index.by_uuid
    return tuple(known[uuid].id for uuid in (*labelled, *demanded) if uuid in known)


def _workload(
    key: str,
    owner: Owner,
    given: Sequence[str],
    processes: Sequence[Attributed],
    since: datetime | None,
) -> Workload:
    memory = [each.process.memory_bytes for each in processes]
    known = [each for each in memory if each is not None]
    begun = [each.started_at for each in processes if each.started_at is not None]
    slots = dict.fromkeys((*given, *(each.slot for each in processes if each.slot)))
    return Workload(
        id=key,
        owner=owner,
        since=since or min(begun, default=None),
        slots=tuple(sorted(slots, key=_slot_key)),
        processes=len({each.process.pid for each in processes}),
        memory_bytes=sum(known) if len(known) == len(memory) else None,
    )


def _slot_key(slot: str) -> tuple[int, int]:
    gpu, _, instance = slot.partition(":")
    return int(gpu), int(instance or 0)
