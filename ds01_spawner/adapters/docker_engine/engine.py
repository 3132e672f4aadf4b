"""The container engine, through its Unix socket."""

import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from math import ceil
from typing import Any
from urllib.parse import quote

from ds01_spawner.adapters.docker_engine.breaker import Breaker
from ds01_spawner.adapters.docker_engine.connection import Call, Connection, Deadlines
from ds01_spawner.adapters.docker_engine.facts import ContainerFacts
from ds01_spawner.adapters.docker_engine.group_file import check_group_file, is_of_host
from ds01_spawner.adapters.docker_engine.image_groups import ImageGroups
from ds01_spawner.adapters.docker_engine.inspection import (
    addresses_of,
    environment_of,
    inspected_container,
)
from ds01_spawner.adapters.docker_engine.layers import layers_of, leads_to
from ds01_spawner.adapters.docker_engine.local_images import local_images
from ds01_spawner.adapters.docker_engine.networks import ensure_network, list_bridges
from ds01_spawner.adapters.docker_engine.payload import container_payload, unset_by_image
from ds01_spawner.adapters.docker_engine.pulling import pull_image
from ds01_spawner.adapters.docker_engine.snapshots import snapshot_layers
from ds01_spawner.adapters.docker_engine.starts import ContainerStarts
from ds01_spawner.adapters.docker_engine.things import remove_thing, things_of
from ds01_spawner.domain.closed_places import check_image_volumes
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from ds01_spawner.domain.labels import IMAGE_OWNER, RESERVED_LABELS
from ds01_spawner.domain.people import Thing
from ds01_spawner.ports import EngineInfo, LocalImage
from ds01_spawner.ports.isolation import Bridge

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_NETWORK_POOL = "10.201.0.0/16"

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_ID = re.compile(r"^[0-9a-f]{64}$")
_MAX_LOG_LINES = 1000
_POLL_SECONDS = 0.1


