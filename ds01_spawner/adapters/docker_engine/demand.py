"""Which GPUs a container was given, read from what the engine says about it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ds01_spawner.domain.container import DeviceDemand
from ds01_spawner.domain.grant import GPU_VARIABLE, NO_GPU

PLAIN_RUNTIMES = frozenset(
    {"runc", "crun", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux"}
)
"""Runtimes that give no device for an environment variable; any other may be NVIDIA's."""

_DEVICE_NODE = re.compile(r"^/dev/nvidia(\d+)$")
_CDI_NVIDIA = re.compile(r"^nvidia\.com/[a-z]*gpu=(?P<gpu>.+)$|^nvidia\.com/mig=(?P<mig>.+)$")
_VOLUME_DEVICES = "/var/run/nvidia-container-devices/"
_DEVICE_SOURCE = "/dev/null"
_NO_DEVICES = frozenset({"", "none", NO_GPU})
_ALL = "all"


def demand_of(inspected: Mapping[str, Any], *, ours: bool) -> DeviceDemand:
    """The GPUs that the engine gave a container, by any of the ways there are.

    Device requests (`--gpus`), CDI names, device nodes, and NVIDIA's environment variable. CUDA
    images carry `NVIDIA_VISIBLE_DEVICES=all` for everybody, so the variable counts only where a
    runtime may heed it, or where the platform itself wrote it (`ours`).

    Args:
        inspected: The answer of `GET /containers/{id}/json`.
        ours: Whether it carries the platform's labels.
    """
    host = inspected.get("HostConfig") or {}
    names: list[str] = []
    count = 0
    for request in host.get("DeviceRequests") or ():
        asked = _requested(request)
        names += asked
        if asked or _is_nvidia(request):
            requested = int(request.get("Count") or 0)
            count = -1 if -1 in {count, requested} else max(count, requested)
    for device in host.get("Devices") or ():
        if match := _DEVICE_NODE.match(device.get("PathOnHost") or ""):
            names.append(match[1])
    is_plain = host.get("Runtime") in PLAIN_RUNTIMES
    if not is_plain:
        names += _from_mounts(inspected.get("Mounts") or ())
    if ours or not is_plain:
        names += _from_environment((inspected.get("Config") or {}).get("Env") or ())
    return _demand(names, count)


def _requested(request: Mapping[str, Any]) -> list[str]:
    ids = [str(device) for device in request.get("DeviceIDs") or ()]
    if request.get("Driver") == "cdi":
        matches = (_CDI_NVIDIA.match(device) for device in ids)
        return [match["gpu"] or match["mig"] for match in matches if match]
    return ids if _is_nvidia(request) else []


def _is_nvidia(request: Mapping[str, Any]) -> bool:
    if request.get("Driver") == "nvidia":
        return True
    wanted = {capability for either in request.get("Capabilities") or () for capability in either}
    return not request.get("Driver") and bool(wanted & {"gpu", "nvidia"})


def _from_mounts(mounts: Iterable[Mapping[str, Any]]) -> list[str]:
    """NVIDIA's runtime takes /dev/null mounted there for a wish; images may have volumes there.

    https://github.com/NVIDIA/nvidia-container-toolkit (image.CUDA.VisibleDevicesFromMounts)
    """
    return [
        target.removeprefix(_VOLUME_DEVICES)
        for mount in mounts
        if (target := mount.get("Destination") or "").startswith(_VOLUME_DEVICES)
        and mount.get("Source") == _DEVICE_SOURCE
    ]


def _from_environment(environment: Iterable[str]) -> list[str]:
    variables = dict(entry.partition("=")[::2] for entry in environment)
    visible = variables.get(GPU_VARIABLE)
    if visible is None:
        # The runtime gives old CUDA images everything:
        # https://github.com/NVIDIA/nvidia-container-toolkit (image.CUDA.IsLegacy)
        legacy = variables.get("CUDA_VERSION") and not variables.get("NVIDIA_REQUIRE_CUDA")
        return [_ALL] if legacy else []
    return [] if visible in _NO_DEVICES else [part.strip() for part in visible.split(",")]


def _demand(names: Iterable[str], count: int) -> DeviceDemand:
    unique = [name for name in dict.fromkeys(names) if name not in _NO_DEVICES]
    if _ALL in unique:
        count = -1
    return DeviceDemand(
        uuids=tuple(name for name in unique if name.startswith(("GPU-", "MIG-"))),
        indices=tuple(
            name for name in unique if not name.startswith(("GPU-", "MIG-")) and name != _ALL
        ),
        count=count,
    )
