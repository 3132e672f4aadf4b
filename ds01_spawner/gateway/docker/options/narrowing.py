"""From a person's limits and what they asked for to what a container gets. Pure."""

from dataclasses import replace

from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.limits import Limits, least
from ds01_spawner.gateway.docker.options.limits import AskedLimits, check_limits


def narrowed(spec: ContainerSpec, asked: AskedLimits, limits: Limits) -> ContainerSpec:
    """`spec` with what was asked for where that is less than the person's limit.

    Raises:
        QuotaExceeded: It is more.
    """
    check_limits(asked, limits)
    memory, swap = memory_and_swap(asked, spec.memory_bytes, spec.memory_swap_bytes)
    return replace(
        spec,
        cpus=least(asked.cpus, spec.cpus),
        memory_bytes=memory,
        memory_swap_bytes=swap,
        shm_size_bytes=least(asked.shm_size_bytes, spec.shm_size_bytes),
        pids_limit=least(asked.pids_limit, spec.pids_limit),
        io_read_bps=least(asked.io_read_bps, spec.io_read_bps),
        io_write_bps=least(asked.io_write_bps, spec.io_write_bps),
    )


def memory_and_swap(
    asked: AskedLimits, most: int | None, most_with_swap: int | None
) -> tuple[int | None, int | None]:
    """The memory, and the memory plus swap, that somebody gets.

    Args:
        asked: What they asked for.
        most: Their memory.
        most_with_swap: Their memory plus swap.
    """
    memory = least(asked.memory_bytes, most)
    return memory, least(asked.memory_swap_bytes, _beside(memory, most, most_with_swap))


def _beside(memory: int | None, most: int | None, most_with_swap: int | None) -> int | None:
    """Memory plus swap for `memory`: no more swap than the person has beside all of theirs.

    And no more than the memory, which is what the engine takes where nothing is said of swap.
    """
    if memory is None or most is None or most_with_swap is None or memory == most:
        return most_with_swap
    return memory + min(memory, max(most_with_swap - most, 0))
