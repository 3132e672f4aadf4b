"""Servers of the hub and what they can be started with, in words. Pure."""

from dataclasses import dataclass

from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words
from ds01_spawner.domain.wording import size
from ds01_spawner.home.images import called

STATES = {
    "stopped": "stopped",
    "starting": "is being started",
    "running": "runs",
    "stopping": "is being stopped",
}
"""What a server is doing, to stand behind what it is called."""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server.

    Attributes:
        name: The hub's name of it; empty for the unnamed one.
        title: For people.
        state: What it is doing, and where its start stands in the queue.
        gpu: What it has; empty for none.
        url: Where it is opened; empty where it does not run.
        stoppable: Whether it can be stopped, or its start broken off.
        startable: Whether it can be started.
    """

    name: str
    title: str
    state: str
    gpu: str
    url: str
    stoppable: bool
    startable: bool


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """An image that a server can be started with.

    Attributes:
        value: As it is asked for.
        reference: What the engine calls it.
        title: For people.
        usual: Whether it is what one gets without asking for any.
    """

    value: str
    reference: str
    title: str
    usual: bool


def row_of(server: m.Server) -> ServerRow:
    """A server in words."""
    place = "" if server.place is None else f". {place_words(server.place)}"
    live = server.state in {"running", "starting"}
    return ServerRow(
        server.name,
        server.title,
        f"{STATES[server.state]}{place}",
        ", ".join(server.gpu_slots),
        server.url if server.state == "running" else "",
        live,
        server.state == "stopped",
    )


def choices_of(images: m.Images) -> tuple[ImageChoice, ...]:
    """What a server can be started with."""
    return tuple(
        ImageChoice(each.key or each.reference, each.reference, _title(each), each.default)
        for each in images.images
    )


def _title(image: m.Image) -> str:
    about = "not here yet" if image.size_bytes is None else size(image.size_bytes)
    if image.own:
        return f"{called(image)} (yours, {about})"
    return f"{image.title} ({about})"
