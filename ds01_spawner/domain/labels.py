"""The labels on every container: `ds01.*`, and the allocation database.

What holds a slot is what the engine says exists, so these labels are written in one place and
read in one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ds01_spawner.domain.names import DEFAULT_SERVER, SEPARATOR

MANAGED = "ds01.managed"
USER = "ds01.user"
GROUP = "ds01.group"
INTERFACE = "ds01.interface"
NAME = "ds01.name"
PROJECT = "ds01.project"
IMAGE = "ds01.image"
CREATED_AT = "ds01.created_at"
CGROUP_PARENT = "ds01.cgroup_parent"
GPU_SLOTS = "ds01.gpu.slots"
GPU_UUIDS = "ds01.gpu.uuids"
GPU_EQUIVALENTS = "ds01.gpu.equivalents"
GPU_ALLOCATED_AT = "ds01.gpu.allocated_at"
PRIORITY = "ds01.priority"
PROTECTED = "ds01.protected"
WORK_STARTED_AT = "ds01.work_started_at"
"""When the work that a container goes on with was first started, in an earlier container."""

INSTANCE = "ds01.instance"
"""Which installation made the container, so that one never cleans up after another."""

BINDS = "ds01.binds"
"""Which folders of the host a container has, as its owner named them: JSON, by the gateway."""

IMAGE_OWNER = "ds01.image.owner"
"""Whose an image is: the slug of who built it. Not `USER`, because containers inherit an image's
labels, and those of a build's steps would pass for containers that somebody runs."""

IMAGE_RECIPE = "ds01.recipe"
IMAGE_SOURCE = "ds01.source"
"""What an image was built from, as whoever built it said; on images only."""

WISH_GPU = "ds01.gpu"
WISH_WAIT = "ds01.wait"
"""What a Docker client may ask for by label; read at creation, never put on a container."""

PREFIX = "ds01."
RESERVED_LABELS = (PREFIX, "aime.mlc")
"""Beginnings of labels that only the platform may put on a container."""

LEGACY_USER = "aime.mlc.USER"
LEGACY_NAME = "aime.mlc.NAME"


class Interface(StrEnum):
    """The door a container came through."""

    HUB = "hub"
    CLI = "cli"
    DOCKER = "docker"
    COMPOSE = "compose"
    DEVCONTAINER = "devcontainer"
    BATCH = "batch"
    API = "api"
    UNKNOWN = "unknown"


_DOORS = {door.value: door for door in Interface}
DOCKER_DOORS = frozenset({Interface.DOCKER, Interface.COMPOSE, Interface.DEVCONTAINER})
"""Doors that a Docker client uses: their containers may have any name that Docker allows."""


@dataclass(frozen=True, slots=True)
class ContainerLabels:
    """The facts that the labels carry, typed.

    Attributes:
        user: Owner.
        name: What the owner calls the container.
        interface: The door it came through.
        instance: Id of the installation that made it.
        group: Policy group at creation, or `None`.
        project: Project name, or `None`.
        image: Image reference as requested.
        created_at: When the platform granted it; equals its reservation's `created_at`.
        cgroup_parent: Where the kernel accounts it.
        gpu_slots: Slot ids, for people.
        gpu_uuids: Devices it holds.
        gpu_equivalents: Sum over its slots.
        gpu_allocated_at: Since when, or `None` without a GPU.
        priority: The owner's queue rank at creation.
        protected: Exempt from removal by rule.
    """

    user: str
    name: str
    interface: Interface
    instance: str
    image: str
    created_at: datetime
    cgroup_parent: str
    priority: int
    group: str | None = None
    project: str | None = None
    gpu_slots: tuple[str, ...] = ()
    gpu_uuids: tuple[str, ...] = ()
    gpu_equivalents: float = 0.0
    gpu_allocated_at: datetime | None = None
    protected: bool = False

    def to_labels(self) -> dict[str, str]:
        """The labels that Docker is given."""
        labels = {
            MANAGED: "true",
            USER: self.user,
            INTERFACE: self.interface.value,
            NAME: self.name,
            IMAGE: self.image,
            CREATED_AT: format_timestamp(self.created_at),
            CGROUP_PARENT: self.cgroup_parent,
            PRIORITY: str(self.priority),
            PROTECTED: "true" if self.protected else "false",
            INSTANCE: self.instance,
        }
        if self.group is not None:
            labels[GROUP] = self.group
        if self.project is not None:
            labels[PROJECT] = self.project
        if self.gpu_uuids:
            labels[GPU_SLOTS] = ",".join(self.gpu_slots)
            labels[GPU_UUIDS] = ",".join(self.gpu_uuids)
            labels[GPU_EQUIVALENTS] = f"{self.gpu_equivalents:.4g}"
            allocated_at = self.gpu_allocated_at or self.created_at
            labels[GPU_ALLOCATED_AT] = format_timestamp(allocated_at)
        return labels


def own_marks(user: str, instance: str) -> dict[str, str]:
    """What says that a container, a network or a volume is this person's, made by this one."""
    return {MANAGED: "true", USER: user, INSTANCE: instance}


def unreserved(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels that a person gave, without those that only the platform gives."""
    return {key: value for key, value in labels.items() if not key.startswith(RESERVED_LABELS)}


def gpu_uuids_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The devices that a container's labels say it holds."""
    text = labels.get(GPU_UUIDS)
    return tuple([part for part in text.split(",") if part]) if text else ()


def groups_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The policy group that a container was made in, as `Policy.limits` takes groups.

    Its label tells the group: looking up other people's accounts may take seconds.
    """
    group = labels.get(GROUP)
    return (group,) if group else ()


def owner_of(labels: Mapping[str, str]) -> str | None:
    """The person a container belongs to by its labels, or `None`; knows the older `aime.mlc`."""
    return labels.get(USER) or labels.get(LEGACY_USER) or None


def name_of(labels: Mapping[str, str], container_name: str) -> str:
    """What its owner calls a container: by its labels, or by the engine's name of it.

    The engine's name alone tells of one that a Docker client made: it can be renamed.
    """
    if origin_of(labels) in DOCKER_DOORS and SEPARATOR in container_name:
        return container_name.rpartition(SEPARATOR)[0]
    return labels.get(NAME) or labels.get(LEGACY_NAME) or container_name.partition(SEPARATOR)[0]


def going_on(labels: Mapping[str, str], began: datetime) -> dict[str, str]:
    """`labels` of a container that goes on with work that was first started at `began`."""
    return {**labels, WORK_STARTED_AT: format_timestamp(began)}


def hub_server_of(labels: Mapping[str, str]) -> tuple[str, str]:
    """User and server name, as the hub has them, of a container that came through the hub."""
    name = labels.get(NAME, "")
    return labels.get(USER, ""), "" if name == DEFAULT_SERVER else name


def origin_of(labels: Mapping[str, str]) -> Interface:
    """The door a container came through; one of the older `aime.mlc` came through a shell."""
    text = labels.get(INTERFACE)
    if text is None:
        return Interface.CLI if LEGACY_USER in labels else Interface.UNKNOWN
    return _DOORS.get(text, Interface.UNKNOWN)


def work_began(labels: Mapping[str, str]) -> datetime | None:
    """First start of the work that a container does, as far as its labels tell."""
    if labels.get(MANAGED) != "true":
        return None
    return parse_timestamp(labels.get(WORK_STARTED_AT, "")) or parse_timestamp(
        labels.get(CREATED_AT, "")
    )


def format_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime | None:
    """The moment an RFC 3339 string names, or `None` when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
