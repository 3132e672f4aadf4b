"""The container engine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ds01_spawner.domain.container import Container, ContainerSpec


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about the container engine that do not change while it runs.

    Attributes:
        id: The engine's own id.
        version: Engine version.
        cgroup_driver: `systemd` or `cgroupfs`.
        cgroup_version: 1 or 2.
        data_root: Where it keeps images and volumes.
    """

    id: str
    version: str
    cgroup_driver: str
    cgroup_version: int
    data_root: str


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that is on this machine.

    Attributes:
        size_bytes: All its layers.
        created_at: When it was built; `None` where it does not say.
    """

    size_bytes: int
    created_at: datetime | None


class ContainerList(Protocol):
    """The containers of an engine, for those who ask nothing else of it."""

    def containers(self) -> tuple[Container, ...]:
        """As `Engine` says."""
        ...


class Engine(Protocol):
    """The container engine. Every call has a deadline; a stuck engine raises `Unavailable`."""

    def info(self) -> EngineInfo:
        """Facts about the engine."""
        ...

    def containers(self) -> tuple[Container, ...]:
        """Every container, running or not, ours or not.

        `demand` is filled for every one of them, `finished_at` for every one that has
        GPU labels and does not run.
        """
        ...

    def container(self, name_or_id: str) -> Container | None:
        """One container with every field filled, or `None` when the engine says it is gone."""
        ...

    def address(self, container_id: str, network: str) -> str | None:
        """The container's IP address on `network`, or `None` when it has none now."""
        ...

    def environment(self, container_id: str, names: Collection[str]) -> Mapping[str, str]:
        """The environment variables of these names that it was made with; empty when it is gone.

        They may be secrets: never logged, never in an error.
        """
        ...

    def has_image(self, reference: str) -> bool:
        """Whether the image is present locally."""
        ...

    def local_images(self) -> Mapping[str, LocalImage]:
        """Every image on this machine that has a name, by each of its references."""
        ...

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry; may take minutes.

        Raises:
            NotFound: The registry does not have it.
        """
        ...

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the bridge network `name` unless it exists; safe to call from two places at once."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Make a container, without starting it, and return its id.

        Raises:
            Conflict: A container of that name exists.
            NotFound: The image does not exist.
        """
        ...

    def start(self, container_id: str) -> None:
        """Start a created or stopped container; nothing happens to a running one.

        Raises:
            NotFound: It is gone.
            DeviceDriverMissing: The engine has no GPU driver for its device requests.
        """
        ...

    def stop(self, container_id: str, grace: timedelta) -> None:
        """SIGTERM, then SIGKILL after `grace`; returns when it has stopped. Gone is stopped.

        A list may call it running for a few milliseconds more (seen with Docker 26).
        """
        ...

    def remove(self, container_id: str) -> None:
        """Remove a container and its anonymous volumes, killing it if it runs. Gone is removed."""
        ...

    def logs(self, container_id: str, lines: int) -> str:
        """The last lines of its output, for an error message; empty when there are none."""
        ...
