"""What somebody wants, by flags or by answers: both give the same request, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import typer

from ds01_cli.container.options import Contents, Equipment
from ds01_cli.container.with_framework import image_with
from ds01_cli.container.wizard import NO_GPU, answered
from ds01_cli.frame import asking, guide, here
from ds01_spawner.client import Client
from ds01_spawner.client.models import CreateRequest
from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.domain.names import check_name, check_project
from ds01_spawner.domain.request import MAX_SLOTS_PER_REQUEST, GpuKind, GpuRequest
from ds01_spawner.domain.units import parse_duration

T = TypeVar("T")

_LONGEST_WAIT = timedelta(hours=24)
_NO_WAIT = frozenset({"", "0", "no", "none"})


@dataclass(frozen=True, kw_only=True)
class Flags(Contents):
    """What was said on the command line; `None` was not said.

    Attributes:
        name: What it is going to be called.
        wait: How long to wait for its GPU.
        command: What runs in it.
        start: Whether it is started.
    """

    name: str | None = None
    wait: str | None = None
    command: Sequence[str] = ()
    start: bool = True


def wanted(client: Client, flags: Flags) -> CreateRequest:
    """The container of what was said, with what is asked for the rest.

    Who says a name gets what is usual for everything else; who does not is asked.

    Raises:
        BadParameter: Something makes no sense, or has to be asked and there is nobody to ask.
        NotFound: No image has the framework, or the project has no folder.
    """
    size, count = gpu_of(flags)
    _check(flags)
    usual = None if flags.workspace else _project_folder(flags.project)
    if flags.name is None or (guide.is_on() and asking.can_ask()):
        answers = answered(
            client,
            flags.name,
            flags.image or flags.framework,
            size,
            flags.workspace,
            project_folder=usual,
        )
        name, image, workspace = answers.name, answers.image, answers.workspace
        size = answers.gpu
        count = 0 if size == NO_GPU else count
    else:
        name, image, workspace = flags.name, flags.image, flags.workspace
    if flags.framework is not None:
        image = image_with(client, flags.framework)
    elif flags.image is not None:
        image = flags.image
    return CreateRequest(
        name=name,
        image=image,
        gpus=count,
        gpu=None if size == NO_GPU else size,
        wait=wait_of(flags.wait),
        workspace=folder(workspace or usual),
        data=folder(flags.data),
        folders=tuple(map(_mount, flags.folders or ())),
        project=flags.project,
        environment=dict(map(_variable, flags.variables or ())),
        command=tuple(flags.command) or None,
        start=flags.start,
    )


def gpu_of(flags: Equipment) -> tuple[str | None, int]:
    """Size and count of the GPU slots; one of any size where nothing is said.

    Raises:
        BadParameter: It makes no sense.
    """
    if flags.cpu_only:
        if flags.gpu is not None or flags.num_gpus:
            raise typer.BadParameter(
                "--cpu-only is without a GPU. Leave out --gpu and --num-gpus.",
                param_hint="--cpu-only",
            )
        return NO_GPU, 0
    if flags.num_gpus is not None and not 0 <= flags.num_gpus <= MAX_SLOTS_PER_REQUEST:
        raise typer.BadParameter(
            f"{flags.num_gpus} GPU slots cannot be given. Ask for 1 to {MAX_SLOTS_PER_REQUEST}.",
            param_hint="--num-gpus",
        )
    if flags.num_gpus == 0:
        return NO_GPU, 0
    count = flags.num_gpus or 1
    if flags.gpu is None:
        return None, count
    asked = _checked(lambda text: GpuRequest.parse(text, count), flags.gpu, "--gpu")
    return (NO_GPU, 0) if asked.kind is GpuKind.NONE else (flags.gpu, count)


def wait_of(text: str | None) -> str | None:
    """How long to wait, as the API takes it; `None` is not at all.

    Raises:
        BadParameter: It is no time, or too long.
    """
    if text is None or text.strip().lower() in _NO_WAIT:
        return None
    try:
        time = parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{exc}. Try 15m or 4h.", param_hint="--wait") from exc
    if time is None or time > _LONGEST_WAIT:
        raise typer.BadParameter("Nobody waits longer than 24h.", param_hint="--wait")
    return text.strip() if time else None


def folder(text: str | None) -> str | None:
    """A folder of the server, as the API takes it.

    On the server it is meant from where one is, elsewhere from one's home on the server. In a
    container, too; what it calls `/workspace` is named as the server knows it.

    Raises:
        InvalidRequest: It is only in the container in which one is.
    """
    if not text or text.startswith("~"):
        return text or None
    if text.startswith("/") and not here.in_container():
        return text
    return here.server_path(text) if here.on_server() else text


def _mount(text: str) -> str:
    source, colon, rest = text.partition(":")
    if not colon or not rest.startswith("/"):
        raise typer.BadParameter(
            f"{text} has no place in the container. Try {source or 'data'}:/data:ro.",
            param_hint="--folder",
        )
    return f"{folder(source)}:{rest}"


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text} is no variable. Try NAME=VALUE.", param_hint="--env")
    return name, value


def _check(flags: Flags) -> None:
    if flags.image is not None and flags.framework is not None:
        raise typer.BadParameter(
            "Say --image or --framework: an image has its framework in it.",
            param_hint="--framework",
        )
    if flags.name is not None:
        _checked(check_name, flags.name, "NAME")
    if flags.project is not None:
        _checked(check_project, flags.project, "--project")
    wait_of(flags.wait)


def _checked(check: Callable[[str], T], text: str, hint: str) -> T:
    try:
        return check(text)
    except InvalidRequest as exc:
        raise typer.BadParameter(str(exc), param_hint=hint) from exc


def _project_folder(project: str | None) -> str | None:
    """Where a project is: on the server, where `ds01 project init` makes them.

    Raises:
        NotFound: It is not there.
    """
    if project is None or not here.on_server():
        return None
    found = here.projects() / project
    if not found.is_dir():
        raise NotFound(
            f"There is no project {project} in ~/{here.PROJECTS}.",
            f"Begin it: ds01 project init {project}; or say where it is: --workspace FOLDER.",
        )
    return str(found)
