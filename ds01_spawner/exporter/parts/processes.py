"""Whose the processes on the GPUs are."""

from collections import Counter
from collections.abc import Iterator

from ds01_spawner.domain.attribution import Attributed, Owner, WorkloadClass
from ds01_spawner.domain.workload import Workload
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View, summed
from ds01_spawner.exporter.words import OTHER, UNKNOWN, user_label

SPARED, SCREEN = "spared", "screen"
KINDS = (*(each.value for each in WorkloadClass), SPARED, SCREEN)
"""Beside the classes: what the policy leaves alone, and what only draws outside of containers. They
are past the platform, and nobody is told of them."""

_Who = tuple[WorkloadClass, str | None]


def attribution(view: View) -> Iterator[Point]:
    """Processes by slot, class and person, and everything that runs by class."""
    picture = view.facts.picture
    if picture is None:
        yield "ds01_attribution_fresh", (), 0.0
        return
    yield "ds01_attribution_fresh", (), float(picture.fresh)
    yield "ds01_attribution_timestamp_seconds", (), picture.taken_at.timestamp()
    nobodys = [each for each in picture.unattributed if not view.unmanaged.spares(each.owner)]
    yield "ds01_gpu_unattributed_processes", (), len(nobodys)
    rows = [(_row(each, view), each.process.memory_bytes) for each in picture.processes]
    for key, count in Counter(row for row, _ in rows).items():
        yield "ds01_gpu_processes", key, count
    memory = summed((row, taken) for row, taken in rows if taken is not None)
    for labels, total in memory.items():
        yield "ds01_gpu_process_memory_bytes", labels, total
    here = [each for each in picture.workloads if each.id not in view.facts.elsewhere]
    at_work = {_who(each.owner) for each in picture.processes if each.process.computes}
    kinds = Counter(_kind_of_work(each, at_work, view) for each in here)
    for kind in KINDS:
        yield "ds01_workloads", (kind,), kinds[kind]


def _row(each: Attributed, view: View) -> tuple[str, str, str]:
    owner = each.owner
    user = user_label(owner.user) if owner.user else UNKNOWN
    if owner.container_id in view.facts.elsewhere:
        user = OTHER
    return each.slot, _kind(owner, view, computes=each.process.computes), user


def _kind(owner: Owner, view: View, *, computes: bool) -> str:
    if view.unmanaged.spares(owner):
        return SPARED
    return SCREEN if owner.kind is WorkloadClass.HOST and not computes else owner.kind.value


def _kind_of_work(each: Workload, at_work: set[_Who], view: View) -> str:
    return _kind(each.owner, view, computes=_who(each.owner) in at_work)


def _who(owner: Owner) -> _Who:
    return owner.kind, owner.user
