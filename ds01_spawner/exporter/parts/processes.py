"""Whose the processes on the GPUs are."""

from collections import Counter
from collections.abc import Iterator

from ds01_spawner.domain.attribution import WorkloadClass
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View, summed

UNKNOWN = "unknown"


def attribution(view: View) -> Iterator[Point]:
    """Processes by slot, class and person, and everything that runs by class."""
    picture = view.facts.picture
    if picture is None:
        yield "ds01_attribution_fresh", (), 0.0
        return
    yield "ds01_attribution_fresh", (), float(picture.fresh)
    yield "ds01_attribution_timestamp_seconds", (), picture.taken_at.timestamp()
    yield "ds01_gpu_unattributed_processes", (), len(picture.unattributed)
    counts: Counter[tuple[str, str, str]] = Counter()
    for each in picture.processes:
        counts[each.slot, each.owner.kind.value, each.owner.user or UNKNOWN] += 1
    for key, count in counts.items():
        yield "ds01_gpu_processes", key, count
    memory = summed(
        ((each.slot, each.owner.kind.value, each.owner.user or UNKNOWN), taken)
        for each in picture.processes
        if (taken := each.process.memory_bytes) is not None
    )
    for labels, total in memory.items():
        yield "ds01_gpu_process_memory_bytes", labels, total
    kinds = Counter(each.owner.kind for each in picture.workloads)
    for kind in WorkloadClass:
        yield "ds01_workloads", (kind.value,), kinds[kind]
