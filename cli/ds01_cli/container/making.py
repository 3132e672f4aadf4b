"""Makes a container, and says how far it is: its place in the queue, and what is done."""

import sys
from typing import TYPE_CHECKING

from ds01_cli.frame import printing, waiting

if TYPE_CHECKING:
    from ds01_cli.frame.waiting import Status
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, CreateRequest, Place, Step


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
            ended = progress.ended
    printing.console(stderr=True).print(ended)
    raise KeyboardInterrupt


class _Progress:
    def __init__(self, status: "Status") -> None:
        self._status = status
        self.ended = "Stopped. Nothing was made."

    def place(self, place: "Place") -> None:
        self.ended = "You left the queue. Nothing was made."
        self._status.update(place_words(place))

    def step(self, step: "Step") -> None:
        self.ended = "Stopped. What was begun is taken back: nothing of it stays."
        self._status.update(step.text)


def place_words(place: "Place") -> str:
    """`Waiting for 1 MIG slot: you are number 2 of 3. All are in use. …`."""
    if place.place == 0:
        return f"Your turn: you get {place.gpu}."
    where = f"you are number {place.place} of {place.length}"
    if place.length <= 1:
        where = "you are the next"
    reason = f" {place.reason}" if place.reason else ""
    give_up = " Ctrl-C gives your place up." if sys.stderr.isatty() else ""
    return f"Waiting for {place.gpu}: {where}.{reason}{give_up}"
