"""Labels that a client puts on a container: wishes to the platform, kept ones, and forgeries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import check_project, shown
from ds01_spawner.domain.units import parse_duration

LONGEST_WAIT = timedelta(hours=24)
_COMPOSE_PROJECT = "com.docker.compose.project"
_DEV_CONTAINER = (
    *("devcontainer.local_folder", "devcontainer.config_file", "devcontainer.metadata"),
    "vsch.local.folder",
)
_WISHES = frozenset({labels.WISH_GPU, labels.WISH_WAIT, labels.PROJECT})


@dataclass(frozen=True, slots=True)
class AskedLabels:
    """What labels say.

    Attributes:
        kept: Labels for the container.
        interface: What made the request, as its labels show.
        gpu_size: Size of GPU slot wished for (`ds01.gpu`).
        wait: How long to wait for one (`ds01.wait`); `None` for not at all.
        project: Project (`ds01.project`, or else Compose's).
    """

    kept: Mapping[str, str] = field(default_factory=dict)
    interface: Interface = Interface.DOCKER
    gpu_size: str | None = None
    wait: timedelta | None = None
    project: str | None = None


def asked_labels(given: Mapping[str, str], user: str) -> tuple[AskedLabels, tuple[str, ...]]:
    """What `given` says, and what the client should be told about it.

    Raises:
        InvalidRequest: A wish cannot be understood.
    """
    kept = {key: value for key, value in given.items() if not key.startswith(labels.PREFIX)}
    if labels.LEGACY_USER in kept:
        kept[labels.LEGACY_USER] = user
    asked = AskedLabels(
        kept=kept,
        interface=_interface(given),
        gpu_size=given.get(labels.WISH_GPU),
        wait=_wait(given.get(labels.WISH_WAIT)),
        project=_project(given),
    )
    forged = sorted(key for key in given if key.startswith(labels.PREFIX) and key not in _WISHES)
    if not forged:
        return asked, ()
    listed = ", ".join(shown(key)[1:-1] for key in forged[:5])
    return asked, (
        f"Labels that begin with {labels.PREFIX} are the platform's; dropped: {listed}.",
    )


def _interface(given: Mapping[str, str]) -> Interface:
    # A dev container that Compose starts has the labels of both.
    if any(key in given for key in _DEV_CONTAINER):
        return Interface.DEVCONTAINER
    return Interface.COMPOSE if _COMPOSE_PROJECT in given else Interface.DOCKER


def _wait(text: str | None) -> timedelta | None:
    if not text:
        return None
    try:
        wait = parse_duration(text)
    except ValueError as exc:
        raise InvalidRequest(
            f"The label {labels.WISH_WAIT}={shown(text)[1:-1]} is not a duration.",
            f"Write it as {labels.WISH_WAIT}=15m.",
        ) from exc
    if wait > LONGEST_WAIT:
        raise InvalidRequest(
            "Waiting is limited to 24 hours.", f"Use {labels.WISH_WAIT}=24h or less."
        )
    return wait or None


def _project(given: Mapping[str, str]) -> str | None:
    if project := given.get(labels.PROJECT):
        return check_project(project)
    compose = given.get(_COMPOSE_PROJECT)
    if not compose:
        return None
    try:
        return check_project(compose)
    except InvalidRequest:  # Compose's own label has no such rule
        return None
