"""Whose a container is and how it came to be, whoever made it. Pure."""

from collections.abc import Iterable

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import OURS, Directory, Owner, Proof, WorkloadClass
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.names import SEPARATOR, cgroup_slug
from ds01_spawner.domain.people import FIRST_PERSON_ID

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_FOLDER = "com.docker.compose.project.working_dir"
_DEVCONTAINER_FOLDERS = ("devcontainer.local_folder", "vsch.local.folder")
_DEVCONTAINER_LABELS = (*_DEVCONTAINER_FOLDERS, "devcontainer.metadata", "devcontainer.config_file")
_AIME = "aime.mlc"


def class_of(container: Container) -> WorkloadClass:
    """How a container came to be."""
    marks = container.labels
    if marks.get(labels.MANAGED) == "true":
        return WorkloadClass.MANAGED
    if any(mark.startswith(_AIME) for mark in marks) or _aime_uid(container.name) is not None:
        return WorkloadClass.AIME
    if any(mark in marks for mark in _DEVCONTAINER_LABELS):  # Compose may have started it
        return WorkloadClass.DEVCONTAINER
    if COMPOSE_PROJECT in marks:
        return WorkloadClass.COMPOSE
    return WorkloadClass.DOCKER


def is_made_elsewhere(container: Container, instance: str) -> bool:
    """Whether another installation on this engine made a container; older ones name none."""
    marks = container.labels
    made_by = marks.get(labels.INSTANCE, instance)
    return marks.get(labels.MANAGED) == "true" and made_by != instance


def container_owner(container: Container, directory: Directory) -> Owner:
    """Whose a container is: what its labels say, else its folders, its name, its user id."""
    user, proof = _user_of(container, directory)
    marks = container.labels
    kind = class_of(container)
    return Owner(
        kind=kind,
        user=user,
        proof=proof,
        container_id=container.id,
        container=container.name,
        group=marks.get(labels.GROUP),
        project=marks.get(labels.PROJECT) or marks.get(COMPOSE_PROJECT),
        interface=labels.origin_of(marks) if kind is WorkloadClass.MANAGED else None,
        why="" if user else "Neither labels, folders, name nor user id of the container tell.",
        instance=marks.get(labels.INSTANCE) if kind is WorkloadClass.MANAGED else None,
    )


def may_be_step(container: Container, owner: Owner) -> bool:
    """Whether a container may be a step of a build that the gateway watches.

    The engine names those, without an owner's name. A step gets no GPU: what was given one was
    started past the platform, wherever it runs.
    """
    ours = owner.kind in OURS
    return (
        not ours
        and container.state.is_live
        and SEPARATOR not in container.name
        and not (container.demand)
    )


def step_owner(container: Container, slug: str, directory: Directory) -> Owner:
    """Whose a step of a build is: of the person in whose cgroup it runs.

    Args:
        container: The step.
        slug: What stands for the person in their cgroup's name.
        directory: Who is who.
    """
    labelled = labels.owner_of(container.labels)
    user = labelled if labelled and cgroup_slug(labelled) == slug else directory.person(slug)
    return Owner(
        kind=WorkloadClass.BUILD,
        user=user,
        proof=Proof.CGROUP if user else Proof.NONE,
        container_id=container.id,
        container=container.name,
        why="" if user else "The name of its cgroup does not tell whose it is.",
    )


def _user_of(container: Container, directory: Directory) -> tuple[str | None, Proof]:
    if labelled := labels.owner_of(container.labels):
        return labelled, Proof.LABEL
    owners = {directory.owner_of(folder) for folder in _folders_of(container)} - {None}
    if len(owners) == 1:
        return owners.pop(), Proof.FOLDER
    if container.labels.get(labels.MANAGED) != "true":
        _, separator, suffix = container.name.rpartition(SEPARATOR)
        if separator and (named := directory.person(suffix)):
            return named, Proof.NAME
    if container.uid is not None and container.uid >= FIRST_PERSON_ID:
        named = directory.name_of(container.uid)
        if named:
            return named, Proof.UID
    return None, Proof.NONE


def _folders_of(container: Container) -> Iterable[str]:
    for mark in (*_DEVCONTAINER_FOLDERS, COMPOSE_FOLDER):
        if folder := container.labels.get(mark):
            yield folder
    for mount in container.mounts:
        if mount.kind == "bind":
            yield mount.source


def _aime_uid(name: str) -> int | None:
    """AIME's `mlc` calls containers `name._.1001`."""
    _, separator, suffix = name.rpartition(SEPARATOR)
    return int(suffix) if separator and suffix.isdecimal() and suffix.isascii() else None
