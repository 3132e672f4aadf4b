"""What `docker update` may change: bounds up to the person's limits, and the restart policy."""

from typing import Any

from ds01_spawner.adapters.docker_engine.figures import cpu_figures, memory_figures
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.options.forbidden_fields import HOST_REFUSALS, refuse
from ds01_spawner.gateway.docker.options.limits import AskedLimits, asked_limits, check_limits
from ds01_spawner.gateway.docker.options.narrowing import memory_and_swap
from ds01_spawner.gateway.docker.options.process import restart_policy
from ds01_spawner.gateway.docker.reading.go_json import Fields

_UPDATABLE = ("BlkioWeight", "CpuShares", "CpusetCpus", "CpusetMems", "MemoryReservation")


def update_payload(body: bytes, limits: Limits) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body of `POST /containers/{id}/update` for the engine, and what to tell the client.

    "No limit" (-1) leaves a bound as it is.

    Raises:
        Forbidden: Something that cannot be changed.
        QuotaExceeded: More than the person's limits.
        InvalidRequest: Something that makes no sense.
    """
    fields = Fields.of(body)
    refuse(fields, HOST_REFUSALS)
    if fields.each("DeviceRequests"):
        raise Forbidden(
            "GPUs of a container cannot be changed.", "Make a new container with --gpus."
        )
    if fields.each("Ulimits"):
        raise Forbidden("Ulimits of a container cannot be changed.", "Make a new container.")
    asked = asked_limits(fields)
    check_limits(asked, limits)
    policy, told = restart_policy(fields.inner("RestartPolicy"))
    fields.finish()
    if "MemorySwappiness" in asked.kept:
        raise Forbidden(
            "The swappiness of a container cannot be changed.",
            "Make a new container with --memory-swappiness.",
        )
    if asked.shm_size_bytes or asked.io_read_bps or asked.io_write_bps:
        raise Forbidden(
            "Shared memory and disk speed of a container cannot be changed.",
            "Make a new container with --shm-size or --device-read-bps.",
        )
    payload = _bounds(asked, limits)
    if policy is not None:
        payload["RestartPolicy"] = policy
    return payload, told


def _bounds(asked: AskedLimits, limits: Limits) -> dict[str, Any]:
    payload: dict[str, Any] = {
        name: value for name, value in asked.kept.items() if name in _UPDATABLE
    }
    if asked.cpus is not None:
        # As a quota, because the container has one: the engine takes one way of two.
        payload |= cpu_figures(asked.cpus)
    if asked.memory_bytes is not None:
        # The engine wants both at once where the old sum would be less than the new memory.
        _, swap = memory_and_swap(asked, limits.memory_bytes, limits.memory_swap_bytes)
        payload |= memory_figures(asked.memory_bytes, swap)
    if asked.pids_limit is not None:
        payload["PidsLimit"] = asked.pids_limit
    return payload
