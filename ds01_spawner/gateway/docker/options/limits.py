"""Limits that a client asks for: below the person's own they hold, above they are refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.adapters.docker_engine.figures import CPU_PERIOD, MIN_CPU_QUOTA
from ds01_spawner.domain.errors import InvalidRequest, QuotaExceeded
from ds01_spawner.domain.limits import Limits, least
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.units import amount_in_words, format_size
from ds01_spawner.gateway.docker.reading.go_json import Fields

_NANO = 10**9
_PERIODS = range(1_000, 1_000_001)
_MIN_MEMORY = 6 * 1024**2
"""The least that the engine takes."""

_OPTIONS = {
    "Memory": "--memory",
    "MemorySwap": "--memory-swap",
    "MemoryReservation": "--memory-reservation",
    "ShmSize": "--shm-size",
    "PidsLimit": "--pids-limit",
    "BlkioDeviceReadBps": "--device-read-bps",
    "BlkioDeviceWriteBps": "--device-write-bps",
}

_SHARES = range(2, 1025)
_WEIGHTS = range(10, 501)
_CPUS = re.compile(r"^\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class AskedLimits:
    """What a client wants a container bounded to; `None` is the person's own limit.

    Attributes:
        cpus: CPUs.
        memory_bytes: Memory.
        memory_swap_bytes: Memory plus swap.
        shm_size_bytes: `/dev/shm`.
        pids_limit: Processes and threads.
        io_read_bps: Bytes a second read from disk, of whatever device was named.
        io_write_bps: Bytes a second written.
        kept: What only narrows, in the engine's words: CPU sets, shares, weights.
    """

    cpus: float | None = None
    memory_bytes: int | None = None
    memory_swap_bytes: int | None = None
    shm_size_bytes: int | None = None
    pids_limit: int | None = None
    io_read_bps: int | None = None
    io_write_bps: int | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


def asked_limits(host: Fields) -> AskedLimits:
    """The limits in a `HostConfig`, or in the body of an update.

    Raises:
        InvalidRequest: One makes no sense.
    """
    memory = _amount(host, "Memory", _MIN_MEMORY)
    asked = AskedLimits(
        cpus=_cpus(host),
        memory_bytes=memory,
        memory_swap_bytes=_amount(host, "MemorySwap"),
        shm_size_bytes=_amount(host, "ShmSize"),
        pids_limit=_amount(host, "PidsLimit"),
        io_read_bps=_rate(host, "BlkioDeviceReadBps"),
        io_write_bps=_rate(host, "BlkioDeviceWriteBps"),
        kept=_kept(host, memory),
    )
    swap = asked.memory_swap_bytes
    if swap is not None and (memory is None or swap < memory):
        raise InvalidRequest(
            "--memory-swap counts memory and swap together, so it needs --memory and is not less.",
            "Leave --memory-swap out, or ask for at least as much as --memory.",
        )
    return asked


def check_limits(asked: AskedLimits, limits: Limits) -> None:
    """Return when everything asked for is within the person's limits.

    Raises:
        QuotaExceeded: Something is not; says which, how much, and what may be asked for.
    """
    cpus = least(limits.max_cpus, limits.aggregate.cpus)
    _check("max_cpus", "{} CPUs", asked.cpus, cpus, f"--cpus {cpus:g}" if cpus else "")
    for key, what, option, amount, allowed in (
        ("memory", "{} of memory", "--memory", asked.memory_bytes, limits.memory_bytes),
        (
            "memory",
            "{} of memory in reserve",
            "--memory-reservation",
            asked.kept.get("MemoryReservation"),
            limits.memory_bytes,
        ),
        (
            "memory_swap",
            "{} of memory and swap",
            "--memory-swap",
            asked.memory_swap_bytes,
            limits.memory_swap_bytes,
        ),
        ("shm_size", "{} of shared memory", "--shm-size", asked.shm_size_bytes, _shm(limits)),
        ("pids_limit", "{} processes", "--pids-limit", asked.pids_limit, limits.pids_limit),
        (
            "io_read_bps",
            "{} read a second",
            "--device-read-bps",
            asked.io_read_bps,
            limits.io_read_bps,
        ),
        (
            "io_write_bps",
            "{} written a second",
            "--device-write-bps",
            asked.io_write_bps,
            limits.io_write_bps,
        ),
    ):
        plain = key == "pids_limit"
        spelled = allowed if plain else format_size(allowed or 0)
        _check(key, what, amount, allowed, f"{option} {spelled}", in_bytes=not plain)


def _cpus(host: Fields) -> float | None:
    nano = host.number("NanoCpus") or 0
    period = host.number("CpuPeriod") or 0
    quota = host.number("CpuQuota") or 0
    if nano < 0 or period < 0 or (period and period not in _PERIODS):
        raise InvalidRequest(
            f"{nano or period} is not a possible number of CPUs, or period of them.",
            "Ask with --cpus, such as --cpus 2.5.",
        )
    if nano and (period or quota):
        raise InvalidRequest(
            "CPUs are asked for in two ways: --cpus, and --cpu-quota or --cpu-period.",
            "Use --cpus alone.",
        )
    if nano:
        return nano / _NANO
    if quota <= 0:
        return None
    if quota < MIN_CPU_QUOTA:
        raise InvalidRequest(
            f"A CPU quota of {quota} is less than the kernel's least, {MIN_CPU_QUOTA}.",
            "Ask with --cpus, such as --cpus 0.5.",
        )
    return quota / (period or CPU_PERIOD)


def _amount(host: Fields, name: str, least: int = 1) -> int | None:
    value = host.number(name) or 0
    if value in {0, -1}:
        return None
    if value < least:
        option = _OPTIONS[name]
        least_said = format_size(least) if least > 1 else least
        raise InvalidRequest(f"{option} {value} is too little; ask for {least_said} or more.")
    return value


def _rate(host: Fields, name: str) -> int | None:
    """The least of the rates: the platform bounds the disk that it knows, not the one named."""
    rates: list[int] = []
    for entry in host.each(name):
        entry.drop("Path")
        rate = entry.number("Rate") or 0
        entry.finish()
        if rate < 0:
            raise InvalidRequest(f"{_OPTIONS[name]} {rate} is too little; ask for 1mb or more.")
        rates += [rate] if rate else []
    return min(rates, default=None)


def _kept(host: Fields, memory: int | None) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in ("CpusetCpus", "CpusetMems"):
        if text := host.text(name).replace(" ", ""):
            if not _CPUS.match(text):
                raise InvalidRequest(
                    f"{name} cannot be {shown(text)}.", "Use numbers and ranges, such as 0-3,6."
                )
            kept[name] = text
    for name, option, allowed in (
        ("CpuShares", "--cpu-shares", _SHARES),
        ("BlkioWeight", "--blkio-weight", _WEIGHTS),
    ):
        if value := host.number(name):
            kept[name] = _within(option, value, allowed)
    reservation = _amount(host, "MemoryReservation", _MIN_MEMORY)
    if reservation is not None:
        if memory is not None and reservation > memory:
            raise InvalidRequest("--memory-reservation is more than --memory.", "Ask for less.")
        kept["MemoryReservation"] = reservation
    swappiness = host.number("MemorySwappiness")
    if swappiness not in {None, -1}:
        kept["MemorySwappiness"] = _within("--memory-swappiness", swappiness or 0, range(101))
    return kept


def _within(option: str, value: int, allowed: Sequence[int]) -> int:
    if value not in allowed:
        raise InvalidRequest(
            f"{option} {value} is not possible here.",
            f"Use {allowed[0]} to {allowed[-1]}, or leave it out.",
        )
    return value


def _check(  # noqa: PLR0913 - the parts of one sentence
    key: str,
    what: str,
    asked: float | None,
    allowed: float | None,
    option: str,
    *,
    in_bytes: bool = False,
) -> None:
    if asked is None or allowed is None or asked <= allowed:
        return
    say = amount_in_words if in_bytes else "{:g}".format
    raise QuotaExceeded(
        f"You asked for {what.format(say(asked))}; your limit is {say(allowed)} per container.",
        f"Ask for {option} or less, or leave it out.",
        limit=key,
        used=0,
        asked=asked,
        allowed=allowed,
    )


def _shm(limits: Limits) -> int | None:
    """Shared memory is memory, so that bounds it where nothing else does."""
    return limits.shm_size_bytes if limits.shm_size_bytes is not None else limits.memory_bytes
