"""Bounds as the engine is told them. Pure."""

CPU_PERIOD = 100_000
MIN_CPU_QUOTA = 1_000
UNBOUNDED_SHM = 1024**4


def cpu_figures(cpus: float) -> dict[str, int]:
    """CPUs, as a quota and not as `NanoCpus`, which Docker refuses beyond the host's own CPUs."""
    quota = max(MIN_CPU_QUOTA, round(cpus * CPU_PERIOD))
    return {"CpuPeriod": CPU_PERIOD, "CpuQuota": quota}


def memory_figures(memory_bytes: int, memory_swap_bytes: int | None) -> dict[str, int]:
    """Memory, and memory plus swap; `None` is no limit.

    The sum cannot be less than the memory: Docker refuses it. Without a value Docker allows twice
    the memory; -1 is "no limit".
    """
    swap = -1 if memory_swap_bytes is None else max(memory_swap_bytes, memory_bytes)
    return {"Memory": memory_bytes, "MemorySwap": swap}


def shm_figures(shm_size_bytes: int | None, memory_bytes: int | None) -> dict[str, int]:
    """Shared memory; Docker gives 64 MiB when nothing is said.

    What lies in /dev/shm counts as the container's memory, so the memory limit bounds it where
    nothing else does.
    """
    return {"ShmSize": shm_size_bytes or memory_bytes or UNBOUNDED_SHM}