class DockerEngine:
    """The `Engine` port; one object serves every thread of a process.

    Args:
        socket_path: The engine's Unix socket.
        deadlines: How long each kind of call may take.
        network_pool: Where the address ranges of persons' networks come from.
        network_prefix: Size of one such range; /27 is 29 containers.
        threads: How many calls may be under way at once before connections are not kept.
        new_breaker: Makes a breaker from its complaint; a test gives it another clock.
    """

    def __init__(  # noqa: PLR0913 - settings of the composition root
        self,
        socket_path: str = DEFAULT_SOCKET,
        *,
        deadlines: Deadlines | None = None,
        network_pool: str = DEFAULT_NETWORK_POOL,
        network_prefix: int = 27,
        threads: int = 64,
        new_breaker: Callable[[str], Breaker] = Breaker,
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._connection = Connection(
            socket_path, self._deadlines, threads=threads, new_breaker=new_breaker
        )
        pool = ip_network(network_pool)
        if not isinstance(pool, IPv4Network):
            raise TypeError(f"The network pool {network_pool} is not an IPv4 range.")
        self._network_pool = pool
        self._network_prefix = network_prefix
        self._facts = ContainerFacts(self._inspect)
        self._groups = ImageGroups(self._connection)

    def starts(self) -> ContainerStarts:
        """What waits for containers to start; one for each thread that does."""
        return ContainerStarts(self._connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._connection.close()

    @property
    def network_pool(self) -> IPv4Network:
        """Where the address ranges of persons' networks come from."""
        return self._network_pool

    @property
    def network_prefix(self) -> int:
        """Size of one such range."""
        return self._network_prefix

    def info(self) -> EngineInfo:
        """Facts about the engine."""
        facts = self.said()
        return EngineInfo(
            id=facts["ID"],
            version=facts["ServerVersion"],
            cgroup_driver=facts["CgroupDriver"],
            cgroup_version=int(facts.get("CgroupVersion") or 1),
            data_root=facts["DockerRootDir"],
        )

    def said(self) -> Mapping[str, Any]:
        """What the engine says of itself, in its own words."""
        found: Mapping[str, Any] = self._connection.json(Call("GET", "/info", "info"))
        return found

    def containers(self) -> tuple[Container, ...]:
        """Every container; what the engine's list leaves out is looked up once and remembered."""
        listed = self._connection.json(
            Call("GET", "/containers/json", "list containers", query={"all": 1})
        )
        return self._facts.complete(listed)

    def container(self, name_or_id: str) -> Container | None:
        """One container with every field filled, or `None` when the engine says it is gone."""
        inspected = self._inspect(name_or_id)
        return None if inspected is None else inspected_container(inspected)

    def address(self, container_id: str, network: str) -> str | None:
        """The container's IP address on `network`, or `None` when it has none now."""
        inspected = self._inspect(container_id)
        if inspected is None:
            return None
        return addresses_of(inspected.get("NetworkSettings")).get(network)

    def leads_to(self, container_id: str, paths: Collection[str]) -> Mapping[str, str]:
        """As the port says; one that is gone leads nowhere else."""
        inspected = self._inspect(container_id)
        if inspected is None or not paths:
            return {path: path for path in paths}
        layers = layers_of(inspected) or snapshot_layers(inspected, self.said())
        return {path: leads_to(layers, path) for path in paths}

    def environment(self, container_id: str, names: Collection[str]) -> Mapping[str, str]:
        """The environment variables of these names that it was made with."""
        known = environment_of(self._inspect(container_id) or {})
        return {name: value for name, value in known.items() if name in names}

    def has_image(self, reference: str) -> bool:
        """Whether the image is present locally."""
        return self._image(reference) is not None

    def local_images(self) -> Mapping[str, LocalImage]:
        """Every image on this machine that has a name, by each of its references."""
        return local_images(self._connection)

    def image_owner(self, image_id: str) -> str | None:
        """Slug of the person who made an image that nobody calls anything; `None` for others."""
        found = self._image(image_id)
        if found is None or found.get("RepoTags") or found.get("RepoDigests"):
            return None
        owner = ((found.get("Config") or {}).get("Labels") or {}).get(IMAGE_OWNER)
        return str(owner) if owner else None

    def image_bytes(self, image_id: str) -> int:
        """Size of an image with all that it stands on; 0 where there is none."""
        return int((self._image(image_id) or {}).get("Size") or 0)

    def pull(self, reference: str) -> None:
        """Fetch an image; neither waits for the other calls' breaker nor trips it."""
        pull_image(self._connection, reference)

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the bridge network `name` unless it exists."""
        ensure_network(
            self._connection,
            name,
            labels,
            pool=self._network_pool,
            prefix=self._network_prefix,
        )

    def bridges(self) -> tuple[Bridge, ...]:
        """Every bridge network of the engine."""
        return list_bridges(self._connection)

    def things_of(self, user: str) -> tuple[Thing, ...]:
        """Volumes, images and networks that are the person's."""
        return things_of(self._connection, user)

    def remove_thing(self, thing: Thing) -> None:
        """Remove one; one that is gone is removed."""
        remove_thing(self._connection, thing)

    def create(self, spec: ContainerSpec) -> str:
        """Make a container and return its id."""
        payload = container_payload(spec)
        found = self._image(spec.image)
        if found is None:
            raise NotFound(f"The image {spec.image} is not on this machine.")
        if any(is_of_host(mount) for mount in spec.mounts):
            self._groups.check(found, spec.image)
            # By now, the name may be another image's.
            payload["Image"] = found["Id"]
        image = found.get("Config") or {}
        check_image_volumes(spec.image, image.get("Volumes") or ())
        payload["Labels"] = {**_overridden_labels(image), **payload["Labels"]}
        payload["Env"] += unset_by_image(image.get("Env") or ())
        call = Call(
            "POST",
            "/containers/create",
            f"create {spec.name}",
            kind="create",
            subject=spec.name,
            query={"name": spec.name},
            body=payload,
            seconds=self._deadlines.create,
        )
        try:
            return str(self._connection.json(call)["Id"])
        except NotFound as exc:
            if "image" not in exc.message:
                raise
            raise NotFound(f"The image {spec.image} is not on this machine.") from exc
        except Conflict as exc:
            raise Conflict(f"A container named {spec.name} exists already.") from exc

    def _image(self, reference: str) -> dict[str, Any] | None:
        """What the engine says about an image, or `None` when it does not have it."""
        if ".." in reference:
            return None
        path = f"/images/{quote(reference, safe='/:@')}/json"
        try:
            found: dict[str, Any] = self._connection.json(
                Call("GET", path, f"inspect image {reference}")
            )
        except NotFound:
            return None
        return found

    def start(self, container_id: str) -> None:
        """Start a container; a running one answers 304 and goes on.

        Raises:
            Forbidden: It would have had groups of the server's; it was killed.
        """
        if not _NAME.match(container_id):
            raise NotFound(f"The container {container_id} is gone.")
        self._connection.json(
            Call(
                "POST",
                f"/containers/{container_id}/start",
                f"start {_short(container_id)}",
                kind="start",
                subject=container_id,
                seconds=self._deadlines.start,
            )
        )
        try:
            check_group_file(self._inspect(container_id) or {})
        except Forbidden:
            self._unless_gone(
                Call(
                    "POST",
                    f"/containers/{container_id}/kill",
                    f"kill {_short(container_id)}",
                    kind="stop",
                    subject=container_id,
                )
            )
            raise

    def stop(self, container_id: str, grace: timedelta) -> None:
        """SIGTERM, then SIGKILL after `grace`; the deadline is the grace and a margin."""
        seconds = max(0, ceil(grace.total_seconds()))
        self._unless_gone(
            Call(
                "POST",
                f"/containers/{container_id}/stop",
                f"stop {_short(container_id)}",
                kind="stop",
                subject=container_id,
                query={"t": seconds},
                seconds=seconds + self._deadlines.stop_margin,
            )
        )

    def remove(self, container_id: str) -> None:
        """Remove a container, killing it if it runs; returns when it is gone."""
        call = Call(
            "DELETE",
            f"/containers/{container_id}",
            f"remove {_short(container_id)}",
            kind="remove",
            subject=container_id,
            query={"force": 1, "v": 1},
            seconds=self._deadlines.remove,
        )
        until = time.monotonic() + self._deadlines.remove
        while True:
            try:
                return self._unless_gone(call)
            except Conflict as exc:
                # "removal of container … is already in progress": somebody else's, or our own
                # that timed out. It may fail, so the request is repeated, not only watched.
                if time.monotonic() > until:
                    raise Unavailable(
                        f"The container {_short(container_id)} is still being removed"
                        f" after {self._deadlines.remove:.0f} s.",
                    ) from exc
                time.sleep(_POLL_SECONDS)

    def logs(self, container_id: str, lines: int) -> str:
        """The last lines of its output."""
        if not _NAME.match(container_id):
            return ""
        call = Call(
            "GET",
            f"/containers/{container_id}/logs",
            f"logs of {_short(container_id)}",
            subject=container_id,
            query={"stdout": 1, "stderr": 1, "tail": max(1, min(lines, _MAX_LOG_LINES))},
        )
        try:
            return _without_frames(self._connection.bytes(call)).decode(errors="replace")
        except NotFound:
            return ""

    def _inspect(self, name_or_id: str) -> dict[str, Any] | None:
        if not _NAME.match(name_or_id):
            return None
        path = f"/containers/{name_or_id}/json"
        try:
            answer = self._connection.json(
                Call("GET", path, f"inspect {_short(name_or_id)}", subject=name_or_id)
            )
        except NotFound:
            return None
        return dict(answer)

    def _unless_gone(self, call: Call) -> None:
        try:
            if _NAME.match(call.subject or ""):
                self._connection.json(call)
        except NotFound:
            return


def _overridden_labels(image: Mapping[str, Any]) -> dict[str, str]:
    """Empty values for what an image says in the platform's name.

    The engine gives a container its image's labels: whoever builds an image could forge the
    allocation database.
    """
    found = image.get("Labels") or {}
    return {key: "" for key in found if key.startswith(RESERVED_LABELS)}


def _short(name_or_id: str) -> str:
    return name_or_id[:12] if _ID.match(name_or_id) else name_or_id


def _without_frames(data: bytes) -> bytes:
    """The text in a multiplexed stream; a terminal's output has no frames and is kept.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    text = bytearray()
    place = 0
    while place + 8 <= len(data):
        header = data[place : place + 8]
        if header[0] > 2 or header[1:4] != b"\0\0\0":  # noqa: PLR2004 - stdin, stdout, stderr
            return data
        size = int.from_bytes(header[4:], "big")
        text += data[place + 8 : place + 8 + size]
        place += 8 + size
    return bytes(text) if place else data
