"""What Docker is told about a container: from a `ContainerSpec` to the body of its request.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ds01_spawner.adapters.docker_engine.figures import cpu_figures, memory_figures, shm_figures
from ds01_spawner.adapters.docker_engine.group_file import MASKED_PATHS, is_of_host
from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.grant import GPU_VARIABLE, NO_GPU

_PLATFORM_ONLY = frozenset(
    {
        GPU_VARIABLE,
        "NVIDIA_GDRCOPY",
        "NVIDIA_GDS",
        "NVIDIA_IMEX_CHANNELS",
        "NVIDIA_MIG_CONFIG_DEVICES",
        "NVIDIA_MIG_MONITOR_DEVICES",
        "NVIDIA_MOFED",
        "NVIDIA_NVSWITCH",
    }
)
"""Variables by which NVIDIA's runtime gives devices, or leave to set them up."""

_HOSTNAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")
_OOM_SCORE = 500
"""The kernel, short of memory, ends a person's process before the hub's or the engine's."""


class Winner(StrEnum):
    """Whose word counts where `ContainerSpec.wishes` says something."""

    WISH = "wish"
    """The platform has no more than a default."""

    PLATFORM = "platform"
    """The wish counts where the platform says nothing."""

    BOTH = "both"
    """They are put together; at one place the platform's stands."""


CONFIG_WINNERS: Mapping[str, Winner] = MappingProxyType(
    {
        "AttachStdin": Winner.WISH,
        "AttachStdout": Winner.WISH,
        "AttachStderr": Winner.WISH,
        "Domainname": Winner.WISH,
        "Entrypoint": Winner.WISH,
        "Healthcheck": Winner.WISH,
        "OpenStdin": Winner.WISH,
        "Shell": Winner.WISH,
        "StdinOnce": Winner.WISH,
        "StopSignal": Winner.WISH,
        "StopTimeout": Winner.WISH,
        "Tty": Winner.WISH,
        "Cmd": Winner.PLATFORM,
        "Hostname": Winner.PLATFORM,
        "WorkingDir": Winner.PLATFORM,
        "Env": Winner.BOTH,
        "ExposedPorts": Winner.BOTH,
    }
)
"""Every field beside `HostConfig` that may be wished for; others are not heeded."""

HOST_WINNERS: Mapping[str, Winner] = MappingProxyType(
    {
        "AutoRemove": Winner.WISH,
        "BlkioWeight": Winner.WISH,
        "CpuShares": Winner.WISH,
        "CpusetCpus": Winner.WISH,
        "CpusetMems": Winner.WISH,
        "Dns": Winner.WISH,
        "DnsOptions": Winner.WISH,
        "DnsSearch": Winner.WISH,
        "ExtraHosts": Winner.WISH,
        "IpcMode": Winner.WISH,
        "LogConfig": Winner.WISH,
        "MemoryReservation": Winner.WISH,
        "MemorySwappiness": Winner.WISH,
        "PortBindings": Winner.WISH,
        "ReadonlyRootfs": Winner.WISH,
        "RestartPolicy": Winner.WISH,
        "Tmpfs": Winner.WISH,
        "Ulimits": Winner.WISH,
    }
)
"""Every field of `HostConfig` that may be wished for. What is not here, such as `Privileged`,
`CapDrop`, `Memory` or `Mounts`, is the platform's alone."""


def container_payload(spec: ContainerSpec) -> dict[str, Any]:
    """The body of `POST /containers/create` for `spec`."""
    payload: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "ExposedPorts": {f"{port}/tcp": {} for port in spec.exposed_ports},
    }
    if spec.user is not None:
        payload["User"] = spec.user
    if spec.command is not None:
        payload["Cmd"] = list(spec.command)
    if spec.working_dir is not None:
        payload["WorkingDir"] = spec.working_dir
    if spec.hostname is not None and _HOSTNAME.match(spec.hostname):
        payload["Hostname"] = spec.hostname
    merged = _merged(payload, spec.wishes, CONFIG_WINNERS)
    return {
        **merged,
        "Env": _environment(spec),
        "HostConfig": _merged(_host_config(spec), spec.wishes.get("HostConfig", {}), HOST_WINNERS),
        **_networking(spec),
    }


