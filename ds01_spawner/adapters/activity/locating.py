"""Where the cgroup of a container is."""

import os
from collections.abc import Iterator

from ds01_spawner.adapters.activity.kernel_text import Roots, read_kernel
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.labels import CGROUP_PARENT
from ds01_spawner.ports import Engine, EngineInfo

_CONTROLLER = "cpuacct"
_SLICE = ".slice"


class ContainerCgroups:
    """The directory of a container's cgroup; on v1 the one that accounts for CPU time.

    It is where the label says, or below the engine's default parent; one that is in neither is
    asked for. A label is never trusted: what it names must end in the container's own id.

    Args:
        info: Says driver and cgroup version.
        engine: Asked for the first process of a container that is elsewhere.
        roots: Where the kernel's file systems are mounted.
    """

    def __init__(self, info: EngineInfo, engine: Engine, roots: Roots) -> None:
        self.version = info.cgroup_version
        self._systemd = info.cgroup_driver == "systemd"
        self._engine = engine
        self._roots = roots
        self._tree = roots.cgroup if self.version != 1 else _mounted(roots.cgroup)

    def find(self, container: Container, *, ask: bool = True) -> str | None:
        """The directory, or `None` when there is none or it cannot be told.

        Args:
            container: Which.
            ask: Whether the engine may be asked.

        Raises:
            Unavailable: The engine was asked and did not answer.
        """
        if self._tree is None or not container.id.isalnum():
            return None
        for path in self._expected(container):
            if os.path.isdir(path):  # noqa: PTH112 - a pass looks at hundreds
                return path
        return self._asked(container) if ask else None

    def _expected(self, container: Container) -> Iterator[str]:
        leaf = f"docker-{container.id}.scope" if self._systemd else container.id
        default = "system.slice" if self._systemd else "docker"
        for parent in (container.labels.get(CGROUP_PARENT), default):
            path = _path_of(parent) if parent else None
            if path is not None:
                yield f"{self._tree}/{path}/{leaf}"

    def _asked(self, container: Container) -> str | None:
        found = self._engine.container(container.id)
        if found is None or not found.pid:
            return None
        try:
            text = read_kernel(f"{self._roots.proc}/{found.pid}/cgroup")
        except OSError:
            return None
        for line in text.decode("utf-8", "surrogateescape").splitlines():
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            wanted = _CONTROLLER in controllers.split(",") if self.version == 1 else not controllers
            own = _up_to(path, container.id)
            if wanted and own is not None:
                return f"{self._tree}{own}"
        return None


def _mounted(root: str) -> str | None:
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return None
    found = [name for name in names if _CONTROLLER in name.split(",")]
    return f"{root}/{min(found, key=len)}" if found else None


def _path_of(parent: str) -> str | None:
    """A cgroup parent as the engine is told, as a path; `None` when it is not one."""
    if "\0" in parent:
        return None
    if parent.endswith(_SLICE) and "/" not in parent:
        parts = parent.removesuffix(_SLICE).split("-")
        names = ("-".join(parts[: count + 1]) for count in range(len(parts)))
        return "/".join(f"{name}{_SLICE}" for name in names)
    steps = [step for step in parent.split("/") if step]
    return None if ".." in steps or not steps else "/".join(steps)


def _up_to(path: str, container_id: str) -> str | None:
    """The path down to the container's own level: a process may lie deeper, or elsewhere."""
    steps = path.split("/")
    for count, step in enumerate(steps):
        if container_id in step and ".." not in steps:
            return "/".join(steps[: count + 1])
    return None
