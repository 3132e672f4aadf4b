"""Every door that a machine may have, in the order in which they are shown."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ds01_spawner.domain.keeper import SYSTEMD, Keeper
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.operations.doors.kinds import Door, GroupDoor, SettingDoor, SocketDoor
from ds01_spawner.operations.doors.nodes import NodesLook
from ds01_spawner.operations.doors.own import IsolationDoor, ProfileDoor, ToldDoor
from ds01_spawner.policy.pip_settings import FILES, pip_settings
from ds01_spawner.ports.doors import (
    EngineSetup,
    GatewaySocket,
    GroupDatabase,
    Nodes,
    ServicePorts,
    SystemFiles,
)

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
_RUNC_FIXED = (1, 1, 12)
_DEBIAN_FIXED = re.compile(r"^1\.1\.5\+ds1-1\+deb12u[1-9]|^1\.0\.0~rc93\+ds1-5\+deb11u[3-9]")
"""https://security-tracker.debian.org/tracker/CVE-2024-21626"""

_NVIDIA = "nvidia"
_ROOT_BY = "Whoever is in it is root on this machine"
_GROUPS = {
    "docker": f"{_ROOT_BY}: docker run -v /:/host, past every limit and the audit log.",
    "lxd": f"{_ROOT_BY}, by a privileged container of LXD.",
    "incus-admin": f"{_ROOT_BY}, by a privileged container of Incus.",
    "libvirt": f"{_ROOT_BY}, by a virtual machine with the host's disks.",
    "disk": f"{_ROOT_BY}, by writing to its disks.",
}
_ROOTS = frozenset({"root", *_GROUPS})
_SOCKETS = {
    "docker-socket": "/run/docker.sock",
    "containerd-socket": "/run/containerd/containerd.sock",
    "docker-containerd-socket": "/run/docker/containerd/containerd.sock",
    "buildkit-socket": "/run/buildkit/buildkitd.sock",
    "podman-socket": "/run/podman/podman.sock",
    "crio-socket": "/run/crio/crio.sock",
    "lxd-socket": "/var/snap/lxd/common/lxd/unix.socket",
    "incus-socket": "/var/lib/incus/unix.socket",
    "libvirt-socket": "/run/libvirt/libvirt-sock",
}
_SOCKET_WHY = "Who may write to an engine's socket is root on this machine."


@dataclass(frozen=True, slots=True)
class Machine:
    """What doors are on.

    Attributes:
        groups: Unix groups.
        nodes: Sockets and devices.
        engine: The engine's configuration.
        files: Text files of the system.
        gateway: Where people reach the gateway.
        isolation: The fence around containers.
        ports: Where tokens are sent to.
        granted: User ids that may use the GPUs outside of containers.
        keeper: Who runs the services.
    """

    groups: GroupDatabase
    nodes: Nodes
    engine: EngineSetup
    files: SystemFiles
    gateway: GatewaySocket
    isolation: Isolation
    ports: ServicePorts
    granted: Callable[[], Collection[int]] = frozenset
    keeper: Keeper = SYSTEMD


def doors_of(machine: Machine) -> tuple[Door, ...]:
    """Every door that a machine may have, in the order in which they are shown."""
    return (
        *(GroupDoor(group, why, machine.groups) for group, why in _GROUPS.items()),
        *(
            SocketDoor(name, path, _SOCKET_WHY, machine.nodes, _ROOTS)
            for name, path in _SOCKETS.items()
        ),
        _tcp(machine.engine),
        _default_runtime(machine.engine),
        _live_restore(machine.engine),
        _runc(machine.engine),
        ToldDoor(
            "gateway",
            "Without it, people have no Docker at all.",
            lambda: _gateway(machine.gateway, machine.keeper),
        ),
        ProfileDoor(machine.files, machine.gateway),
        IsolationDoor(machine.isolation),
        ToldDoor(
            "pip-password",
            "Everybody who is logged in can read it there. Builds are given the address without"
            " it, and fail where the index asks for it.",
            lambda: _pip(machine.files),
        ),
        ToldDoor(
            "service-ports",
            "Whoever listens there while the service is down is sent people's tokens, and the"
            " services' own.",
            lambda: _ports(machine.ports),
        ),
        ToldDoor(
            "gpu-devices",
            "A program outside any container uses a GPU that nobody gave it.",
            NodesLook(machine.nodes, machine.groups, machine.files, machine.granted),
        ),
    )


