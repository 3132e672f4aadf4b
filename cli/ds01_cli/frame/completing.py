"""Names for the Tab key, asked of the platform: in time, or none.

Give them as `typer.Argument(autocompletion=completing.containers)`.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Image

SECONDS = 1.0
"""Longer than that nobody waits for the Tab key."""


def containers(incomplete: str) -> list[tuple[str, str]]:
    """One's containers, each with its state."""
    return _beginning(
        incomplete, lambda client: ((c.name, c.state) for c in client.containers().containers)
    )


def running_containers(incomplete: str) -> list[tuple[str, str]]:
    """Those of one's containers that run, each with its state."""
    return [(name, state) for name, state in containers(incomplete) if state == "running"]


def images(incomplete: str) -> list[tuple[str, str]]:
    """What one may start: short names of the catalogue, and one's own."""
    return _beginning(
        incomplete, lambda client: ((_called(i), i.title) for i in client.images().images)
    )


def own_images(incomplete: str) -> list[tuple[str, str]]:
    """Images of one's own."""
    return _beginning(
        incomplete,
        lambda client: ((_called(i), i.title) for i in client.images().images if i.own),
    )


def projects(incomplete: str) -> list[str]:
    """Projects in their usual folder; nothing is asked of the platform."""
    from ds01_cli.frame import here  # noqa: PLC0415 - only where names are asked for

    try:
        folders = sorted(here.projects().iterdir())
    except OSError:
        return []
    return [each.name for each in folders if each.is_dir() and each.name.startswith(incomplete)]


def sides(incomplete: str) -> list[tuple[str, str]]:
    """One's containers as `ds01 cp` takes them; files are the shell's."""
    return [(f"{name}:", state) for name, state in containers(incomplete) if ":" not in incomplete]


def _called(image: "Image") -> str:
    """What a person calls an image: the owner is no part of it."""
    return image.key or image.title.removesuffix(":latest")


def _beginning(
    incomplete: str, ask: "Callable[[Client], Iterable[tuple[str, str]]]"
) -> list[tuple[str, str]]:
    answers: queue.SimpleQueue[list[tuple[str, str]]] = queue.SimpleQueue()
    # A thread that nobody waits for: it ends with the program.
    threading.Thread(target=_ask, args=(ask, answers), daemon=True).start()
    try:
        found = answers.get(timeout=SECONDS)
    except queue.Empty:
        return []
    return [(name, text) for name, text in found if name.startswith(incomplete)]


def _ask(
    ask: "Callable[[Client], Iterable[tuple[str, str]]]",
    answers: queue.SimpleQueue[list[tuple[str, str]]],
) -> None:
    from ds01_cli.frame import session  # noqa: PLC0415 - only where names are asked for
    from ds01_spawner.domain.errors import DS01Error  # noqa: PLC0415 - the same

    found: list[tuple[str, str]] = []
    # Whatever is wrong, there are no names; a line on a terminal would be taken for what was typed.
    with suppress(DS01Error, OSError, ValueError), session.connect() as client:
        found = list(ask(client))
    answers.put(found)
