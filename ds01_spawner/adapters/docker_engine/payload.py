"""What Docker is told about a container: from a `ContainerSpec` to the body of its request.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate
"""

import re
from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.grant import GPU_VARIABLE, NO_GPU

_PLATFORM_ONLY = frozenset(
    {
        GPU_VARIABLE,
        "NVIDIA_IMEX_CHANNELS",
        "NVIDIA_MIG_CONFIG_DEVICES",
        "NVIDIA_MIG_MONITOR_DEVICES",
    }
)
_HOSTNAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")
_UNBOUNDED_SHM = 1024**4
_CPU_PERIOD = 100_000
_MIN_CPU_QUOTA = 1_000
_OOM_SCORE = 500
"""The kernel, short of memory, ends a person's process before the hub's or the engine's."""


def container_payload(spec: ContainerSpec) -> dict[str, Any]:
    """The body of `POST /containers/create` for `spec`."""
    payload: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": _environment(spec),
        "ExposedPorts": {f"{port}/tcp": {} for port in spec.exposed_ports},
        "HostConfig": _host_config(spec),
        "NetworkingConfig": {"EndpointsConfig": {spec.network: {}}},
    }
    if spec.user is not None:
        payload["User"] = spec.user
    if spec.command is not None:
        payload["Cmd"] = list(spec.command)
    if spec.working_dir is not None:
        payload["WorkingDir"] = spec.working_dir
    if spec.hostname is not None and _HOSTNAME.match(spec.hostname):
        payload["Hostname"] = spec.hostname
    return payload


def _environment(spec: ContainerSpec) -> list[str]:
    given: Mapping[str, str] = {
        name: value for name, value in spec.environment.items() if name not in _PLATFORM_ONLY
    }
    devices = ",".join(spec.gpu_uuids) or NO_GPU
    return [f"{name}={value}" for name, value in given.items()] + [f"{GPU_VARIABLE}={devices}"]


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
        "SecurityOpt": list(spec.security_opt),
        "GroupAdd": [str(gid) for gid in spec.group_add],
        "Init": spec.use_init,
        "OomScoreAdj": _OOM_SCORE,
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(spec.log_max_bytes), "max-file": "1"},
        },
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "DeviceRequests": _device_requests(spec),
        **_limits(spec),
    }


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    # Docker gives 64 MiB when nothing is said. What lies in /dev/shm counts as the container's
    # memory, so the memory limit bounds it where nothing else does.
    limits: dict[str, Any] = {"ShmSize": spec.shm_size_bytes or spec.memory_bytes or _UNBOUNDED_SHM}
    if spec.cpus is not None:
        # As a quota and not as NanoCpus, which Docker refuses beyond the host's own CPUs.
        limits["CpuPeriod"] = _CPU_PERIOD
        limits["CpuQuota"] = max(_MIN_CPU_QUOTA, round(spec.cpus * _CPU_PERIOD))
    if spec.memory_bytes is not None:
        limits["Memory"] = spec.memory_bytes
        # Memory plus swap cannot be less than memory: Docker refuses it. Without a value Docker
        # allows twice the memory; -1 is "no limit".
        swap = spec.memory_swap_bytes
        limits["MemorySwap"] = -1 if swap is None else max(swap, spec.memory_bytes)
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
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.kind == "bind":
        described["BindOptions"] = {"Propagation": "rprivate"}
    return described


def _device_requests(spec: ContainerSpec) -> list[dict[str, Any]]:
    if not spec.gpu_uuids or not spec.use_device_requests:
        return []
    return [{"Driver": "nvidia", "DeviceIDs": list(spec.gpu_uuids), "Capabilities": [["gpu"]]}]
