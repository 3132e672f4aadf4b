"""A container engine in memory, with the real one's states, errors and omissions."""

import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ds01_spawner.domain.container import (
    Container,
    ContainerSpec,
    ContainerState,
    DeviceDemand,
    Mount,
)
from ds01_spawner.domain.errors import Conflict, DeviceDriverMissing, NotFound, Unavailable
from ds01_spawner.domain.labels import gpu_uuids_of
from ds01_spawner.ports import Clock, EngineInfo, LocalImage
from fakes.clock import FakeClock

_KILLED = 137
_TERMINATED = 143


@dataclass(frozen=True, slots=True)
class _Planned:
    error: Exception
    after: bool


class FakeEngine:
    """The `Engine` port, for threads of one process.

    Attributes:
        stuck: When set, every call raises `Unavailable`, as after its deadline.
        has_device_driver: Whether device requests can be served.
        images: References that are present.
        image_facts: Size and age of those that are not of a gigabyte and new.
        registry: References that can be pulled.
        networks: Labels of each network by name.
        specs: What each container was made from, by engine id; kept after its removal.
        outputs: Text that `logs` shows, by engine id.
        environments: What `environment` shows of containers that were put, by engine id.
        calls: (method, subject) of every call, refused ones included.
        on_call: Called with the method's name before each call, outside the lock: a place for a
            test to wait or to change something.
    """

    def __init__(self, clock: Clock | None = None, images: tuple[str, ...] = ("image",)) -> None:
        self.clock: Clock = clock or FakeClock()
        self.stuck = False
        self.has_device_driver = True
        self.images = set(images)
        self.image_facts: dict[str, LocalImage] = {}
        self.registry: set[str] = set()
        self.networks: dict[str, dict[str, str]] = {}
        self.specs: dict[str, ContainerSpec] = {}
        self.outputs: dict[str, str] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.on_call: Callable[[str], None] = lambda _method: None
        self._containers: dict[str, Container] = {}
        self._planned: dict[str, list[_Planned]] = {}
        self._lock = threading.RLock()
        self._next_pid = 1000

    def fail_next(
        self, method: str, error: Exception, *, times: int = 1, after: bool = False
    ) -> None:
        """Let the next calls of `method` raise; with `after`, the deed is done all the same."""
        self._planned.setdefault(method, []).extend([_Planned(error, after)] * times)

    def kill(self, name_or_id: str, exit_code: int = _KILLED) -> None:
        """The container's first process dies by itself."""
        with self._lock:
            self._finish(self._existing(name_or_id), exit_code)

    def put(self, container: Container) -> None:
        """Let a container exist that another program made."""
        with self._lock:
            self._containers[container.id] = container

    def pid_of(self, container_id: str) -> int | None:
        """The first process of a container, as the kernel knows it."""
        with self._lock:
            found = self._find(container_id)
        return None if found is None else found.pid

    def info(self) -> EngineInfo:
        self._enter("info")
        return EngineInfo(
            id="FAKE",
            version="20.10.24",
            cgroup_driver="cgroupfs",
            cgroup_version=1,
            data_root="/var/lib/docker",
        )

    def containers(self) -> tuple[Container, ...]:
        self._enter("containers")
        with self._lock:
            return tuple(_as_listed(container) for container in self._containers.values())

    def container(self, name_or_id: str) -> Container | None:
        self._enter("container", name_or_id)
        with self._lock:
            return self._find(name_or_id)

    def address(self, container_id: str, network: str) -> str | None:
        self._enter("address", container_id)
        with self._lock:
            container = self._find(container_id)
            return None if container is None else container.addresses.get(network)

    def environment(self, container_id: str, names: Collection[str]) -> Mapping[str, str]:
        self._enter("environment", container_id)
        with self._lock:
            container = self._find(container_id)
            if container is None:
                return {}
            spec = self.specs.get(container.id)
            known = spec.environment if spec else self.environments.get(container.id, {})
            return {name: value for name, value in known.items() if name in names}

    def has_image(self, reference: str) -> bool:
        self._enter("has_image", reference)
        return reference in self.images

    def local_images(self) -> Mapping[str, LocalImage]:
        self._enter("local_images")
        usual = LocalImage(10**9, self.clock.now())
        return {each: self.image_facts.get(each, usual) for each in self.images}

    def pull(self, reference: str) -> None:
        self._enter("pull", reference)
        if reference not in self.registry:
            raise NotFound(f"The registry has no image {reference}.")
        self.images.add(reference)

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        self._enter("ensure_network", name)
        with self._lock:
            self.networks.setdefault(name, dict(labels))

    def create(self, spec: ContainerSpec) -> str:
        answer_lost = self._enter("create", spec.name)
        with self._lock:
            if spec.image not in self.images:
                raise NotFound(f"The image {spec.image} is not on this machine.")
            if self._find(spec.name) is not None:
                raise Conflict(f"A container named {spec.name} exists already.")
            container = Container(
                id=secrets.token_hex(32),
                name=spec.name,
                state=ContainerState.CREATED,
                labels=dict(spec.labels),
                created_at=self.clock.now(),
                demand=DeviceDemand(uuids=spec.gpu_uuids),
                mounts=tuple(map(_as_mounted, spec.mounts)),
                uid=_uid_of(spec),
            )
            self._containers[container.id] = container
            self.specs[container.id] = spec
        if answer_lost is not None:
            raise answer_lost
        return container.id

    def start(self, container_id: str) -> None:
        answer_lost = self._enter("start", container_id)
        with self._lock:
            container = self._existing(container_id)
            spec = self.specs.get(container.id)
            needs_driver = spec is not None and spec.use_device_requests and spec.gpu_uuids
            if needs_driver and not self.has_device_driver:
                raise DeviceDriverMissing("The container engine has no GPU driver.")
            if spec is not None and spec.network not in {*self.networks, "bridge", "none"}:
                raise NotFound(f"The network {spec.network} does not exist.")
            if not container.state.is_live:
                self._next_pid += 1
                self._containers[container.id] = replace(
                    container,
                    state=ContainerState.RUNNING,
                    started_at=self.clock.now(),
                    finished_at=None,
                    exit_code=None,
                    pid=self._next_pid,
                    addresses=self._address_of(container.id),
                )
        if answer_lost is not None:
            raise answer_lost

    def stop(self, container_id: str, grace: timedelta) -> None:
        del grace
        answer_lost = self._enter("stop", container_id)
        with self._lock:
            container = self._find(container_id)
            if container is not None and container.state.is_live:
                self._finish(container, _TERMINATED)
        if answer_lost is not None:
            raise answer_lost

    def remove(self, container_id: str) -> None:
        answer_lost = self._enter("remove", container_id)
        with self._lock:
            container = self._find(container_id)
            if container is not None:
                del self._containers[container.id]
        if answer_lost is not None:
            raise answer_lost

    def logs(self, container_id: str, lines: int) -> str:
        self._enter("logs", container_id)
        with self._lock:
            container = self._find(container_id)
            text = self.outputs.get(container.id, "") if container is not None else ""
        return "".join(text.splitlines(keepends=True)[-lines:])

    def _enter(self, method: str, subject: str = "") -> Exception | None:
        self.on_call(method)
        with self._lock:
            self.calls.append((method, subject))
            if self.stuck:
                raise Unavailable(f"The container engine did not answer {method} within 10 s.")
            planned = self._planned.get(method)
            if not planned:
                return None
            first = planned.pop(0)
        if not first.after:
            raise first.error
        return first.error

    def _find(self, name_or_id: str) -> Container | None:
        by_id = self._containers.get(name_or_id)
        if by_id is not None:
            return by_id
        return next((one for one in self._containers.values() if one.name == name_or_id), None)

    def _existing(self, name_or_id: str) -> Container:
        container = self._find(name_or_id)
        if container is None:
            raise NotFound(f"The container {name_or_id} is gone.")
        return container

    def _finish(self, container: Container, exit_code: int) -> None:
        self._containers[container.id] = replace(
            container,
            state=ContainerState.EXITED,
            finished_at=self.clock.now(),
            exit_code=exit_code,
            pid=None,
            addresses={},
        )

    def _address_of(self, container_id: str) -> dict[str, str]:
        spec = self.specs.get(container_id)
        if spec is None or spec.network == "none":
            return {}
        order = list(self._containers).index(container_id)
        return {spec.network: f"10.201.{order // 250}.{order % 250 + 2}"}


def _as_mounted(mount: Mount) -> Mount:
    """As the engine shows it: a volume's source is its host folder."""
    if mount.kind != "volume":
        return mount
    return replace(mount, source=f"/var/lib/docker/volumes/{mount.source}/_data")


def _uid_of(spec: ContainerSpec) -> int | None:
    user = "0" if spec.user is None else spec.user.partition(":")[0]
    return int(user) if user.isdecimal() else None


def _as_listed(container: Container) -> Container:
    """What a list shows: no start, no pid, an end only where labels hold a GPU."""
    holds = bool(gpu_uuids_of(container.labels)) and not container.state.is_live
    return replace(
        container,
        started_at=None,
        pid=None,
        finished_at=container.finished_at if holds else None,
        exit_code=container.exit_code if holds else None,
    )
