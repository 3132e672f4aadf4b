"""Bounds that a container's processes set on themselves: which may be asked for, and how high."""

from typing import Any

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.reading.go_json import Fields

_HARD_CAPS: dict[str, int | None] = {
    "nofile": 1024**2,
    "nproc": 65536,
    "msgqueue": 819_200,
    "sigpending": 65536,
    # Bounded by the container's memory and CPU anyhow; NVIDIA asks for memlock=-1.
    **dict.fromkeys(
        ("memlock", "stack", "core", "data", "rss", "as", "fsize", "cpu", "locks", "rttime")
    ),
    # Real-time and negative nice values take the CPUs from everybody.
    "rtprio": 0,
    "nice": 0,
}
"""The largest value of each; `None`: any, -1 (no bound) too."""


def asked_ulimits(fields: Fields) -> list[dict[str, Any]]:
    """The `Ulimits` that are asked for, in the engine's words.

    Raises:
        Forbidden: One is too high.
        InvalidRequest: There is no such.
    """
    return [_ulimit(each) for each in fields.each("Ulimits")]


def _ulimit(fields: Fields) -> dict[str, Any]:
    name = fields.text("Name").lower()
    soft, hard = fields.number("Soft") or 0, fields.number("Hard") or 0
    fields.finish()
    if name not in _HARD_CAPS:
        raise InvalidRequest(f"There is no ulimit {shown(name)}.", "Use one such as nofile.")
    most = _HARD_CAPS[name]
    if most is not None and not 0 <= min(soft, hard) <= max(soft, hard) <= most:
        raise Forbidden(
            f"--ulimit {name}={soft}:{hard} is not possible here.", f"Ask for {most} or less."
        )
    return {"Name": name, "Soft": soft, "Hard": hard}
