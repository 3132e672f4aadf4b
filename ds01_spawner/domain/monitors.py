"""Containers that watch the GPUs, such as NVIDIA's dcgm-exporter: given all, they take none. Pure.

Decisions about slots, the lifecycle and the exporter all ask `counted`. A container is left out
only where an administrator names it (`unmanaged.spare`), it was given every GPU at once, and
nothing says that it is a person's. Its image is not asked: whoever builds one may call it so.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import ProcessFacts, WorkloadClass
from ds01_spawner.domain.container import Container, DeviceDemand, Mount
from ds01_spawner.domain.container_owner import COMPOSE_FOLDER, class_of
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.people import FIRST_PERSON_ID
from ds01_spawner.domain.process_place import place_of

_EVERY = DeviceDemand(count=-1)
_CLASSES = frozenset({WorkloadClass.DOCKER, WorkloadClass.COMPOSE})
_SYSTEM = (
    *("/dev", "/etc", "/lib", "/opt", "/proc", "/root", "/run", "/sys", "/usr"),
    *("/var/lib", "/var/log", "/var/run"),
)
_PEOPLES = ("/run/ds01", "/run/media", "/run/user", "/var/run/ds01", "/var/run/user")
_OWN_VOLUME = "ds01-"
_HOME_VOLUME = "ds01-home-"


def is_monitor(container: Container, spare: Collection[str]) -> bool:
    """Whether a container watches the GPUs for the administrator.

    Args:
        container: Any.
        spare: Names that the administrator lists.
    """
    return container.name in spare and may_watch(container)


def may_watch(container: Container) -> bool:
    """Whether a container could, by all but its name: it has every GPU, and it is nobody's.

    Who was given single GPUs was given them to keep, also where the image asks for all. What may be
    a person's is theirs: a label, a name with an owner in it, an account's user id, a folder that
    is none of the system's.
    """
    return (
        container.demand == _EVERY
        and container.state.is_live
        and class_of(container) in _CLASSES
        and not any(mark.startswith(labels.RESERVED_LABELS) for mark in container.labels)
        and SEPARATOR not in container.name
        and (container.uid is None or container.uid < FIRST_PERSON_ID)
        and _is_system(container.labels.get(COMPOSE_FOLDER, "/etc"))
        and all(map(_is_nobodys, container.mounts))
    )


def counted(snapshot: Snapshot, spare: Collection[str]) -> Snapshot:
    """The snapshot as decisions count it: of a monitor only slots on which it computes.

    It has those from this moment on, so that nobody who was there before it came too late.
    A slot on which anything computes is never free, whoever is left out here.
    """
    monitors = {each.id for each in snapshot.containers if is_monitor(each, spare)}
    if not monitors:
        return snapshot
    return replace(
        snapshot,
        containers=tuple(
            _computing(each, snapshot) if each.id in monitors else each
            for each in snapshot.containers
        ),
    )


def containers_on(
    activity: Mapping[str, SlotActivity], facts: Mapping[int, ProcessFacts]
) -> Mapping[str, frozenset[str]]:
    """Ids of the containers whose processes compute on each device, by UUID.

    Args:
        activity: What runs on each device.
        facts: Who these processes are, as far as the kernel says.
    """
    return {uuid: frozenset(_containers(each.pids, facts)) for uuid, each in activity.items()}


def _containers(pids: Iterable[int], facts: Mapping[int, ProcessFacts]) -> Iterable[str]:
    for pid in pids:
        found = facts.get(pid)
        if found is not None and found.cgroup is not None:
            yield from place_of(found.cgroup).containers


def _computing(monitor: Container, snapshot: Snapshot) -> Container:
    on = tuple(uuid for uuid, ids in snapshot.computing.items() if monitor.id in ids)
    return replace(monitor, demand=DeviceDemand(uuids=on), started_at=snapshot.taken_at)


def _is_nobodys(mount: Mount) -> bool:
    steps = PurePosixPath(mount.source).parts
    begin = _HOME_VOLUME if mount.kind == "bind" else _OWN_VOLUME
    if any(SEPARATOR in step or step.startswith(begin) for step in steps):
        return False
    is_whole = mount.source == "/" and mount.read_only
    return mount.kind != "bind" or is_whole or _is_system(mount.source)


def _is_system(folder: str) -> bool:
    path = PurePosixPath(folder)
    return (
        ".." not in path.parts
        and any(map(path.is_relative_to, _SYSTEM))
        and not any(map(path.is_relative_to, _PEOPLES))
    )
