"""An installation with many running containers, for the benchmark of the lifecycle service."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ds01_spawner.composition import Directories, Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import DEFAULT_SERVER, container_name
from stubs.tiny_image import TINY_IMAGE

PREFIX = "benchlife"
GROUP = "benchlife"
INTERFACES = {
    "thesis-run": Interface.CLI,
    "sweep": Interface.COMPOSE,
    "editor": Interface.DEVCONTAINER,
    "tool": Interface.DOCKER,
}
"""What each person has, by what they call it; the first two have a GPU slot while there are any."""

_SLEEP = ("sleep", "7200")
_PORT = 8888
_WARNED_AFTER = timedelta(hours=20)
_LISTS = "mkdir -p /tmp/{path} && cd /tmp/{path} && echo '[]' > kernels && cp kernels terminals"
_POLICY = f"""
default_group: {GROUP}
defaults:
  idle_timeout: 48h
  max_runtime: 24h
  aggregate: {{cpus: 8, memory: 32g, pids: 8192}}
policies:
  startup_grace: 0s
container_types:
  devcontainer: {{idle_timeout: null, max_runtime: 168h}}
groups:
  {GROUP}: {{priority: 50}}
"""
_GPU_CONFIG = f"""
source: simulated
simulated:
  seed: {PREFIX}
  gpus:
    - {{model: A100-40GB, count: 4, mig: [{", ".join(["1g.5gb"] * 7)}]}}
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One container of the crowd."""

    user: str
    name: str
    interface: Interface
    slots: tuple[Slot, ...]
    began_at: datetime


def people(count: int) -> tuple[str, ...]:
    """So many people."""
    return tuple(f"{PREFIX}{number:02}" for number in range(count))


def installation(folder: Path) -> Platform:
    """A platform with simulated GPUs and a policy."""
    config, state = folder / "config", folder / "state"
    config.mkdir()
    (config / "resource-limits.yaml").write_text(_POLICY)
    (config / "gpu-config.yaml").write_text(_GPU_CONFIG)
    return Platform(Directories(config, state, state / "events.jsonl"), actor="benchmark")


@contextmanager
def crowd(platform: Platform, users: Sequence[str], homes: Path) -> Iterator[tuple[str, ...]]:
    """Containers of these people that run and do nothing; their names.

    Each has a home of its own mounted, and all 28 GPU slots are taken. Half of the containers are
    on a bridge. The work of a fifth of the people began so long ago that they are warned.
    """
    slots = iter(platform.probe.inventory().slots)
    now = datetime.now(UTC)
    wanted = []
    for number, user in enumerate(users):
        began_at = now - _WARNED_AFTER if number < len(users) // 5 else now
        for place, (name, interface) in enumerate(INTERFACES.items()):
            slot = next(slots, None) if place < len(INTERFACES) // 2 else None
            wanted.append(_Wanted(user, name, interface, (slot,) if slot else (), began_at))
    made: list[str] = []
    try:
        for each in wanted:
            made.append(container_name(each.name, each.user))
            _start(platform, _spec(platform, each, homes))
        yield tuple(made)
    finally:
        remove(platform, made)
        platform.cgroups.take_down()


@contextmanager
def idle_servers(
    platform: Platform, users: Sequence[str], homes: Path
) -> Iterator[tuple[str, ...]]:
    """Servers of the hub, one of each person, that say that they have no kernel and no terminal."""
    made: list[str] = []
    try:
        for user in users:
            each = _Wanted(user, DEFAULT_SERVER, Interface.HUB, (), datetime.now(UTC))
            prefix = f"/user/{user}/"
            files = _LISTS.format(path=f"{prefix}api")
            spec = replace(
                _spec(platform, each, homes),
                network="bridge",
                command=("sh", "-c", f"{files}; exec httpd -f -p {_PORT} -h /tmp"),
                environment={
                    "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{_PORT}{prefix}",
                    "JUPYTERHUB_SERVICE_PREFIX": prefix,
                    "JUPYTERHUB_API_TOKEN": "token-of-the-benchmark",
                },
            )
            made.append(spec.name)
            _start(platform, spec)
        yield tuple(made)
    finally:
        remove(platform, made)


def remove(platform: Platform, names: Sequence[str]) -> None:
    """Remove containers one by one: Docker 20.10 deadlocks when many go at once."""
    for name in names:
        platform.engine.remove(name)


def _start(platform: Platform, spec: ContainerSpec) -> None:
    limits = platform.policy.current().limits(spec.labels[labels.USER])
    platform.aggregates.apply(limits, spec.labels[labels.USER])
    platform.engine.start(platform.engine.create(spec))


def _spec(platform: Platform, wanted: _Wanted, homes: Path) -> ContainerSpec:
    home = homes / wanted.user
    home.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    parent = platform.cgroups.parent(GROUP, wanted.user)
    marks = labels.ContainerLabels(
        user=wanted.user,
        name=wanted.name,
        interface=wanted.interface,
        instance=platform.instance,
        image=TINY_IMAGE,
        created_at=now,
        cgroup_parent=parent,
        priority=50,
        group=GROUP,
        gpu_slots=tuple(slot.id for slot in wanted.slots),
        gpu_uuids=tuple(slot.uuid for slot in wanted.slots),
        gpu_equivalents=sum(slot.equivalents for slot in wanted.slots),
    ).to_labels()
    marks[labels.WORK_STARTED_AT] = labels.format_timestamp(wanted.began_at)
    on_bridge = wanted.interface in {Interface.CLI, Interface.COMPOSE}
    return ContainerSpec(
        name=container_name(wanted.name, wanted.user),
        image=TINY_IMAGE,
        labels=marks,
        cgroup_parent=parent,
        network="bridge" if on_bridge else "none",
        gpu_uuids=tuple(slot.uuid for slot in wanted.slots),
        use_device_requests=False,
        command=_SLEEP,
        mounts=(
            Mount("bind", str(home), str(home)),
            Mount("bind", platform.notice_board.folder(wanted.user), "/run/ds01", read_only=True),
        ),
    )
