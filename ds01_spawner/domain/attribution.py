"""Whose each process on the GPUs is: by its container, or as one of the server itself. Pure.

Nothing that computes is dropped. What cannot be said of whom is `unknown`, with the reason why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.people import FIRST_PERSON_ID
from ds01_spawner.domain.process_place import place_of

_SHORT_ID = 12


class WorkloadClass(StrEnum):
    """How something that may use a GPU came to be."""

    MANAGED = "managed"
    BUILD = "build"
    BARE_METAL = "bare-metal"
    DEVCONTAINER = "devcontainer"
    COMPOSE = "compose"
    AIME = "aime"
    DOCKER = "docker"
    HOST = "host"
    UNKNOWN = "unknown"


OURS = frozenset({WorkloadClass.MANAGED, WorkloadClass.BUILD, WorkloadClass.BARE_METAL})
"""What came to be by the platform: a container, a step of a build, or what a grant allows."""


class Proof(StrEnum):
    """What tells whose something is, the surest first."""

    LABEL = "label"
    FOLDER = "folder"
    NAME = "name"
    UID = "uid"
    SESSION = "session"
    CGROUP = "cgroup"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a slot, as the driver lists it.

    Attributes:
        pid: Host process id; 0 where the driver hides it.
        uuid: The slot's device.
        memory_bytes: Memory of the slot that it has; `None` where the driver does not say.
        sm_share: Share of the multiprocessors' time that it had lately, 0 to 1; `None` where the
            driver does not say, as of MIG instances.
        computes: Whether it has a CUDA context; else it only draws.
    """

    pid: int
    uuid: str
    memory_bytes: int | None = None
    sm_share: float | None = None
    computes: bool = True


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """Who a process is, as the kernel says; `None` where it cannot be read.

    Attributes:
        pid: Its id.
        started_seconds: Start, in seconds since the machine's. With the id it names one process.
        uid: Real user id.
        name: Short name of the program; never its arguments, which may hold secrets.
        cgroup: The text of `/proc/<pid>/cgroup`.
        namespace_uid: Who made the user namespace that it is in, and so chose its user id among
            those that they may use; `None` in the machine's own.
    """

    pid: int
    started_seconds: float | None = None
    uid: int | None = None
    name: str | None = None
    cgroup: str | None = None
    namespace_uid: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """What something belongs to.

    Attributes:
        kind: How it came to be.
        user: Whose it is; `None` is unknown.
        proof: How that is known.
        container_id: The engine's id of its container.
        container: The engine's name of it.
        group: Policy group, where its labels say so.
        project: Likewise.
        interface: The door that the container came through; `None` for what came through none.
        why: Why it is not known whose it is; empty when it is.
        instance: The installation that made the container, where its labels say so.
    """

    kind: WorkloadClass
    user: str | None = None
    proof: Proof = Proof.NONE
    container_id: str | None = None
    container: str | None = None
    group: str | None = None
    project: str | None = None
    interface: Interface | None = None
    why: str = ""
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Attributed:
    """A process on a slot, and whose it is.

    Attributes:
        process: As the driver lists it.
        slot: The slot's id for people; empty of one that is not listed.
        owner: Whose it is.
        name: Short name of the program, or `None`.
        uid: Its user id, or `None`.
        started_at: Since when it runs, or `None`.
        started_seconds: The same since the machine's start, which with the id names one process.
    """

    process: GpuProcess
    slot: str
    owner: Owner
    name: str | None = None
    uid: int | None = None
    started_at: datetime | None = None
    started_seconds: float | None = None


class Directory(Protocol):
    """Who is who on this machine. What cannot be looked up is `None`."""

    def name_of(self, uid: int) -> str | None:
        """The login name of a user id."""
        ...

    def owner_of(self, folder: str) -> str | None:
        """The person in whose home a folder is."""
        ...

    def person(self, name: str) -> str | None:
        """The person whose login name or user id that is."""
        ...


def process_owner(
    facts: ProcessFacts | None, owners: Mapping[str, Owner], directory: Directory
) -> Owner:
    """Whose a process is.

    Args:
        facts: What the kernel says; `None` where it does not know the process.
        owners: Of every running container, by its id.
        directory: Who is who.
    """
    if facts is None:
        return _unknown("The kernel does not show the process that the driver lists.")
    if facts.cgroup is None:
        return _unknown("The kernel does not say in which container it is.")
    place = place_of(facts.cgroup)
    known = {each for each in place.containers if each in owners}
    if len(known) == 1:
        return owners[known.pop()]
    if place.containers:
        first = place.containers[0]
        told = (
            "Its cgroups name several containers."
            if known
            else (f"The engine does not list its container {first[:_SHORT_ID]}.")
        )
        return Owner(WorkloadClass.UNKNOWN, container_id=first, why=told)
    # User ids that somebody has for their containers may be somebody else's account's as well.
    maker = facts.namespace_uid
    uid = facts.uid if maker is None or maker < FIRST_PERSON_ID else maker
    return _host_owner(uid, place.session_uid, directory)


def _host_owner(uid: int | None, session: int | None, directory: Directory) -> Owner:
    if uid is None:
        return _unknown("The kernel does not say whose it is.")
    in_session = None
    if session is not None and session >= FIRST_PERSON_ID > uid:
        in_session = directory.name_of(session)  # somebody became root
    if in_session is not None:
        return Owner(WorkloadClass.HOST, in_session, Proof.SESSION)
    name = directory.name_of(uid)
    if name is None and session is not None:
        # Containers without a daemon give their processes user ids that nobody has.
        name = directory.name_of(session)
        if name is not None:
            return Owner(WorkloadClass.HOST, name, Proof.SESSION)
    if name is None:
        return Owner(WorkloadClass.HOST, why=f"No account has its user id {uid}.")
    return Owner(WorkloadClass.HOST, name, Proof.UID)


def _unknown(why: str) -> Owner:
    return Owner(WorkloadClass.UNKNOWN, why=why)


def attributed(
    process: GpuProcess,
    facts: ProcessFacts | None,
    owner: Owner,
    slot: str,
    moment_of: Callable[[float], datetime],
) -> Attributed:
    """A process with what is known of it.

    Args:
        process: As the driver lists it.
        facts: What the kernel says of it.
        owner: Whose it is.
        slot: The slot's id for people.
        moment_of: The time of so many seconds since the machine's start.
    """
    started = facts.started_seconds if facts else None
    return Attributed(
        process=process,
        slot=slot,
        owner=owner,
        name=facts.name if facts else None,
        uid=facts.uid if facts else None,
        started_at=None if started is None else moment_of(started),
        started_seconds=started,
    )
