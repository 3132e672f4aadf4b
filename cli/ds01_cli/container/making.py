"""Makes a container, and says how far it is: its place in the queue, and what is done."""

import sys
import time
from typing import TYPE_CHECKING

from ds01_cli.frame import printing, waiting
from ds01_spawner.client import words
from ds01_spawner.domain.errors import DS01Error, NotFound

if TYPE_CHECKING:
    from ds01_cli.frame.waiting import Status
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, CreateRequest, Place, Step

_SECONDS = 4.0
_LOOK_SECONDS = 0.25


def made(client: "Client", wanted: "CreateRequest") -> "Container":
    """The container, made and started as was wanted; progress is on stderr.

    Raises:
        DS01Error: There is none; nothing of it is left.
        KeyboardInterrupt: Somebody pressed Ctrl-C; they were told that nothing of it is left.
    """
    with waiting.status("Asking for the container …") as status:
        progress = _Progress(status)
        try:
            return client.create(wanted, on_place=progress.place, on_step=progress.step)
        except KeyboardInterrupt:
            if progress.begun and wanted.name is not None:
                status.update("Taking back what was begun …")
                _take_back(client, wanted.name)
    printing.console(stderr=True).print(progress.ended)
    raise KeyboardInterrupt


def _take_back(client: "Client", name: str) -> None:
    """See to it that the container goes, also if it was ready at the very moment of Ctrl-C.

    Otherwise the server takes it back by itself, which takes it a moment.
    """
    deadline = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < deadline:
            client.container(name)
            time.sleep(_LOOK_SECONDS)
        client.remove(name, force=True)
    except NotFound:
        return
    except DS01Error as exc:
        printing.note(f"{exc} Look whether it is gone: ds01 container show {name}")


class _Progress:
    def __init__(self, status: "Status") -> None:
        self._status = status
        self.ended = "Stopped. Nothing was made."
        self.begun = False

    def place(self, place: "Place") -> None:
        self.ended = "You left the queue. Nothing was made."
        self._status.update(place_words(place))

    def step(self, step: "Step") -> None:
        self.begun = True
        self.ended = "Stopped. What was begun is taken back: nothing of it stays."
        self._status.update(step.text)


def place_words(place: "Place") -> str:
    """`Waiting for a MIG slot: you are number 2 of 3. All are in use. …`."""
    give_up = " Ctrl-C gives your place up." if place.place and sys.stderr.isatty() else ""
    return f"{words.place_words(place)}{give_up}"
