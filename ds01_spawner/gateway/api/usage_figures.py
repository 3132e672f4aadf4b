"""From two readings of what a container uses to figures that people know. Pure."""

from dataclasses import dataclass

from ds01_spawner.ports.usage import ContainerUsage

_SHORTEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reading:
    """What a container used.

    Attributes:
        at: When, in seconds of a clock that only goes forward.
        used: What.
    """

    at: float
    used: ContainerUsage


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
        "memory_bytes": now.used.memory_bytes,
        "memory_limit_bytes": now.used.memory_limit_bytes,
        "pids": now.used.pids,
        "network_rx_bytes": now.used.rx_bytes,
        "network_tx_bytes": now.used.tx_bytes,
        "ssh_sessions": now.used.ssh_sessions or 0,
    }


def _cpu_percent(now: Reading, before: Reading | None) -> float | None:
    if before is None or now.used.cpu_seconds is None or before.used.cpu_seconds is None:
        return None
    seconds, used = now.at - before.at, now.used.cpu_seconds - before.used.cpu_seconds
    if seconds < _SHORTEST_SECONDS or used < 0:  # it was started anew
        return None
    return round(100 * used / seconds, 2)
