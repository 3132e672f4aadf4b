"""What is asked of who makes a container: its name, its image, its GPU, its folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01_cli.container.with_framework import own_name
from ds01_cli.frame import asking, guide
from ds01_cli.frame.asking import Choice
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.gpu import FULL_PROFILE
from ds01_spawner.domain.names import check_name
from ds01_spawner.domain.wording import size

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import GpuSlot, Image, Me, Usage

NO_GPU = "none"
_HOME = "~"
_FREE = "free"
_NOT_THERE = "unavailable"


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody chose.

    Attributes:
        name: What it is going to be called.
        image: Of what it is made; `None` is the usual one.
        gpu: Size of its slots.
        workspace: The folder that becomes `/workspace`; `None` is none.
    """

    name: str
    image: str | None
    gpu: str
    workspace: str | None


def answered(  # noqa: PLR0913 - what was said
    client: "Client",
    name: str | None,
    image: str | None,
    gpu: str | None,
    workspace: str | None,
    *,
    project_folder: str | None = None,
) -> Answers:
    """What was said, and what is asked for the rest.

    Args:
        client: Knows what there is.
        name: As it was said.
        image: As it was said.
        gpu: As it was said.
        workspace: As it was said.
        project_folder: What `/workspace` is where nothing else is said.

    Raises:
        BadParameter: Something has to be asked, and there is nobody to ask.
    """
    guide.tell("name")
    if name is None:
        name = _name(client)
    guide.tell("image")
    if image is None:
        image = _image(client.images().images)
    guide.tell("gpu")
    if gpu is None:
        gpu = _gpu(client)
    guide.tell("workspace")
    if workspace is None:
        workspace = _workspace(project_folder)
    return Answers(name, image, gpu, workspace)


def _workspace(project_folder: str | None) -> str | None:
    usual = "your whole home" if project_folder is None else "the project's folder"
    text = asking.text(
        f"Folder with your work, from your home (Enter: {usual})",
        "--workspace",
        default=project_folder or _HOME,
    )
    if text.rstrip("/") == _HOME:
        return None if project_folder is None else _HOME
    return text if text.startswith(("/", _HOME)) else f"{_HOME}/{text}"


def _name(client: "Client") -> str:
    asking_for = "Name of the container"
    if not asking.can_ask():  # before the API is asked for anything
        raise asking.NobodyToAsk(asking_for, "NAME")
    taken = {each.name for each in client.containers().containers}

    def check(text: str) -> str:
        try:
            name = check_name(text)
        except InvalidRequest as exc:
            raise ValueError(str(exc)) from exc
        if name in taken:
            raise ValueError(f"You have a container called {name} already. Choose another name.")
        return name

    return asking.text(asking_for, "NAME", check=check)


def _image(images: Sequence["Image"]) -> str | None:
    usual = next((each for each in images if each.default), None)
    if len(images) <= 1:
        return None
    options = [Choice(_said(each), _said(each), _about(each)) for each in images]
    return asking.choose("Image", options, "--image", None if usual is None else _said(usual))


def _said(image: "Image") -> str:
    return own_name(image) if image.own else image.key or image.reference


def _about(image: "Image") -> str:
    if image.own:
        return "yours"
    text = f"{image.title}. {image.description}".strip(". ")
    return text if image.present else f"{text} (is fetched first, which takes a while)"


def _gpu(client: "Client") -> str:
    slots = client.gpus().slots
    me = client.me()
    options = gpu_choices(slots, allow_full=_may_have_full(me))
    return asking.choose(f"GPU{_used(me)}", options, "--gpu", usual_gpu(options, me))


def usual_gpu(options: Sequence[Choice[str]], me: "Me") -> str:
    """The smallest size that is free, else the smallest; none for who has all that they may."""
    limit = _limit(me)
    if limit is not None and (limit.used or 0) >= (limit.allowed or 0):
        return NO_GPU
    free = (each.value for each in options if each.value != NO_GPU and _any(each))
    return next(free, options[0].value)


def gpu_choices(slots: Iterable["GpuSlot"], *, allow_full: bool) -> list[Choice[str]]:
    """Sizes that there are, the smallest first, with how many are free; and none at all."""
    usable = [
        each
        for each in slots
        if each.use == "interactive" and each.profile and each.state != _NOT_THERE
    ]
    count = Counter(each.profile for each in usable)
    free = Counter(each.profile for each in usable if each.state == _FREE)
    first = {each.profile: each for each in reversed(usable)}
    found = sorted(first.values(), key=lambda each: (each.equivalents or 0, each.profile or ""))
    return [
        *(
            Choice(
                each.profile or "",
                each.profile or "",
                f"{_free(free[each.profile], count[each.profile])}, {_memory(each)}",
            )
            for each in found
            if allow_full or each.profile != FULL_PROFILE
        ),
        Choice(NO_GPU, NO_GPU, "no GPU: enough for tables, plots, and preparing data"),
    ]


def _free(free: int, count: int) -> str:
    return f"{free} of {count} free" if free else f"0 of {count} free: you would wait"


def _memory(slot: "GpuSlot") -> str:
    words = "a whole GPU" if slot.profile == FULL_PROFILE else "a part of a GPU"
    return words if slot.memory_bytes is None else f"{words} with {size(slot.memory_bytes)}"


def _any(choice: Choice[str]) -> bool:
    return not choice.hint.startswith("0 ")


def _may_have_full(me: "Me") -> bool:
    limit = None if me.explanation is None else me.explanation.limits.get("allow_full_gpu")
    return limit is None or limit.value is not False


def _used(me: "Me") -> str:
    limit = _limit(me)
    if limit is None:
        return ""
    return f" (you have {limit.used:g} of {limit.allowed:g} slots in use)"


def _limit(me: "Me") -> "Usage | None":
    found = next((each for each in me.usage if each.limit == "max_gpu_slots"), None)
    return None if found is None or found.allowed is None or found.used is None else found
