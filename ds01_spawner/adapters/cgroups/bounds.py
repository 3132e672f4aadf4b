"""Bounds as the kernel keeps them, so that wanted and found can be compared exactly."""

import resource
from dataclasses import dataclass, fields

from ds01_spawner.domain.cgroup import BoundChange
from ds01_spawner.domain.limits import AggregateLimits

CPU_PERIOD_US = 100_000
_CPU_STEP_US = 1_000
PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one cgroup is bounded to; `None` is unlimited.

    Attributes:
        cpu_quota_us: CPU time per 100 ms, in steps of 1 % of a CPU.
        memory: Bytes, whole pages.
        memory_high: Bytes, whole pages; always `None` on v1.
        swap: On v1 bytes of memory and swap together, on v2 bytes of swap; `None` also where the
            kernel does not account swap.
        pids: Tasks.
    """

    cpu_quota_us: int | None = None
    memory: int | None = None
    memory_high: int | None = None
    swap: int | None = None
    pids: int | None = None

    def as_limits(self) -> AggregateLimits:
        """The same in the policy's terms."""
        quota = self.cpu_quota_us
        return AggregateLimits(
            cpus=None if quota is None else quota / CPU_PERIOD_US,
            memory_bytes=self.memory,
            memory_high_bytes=self.memory_high,
            pids=self.pids,
        )


def quota_of(cpus: float | None) -> int | None:
    """Microseconds per period, at least the 1 ms that the kernel accepts."""
    if cpus is None:
        return None
    steps = round(cpus * CPU_PERIOD_US / _CPU_STEP_US)
    return max(1, steps) * _CPU_STEP_US


def whole_pages(size_bytes: int | None) -> int | None:
    """Rounded down as the kernel does."""
    return None if size_bytes is None else size_bytes // PAGE_BYTES * PAGE_BYTES


def changes(found: Bounds, now: Bounds) -> tuple[BoundChange, ...]:
    """What differs, in the policy's terms."""
    differing = []
    for name in (field.name for field in fields(Bounds)):
        before, after = getattr(found, name), getattr(now, name)
        if before == after:
            continue
        if name == "cpu_quota_us":
            before, after = _cpus(before), _cpus(after)
        differing.append(BoundChange(name.replace("cpu_quota_us", "cpus"), before, after))
    return tuple(differing)


def is_lower(wanted: int | None, found: int | None) -> bool:
    """Whether `wanted` is a tighter bound than `found`."""
    return wanted is not None and (found is None or wanted < found)


def _cpus(quota: int | None) -> float | None:
    return None if quota is None else quota / CPU_PERIOD_US
