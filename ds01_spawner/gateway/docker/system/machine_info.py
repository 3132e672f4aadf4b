"""What `docker info` and `docker version` tell a person about the machine. Pure: JSON to JSON.

An allow-list: what a newer engine tells beyond it stays with the engine.
"""

from collections.abc import Iterable, Mapping
from typing import Any

_KEPT = (
    "ID",
    "Name",
    "ServerVersion",
    "OperatingSystem",
    "OSVersion",
    "OSType",
    "Architecture",
    "KernelVersion",
    "NCPU",
    "MemTotal",
    "SystemTime",
    "Driver",
    "DriverStatus",
    "LoggingDriver",
    "CgroupDriver",
    "CgroupVersion",
    "DockerRootDir",
    "SecurityOptions",
    "IndexServerAddress",
    "DefaultRuntime",
    "InitBinary",
    "ContainerdCommit",
    "RuncCommit",
    "InitCommit",
    "LiveRestoreEnabled",
    "Isolation",
    "MemoryLimit",
    "SwapLimit",
    "KernelMemory",
    "KernelMemoryTCP",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "PidsLimit",
    "OomKillDisable",
    "IPv4Forwarding",
    "BridgeNfIptables",
    "BridgeNfIp6tables",
)
_RUNTIMES = ("runc", "nvidia")
_NETWORK_DRIVERS = frozenset({"bridge", "null"})
_VOLUME_DRIVERS = frozenset({"local"})
_NO_SWARM = {
    "NodeID": "",
    "NodeAddr": "",
    "LocalNodeState": "inactive",
    "ControlAvailable": False,
    "Error": "",
    "RemoteManagers": None,
}


def info_for(engine: Mapping[str, Any], states: Iterable[str], image_count: int) -> dict[str, Any]:
    """`GET /info` as one person sees it.

    The machine's figures are the machine's. Warnings, proxies, mirrors, labels of the engine and
    who else listens are its administrator's.

    Args:
        engine: The engine's answer.
        states: State of each of the person's containers, as lists show it.
        image_count: How many images the person sees.
    """
    found = list(states)
    running, paused = found.count("running"), found.count("paused")
    return {
        **{key: engine[key] for key in _KEPT if key in engine},
        "Containers": len(found),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(found) - running - paused,
        "Images": image_count,
        "Plugins": _plugins(engine.get("Plugins") or {}),
        "Runtimes": _runtimes(engine.get("Runtimes") or {}),
        "Swarm": dict(_NO_SWARM),
        "RegistryConfig": None,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Labels": [],
        "Debug": False,
        "ExperimentalBuild": False,
        "Warnings": [],
    }


def version_for(engine: Mapping[str, Any], oldest: str, newest: str) -> dict[str, Any]:
    """`GET /version`, with API versions from `oldest` to `newest` only."""
    shown = dict(engine)
    shown["ApiVersion"] = older_version(str(engine.get("ApiVersion") or newest), newest)
    least = str(engine.get("MinAPIVersion") or oldest)
    shown["MinAPIVersion"] = least if older_version(least, oldest) == oldest else oldest
    shown["Components"] = [_component(each, shown) for each in engine.get("Components") or ()]
    return shown


def older_version(first: str, second: str) -> str:
    """The older of two API versions, such as `1.41` and `1.9`."""
    return min(first, second, key=_version_key)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def _component(component: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    details = component.get("Details") or {}
    versions = {key: shown[key] for key in ("ApiVersion", "MinAPIVersion") if key in details}
    return {**component, "Details": {**details, **versions}} if versions else dict(component)


def _plugins(plugins: Mapping[str, Any]) -> dict[str, Any]:
    volume, network = plugins.get("Volume") or (), plugins.get("Network") or ()
    return {
        "Volume": [name for name in volume if name in _VOLUME_DRIVERS],
        "Network": [name for name in network if name in _NETWORK_DRIVERS],
        "Authorization": None,
        "Log": ["json-file"],
    }


def _runtimes(runtimes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"path": (runtimes[name] or {}).get("path", name)}
        for name in _RUNTIMES
        if name in runtimes
    }