def unset_by_image(environment: Iterable[str]) -> list[str]:
    """Entries of `Env` that take out of an image's environment what could give devices.

    A name without a value unsets the image's variable.

    Args:
        environment: The image's `Env`.
    """
    names = {entry.partition("=")[0] for entry in environment}
    return sorted((names & _PLATFORM_ONLY) - {GPU_VARIABLE})


def _merged(
    platform: Mapping[str, Any], wishes: Mapping[str, Any], winners: Mapping[str, Winner]
) -> dict[str, Any]:
    merged = dict(platform)
    for name, wish in wishes.items():
        match winners.get(name):
            case Winner.WISH:
                merged[name] = wish
            case Winner.PLATFORM:
                merged.setdefault(name, wish)
            case Winner.BOTH if isinstance(wish, Mapping):
                merged[name] = {**wish, **merged.get(name, {})}
    return merged


def _networking(spec: ContainerSpec) -> dict[str, Any]:
    """Settings for the one network that a container starts on; none of its own has none."""
    if spec.network == "none" or spec.network.startswith("container:"):
        return {}
    wished = spec.wishes.get("NetworkingConfig", {}).get("EndpointsConfig", {})
    return {"NetworkingConfig": {"EndpointsConfig": {spec.network: wished.get(spec.network, {})}}}


def _environment(spec: ContainerSpec) -> list[str]:
    own = {name: value for name, value in spec.environment.items() if name not in _PLATFORM_ONLY}
    own[GPU_VARIABLE] = ",".join(spec.gpu_uuids) or NO_GPU
    wished = [
        entry
        for entry in spec.wishes.get("Env", ())
        if (name := entry.partition("=")[0]) not in own and name not in _PLATFORM_ONLY
    ]
    return wished + [f"{name}={value}" for name, value in own.items()]


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "CgroupParent": spec.cgroup_parent,
        "NetworkMode": spec.network,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyRootfs": False,
        "AutoRemove": False,
        "RestartPolicy": {"Name": "no"},
        "CapDrop": list(spec.cap_drop),
        **({"CapAdd": list(spec.cap_add)} if spec.cap_add else {}),
        "SecurityOpt": list(spec.security_opt),
        "GroupAdd": [str(gid) for gid in spec.group_add],
        "Init": spec.use_init,
        "OomScoreAdj": _OOM_SCORE,
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(spec.log_max_bytes), "max-file": "1"},
        },
        "Mounts": [_mount(mount) for mount in spec.mounts],
        **({"MaskedPaths": list(MASKED_PATHS)} if any(map(is_of_host, spec.mounts)) else {}),
        "DeviceRequests": _device_requests(spec),
        **_limits(spec),
    }


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    limits: dict[str, Any] = {**shm_figures(spec.shm_size_bytes, spec.memory_bytes)}
    if spec.cpus is not None:
        limits |= cpu_figures(spec.cpus)
    if spec.memory_bytes is not None:
        limits |= memory_figures(spec.memory_bytes, spec.memory_swap_bytes)
    if spec.pids_limit is not None:
        limits["PidsLimit"] = spec.pids_limit
    if spec.io_device is not None:
        if spec.io_read_bps is not None:
            limits["BlkioDeviceReadBps"] = [{"Path": spec.io_device, "Rate": spec.io_read_bps}]
        if spec.io_write_bps is not None:
            limits["BlkioDeviceWriteBps"] = [{"Path": spec.io_device, "Rate": spec.io_write_bps}]
    return limits


def _mount(mount: Mount) -> dict[str, Any]:
    described: dict[str, Any] = {
        "Type": mount.kind,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.source:
        described["Source"] = mount.source
    if mount.kind == "bind":
        described["BindOptions"] = {"Propagation": "rprivate"}
    elif mount.no_copy or mount.labels:
        described["VolumeOptions"] = {"NoCopy": mount.no_copy, "Labels": dict(mount.labels)}
    return described


def _device_requests(spec: ContainerSpec) -> list[dict[str, Any]]:
    if not spec.gpu_uuids or not spec.use_device_requests:
        return []
    return [{"Driver": "nvidia", "DeviceIDs": list(spec.gpu_uuids), "Capabilities": [["gpu"]]}]
