"""From the engine's counters of a container to figures that people know. Pure.

https://docs.docker.com/reference/api/engine/version/v1.50/#tag/Container/operation/ContainerStats
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST_LIMIT = 2**60
"""Above this, the kernel means that there is none."""

_SHORTEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine counted at one moment; `None` where it did not.

    Attributes:
        at: When, in seconds of a clock that only goes forward.
        cpu_seconds: CPU time since its start.
        memory_bytes: In use, without what the kernel can take back at once.
        memory_limit_bytes: `None` also without one.
        pids: Processes and threads.
        rx_bytes: Received on all its networks.
        tx_bytes: Sent on them.
    """

    at: float
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    pids: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None


def reading_of(stats: Mapping[str, Any], at: float) -> Reading:
    """What an answer of the engine says.

    Args:
        stats: The answer.
        at: When it came.
    """
    cpu = _number(_part(_part(stats, "cpu_stats"), "cpu_usage"), "total_usage")
    memory = _part(stats, "memory_stats")
    limit = _number(memory, "limit")
    networks = [each for each in _part(stats, "networks").values() if isinstance(each, Mapping)]
    return Reading(
        at=at,
        cpu_seconds=None if cpu is None else cpu / 1e9,
        memory_bytes=_memory(memory),
        memory_limit_bytes=None if limit is None or limit >= _MOST_LIMIT else limit,
        pids=_number(_part(stats, "pids_stats"), "current"),
        rx_bytes=_sum(networks, "rx_bytes"),
        tx_bytes=_sum(networks, "tx_bytes"),
    )


def figures(now: Reading | None, before: Reading | None) -> dict[str, float | int | None]:
    """What is shown of a container.

    Args:
        now: The newest reading; `None` of what does not run.
        before: The one before, for what is a rate.
    """
    if now is None:
        return {}
    return {
        "cpu_percent": _cpu_percent(now, before),
        "memory_bytes": now.memory_bytes,
        "memory_limit_bytes": now.memory_limit_bytes,
        "pids": now.pids,
        "network_rx_bytes": now.rx_bytes,
        "network_tx_bytes": now.tx_bytes,
    }


def _cpu_percent(now: Reading, before: Reading | None) -> float | None:
    if before is None or now.cpu_seconds is None or before.cpu_seconds is None:
        return None
    seconds, used = now.at - before.at, now.cpu_seconds - before.cpu_seconds
    if seconds < _SHORTEST_SECONDS or used < 0:  # it was started anew
        return None
    return round(100 * used / seconds, 2)


def _memory(memory: Mapping[str, Any]) -> int | None:
    """As `docker stats` does: https://docs.docker.com/reference/cli/docker/container/stats/."""
    used = _number(memory, "usage")
    if used is None:
        return None
    details = _part(memory, "stats")
    for name in ("total_inactive_file", "inactive_file"):  # cgroup v1, v2
        idle = _number(details, name)
        if idle is not None:
            return max(0, used - idle)
    return used


def _sum(networks: list[Mapping[str, Any]], name: str) -> int | None:
    counts = [count for each in networks if (count := _number(each, name)) is not None]
    return sum(counts) if counts else None


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(of: Mapping[str, Any], name: str) -> int | None:
    found = of.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