def _tcp(engine: EngineSetup) -> Door:
    def found() -> tuple[bool, str, str] | None:
        addresses = engine.facts().tcp
        told = f"The engine listens on {', '.join(addresses)}." if addresses else ""
        by_hand = (
            "Take the addresses out of daemon.json (hosts) or of the engine's command line"
            " (systemctl edit docker), and restart the engine."
        )
        return bool(addresses), told or "The engine does not listen on TCP.", by_hand

    return ToldDoor("engine-tcp", "Who reaches that address is root on this machine.", found)


def _default_runtime(engine: EngineSetup) -> Door:
    def found() -> tuple[bool, str]:
        runtime = engine.facts().default_runtime
        return runtime == _NVIDIA, f"The engine's default runtime is {runtime or 'not known'}."

    return SettingDoor(
        name="default-runtime",
        key="default-runtime",
        wanted=None,
        why="With nvidia as the default, an image that says NVIDIA_VISIBLE_DEVICES=all gets every"
        " GPU, whoever starts it past the platform. GPUs that are asked for work without it.",
        engine=engine,
        found=found,
        effect="default-runtime is removed, and the running engine reads its file anew (SIGHUP)."
        " Containers that run are not touched.",
    )


def _live_restore(engine: EngineSetup) -> Door:
    def found() -> tuple[bool, str]:
        on = engine.facts().live_restore
        state = {True: "on", False: "off", None: "not known"}[on]
        return on is not True, f"live-restore is {state}."

    return SettingDoor(
        name="live-restore",
        key="live-restore",
        wanted=True,
        why="Without it, an update or a crash of the engine ends everybody's work.",
        engine=engine,
        found=found,
        effect="live-restore is set to true, and the running engine reads its file anew (SIGHUP).",
    )


def _runc(engine: EngineSetup) -> Door:
    def found() -> tuple[bool, str, str] | None:
        version = engine.facts().runc
        told = _VERSION.match(version)
        if told is None:  # a bare commit says nothing
            return None
        if tuple(map(int, told.groups())) >= _RUNC_FIXED or _DEBIAN_FIXED.search(version):
            return False, f"The engine's runc is {version}.", ""
        by_hand = (
            "Update it. Distributions repair older versions: if its changelog names CVE-2024-21626,"
            " all is well."
        )
        return True, f"The engine's runc is {version}, before 1.1.12.", by_hand

    return ToldDoor(
        "runc",
        "Before 1.1.12, an image or a step of a build may begin in a folder of the server that runc"
        " left open (CVE-2024-21626).",
        found,
    )


def _pip(files: SystemFiles) -> tuple[bool, str, str] | None:
    found = {path: pip_settings([files.read(path) or ""], {}) for path in FILES}
    if not any(each.settings or each.withheld for each in found.values()):
        return None
    told = [
        f"{', '.join(each.withheld)} in {path}" for path, each in found.items() if each.withheld
    ]
    if not told:
        return False, "pip's settings of the server hold no password.", ""
    return (
        True,
        f"There is a password, or no plain address: {'; '.join(told)}.",
        "Name a mirror that asks for none, or that knows the server by its address.",
    )


def _gateway(gateway: GatewaySocket, keeper: Keeper) -> tuple[bool, str, str]:
    if gateway.answers():
        return False, f"The gateway answers at {gateway.path}.", ""
    return True, f"Nothing answers at {gateway.path}.", keeper.start("ds01-gateway")


def _ports(ports: ServicePorts) -> tuple[bool, str, str] | None:
    found = ports.look()
    if not found:
        return None
    taken = [
        f"Port {each.port}, {each.name}, is held by the user {uid}, not by root."
        for each in found
        for uid in each.holders
        if uid != 0
    ]
    anybodys = [f"{each.port} ({each.name})" for each in found if not each.is_roots]
    if anybodys:
        taken.append(f"Everybody here may listen on {', '.join(anybodys)} while nobody does.")
    if not taken:
        held = ", ".join(f"{each.port} ({each.name})" for each in found)
        return False, f"Only root may listen on {held}.", ""
    return True, " ".join(taken), 'Take ports below 1024: docs/hub.md, "Ports".'
