"""Limits in words. Pure."""

from collections.abc import Iterable, Mapping

from ds01_spawner.client.models import LimitValue, Usage
from ds01_spawner.domain.wording import size

USAGE = {
    "max_gpu_slots": "GPU slots",
    "max_gpu_equivalents": "GPUs, added up",
    "max_containers_per_user": "containers running",
    "storage": "home and workspace",
    "aggregate.memory": "memory, all containers",
    "aggregate.pids": "processes, all containers",
    "aggregate.cpus": "CPUs, all containers",
}
_BYTES = frozenset({"storage", "aggregate.memory"})


def amount(usage: Usage) -> str:
    """`1 of 2`, `12 GB of 100 GB`, `3 (no limit)`, `32 GB allowed; in use: not known`."""
    used = "not known" if usage.used is None else _figure(usage.limit, usage.used)
    if usage.allowed is None:
        return f"{used} (no limit)"
    allowed = _figure(usage.limit, usage.allowed)
    return (
        f"{used} of {allowed}" if usage.used is not None else f"{allowed} allowed; in use: {used}"
    )


def place_of(limit: LimitValue) -> str:
    """`group student, resource-limits.yaml line 31`, or what is built in."""
    kind, _, group = limit.origin.partition(":")
    who = {
        "user": "your own entry",
        "group": f"group {group}",
        "defaults": "the defaults",
        "builtin": "built in",
    }.get(kind, limit.origin)
    if limit.source is None:
        return who
    path, _, line = limit.source.rpartition(":")
    file = path.replace("\\", "/").rpartition("/")[2]
    return f"{who}, {file} line {line}" if file else f"{who}, {limit.source}"


def sentences(limits: Mapping[str, LimitValue]) -> Iterable[str]:
    """What one container may have, and when it ends."""

    def words(key: str) -> str | None:
        found = limits.get(key)
        return None if found is None or found.value is None else found.words

    parts = [
        f"{found} {one if found == '1' else many}"
        for key, one, many in (
            ("max_gpu_slots_per_container", "GPU slot", "GPU slots"),
            ("max_cpus", "CPU", "CPUs"),
            ("memory", "memory", "memory"),
            ("pids_limit", "process", "processes"),
        )
        if (found := words(key)) is not None
    ]
    if parts:
        yield f"One container has at most: {', '.join(parts)}."
    image = words("max_image_size")
    if image is not None:
        yield f"An image that you build has at most {image}."
    full = limits.get("allow_full_gpu")
    if full is not None and full.value is False:
        yield "Whole GPUs are not for you; parts of one (MIG) are."
    idle, longest = words("idle_timeout"), words("max_runtime")
    if idle is not None:
        yield f"A container that nobody uses stops after {idle}."
    if longest is not None:
        yield f"Every container stops {longest} after its first start."
    if idle is None and longest is None:
        yield "Containers run until you stop them."


def _figure(limit: str, figure: float) -> str:
    return size(round(figure)) if limit in _BYTES else f"{round(figure, 2):g}"
