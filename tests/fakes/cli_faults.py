"""What can be in the way of a command, by the columns of the table in `test_error_paths`."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ds01_spawner.client.problems import TooManyRequests, Unauthenticated, our_fault
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from fakes.api_server import Fault, hangs_up, is_silent, refuses, says
from fakes.cli_scene import Scene

Arrange = Callable[[Scene, str], None]
"""Puts something in the way of a command."""

STARTING = ("createContainer", "startContainer", "restartContainer", "getSshAccess")
BUILDING = ("startBuild",)
WRITING = (
    *(*STARTING, *BUILDING, "addSshKey", "stopContainer", "pauseContainer", "unpauseContainer"),
    *("retireContainer", "removeContainer", "extendContainer", "deleteImage", "pruneImages"),
)

NO_SLOT = NoCapacity("All 4 MIG slots are in use.", "Wait for your turn: --wait 15m.", place=2)
OVER = QuotaExceeded(
    "2 of 2 GPU slots in use (a, b).",
    "Stop one: ds01 container retire a.",
    limit="max_gpu_slots",
    used=2,
    asked=1,
    allowed=2,
)
TAKEN = Conflict("You have a container of that name already.", "Choose another name.")
NO_IMAGE = NotFound("You have no image called mine.", "See: ds01 image list.")
FULL = Unavailable("The server's disk is full.", "Tell your administrator.")
NO_RIGHT = Forbidden("Your account is closed.", "Ask your administrator.")
TOO_OFTEN = TooManyRequests("Too many requests.", "Wait a minute.", retry_after_seconds=60.0)
EXPIRED = Unauthenticated("This token has expired.", "Log in again.")

BROKEN_POLICY = "defaults:\n  max_gpu_slots: many\n"


def always(fault: Fault) -> Arrange:
    """Every request meets it."""

    def arrange(scene: Scene, _command: str) -> None:
        scene.server.fault = lambda _number: fault

    return arrange


def silent(scene: Scene, command: str) -> None:
    """Nobody answers in time."""
    scene.is_impatient()
    always(is_silent)(scene, command)


def nobody(scene: Scene, _command: str) -> None:
    """Sockets with nobody behind them: connections are refused."""
    scene.monkeypatch.setenv("DS01_GATEWAY_SOCKET", str(scene.server.nobody_socket))


def no_socket(scene: Scene, _command: str) -> None:
    """There is no gateway's socket."""
    scene.monkeypatch.setenv("DS01_GATEWAY_SOCKET", "/nonexistent/socket")


def hub_down(scene: Scene, _command: str) -> None:
    """Connections are refused where the hub was."""
    scene.server.shown_url = scene.server.nobody_url
    scene.monkeypatch.setenv("DS01_URL", scene.server.nobody_url)


def no_token(scene: Scene, _command: str) -> None:
    """Nothing says who asks."""
    scene.monkeypatch.delenv("DS01_TOKEN")


def refused(operations: Sequence[str], error: DS01Error) -> Arrange:
    """The API refuses to do any of these."""

    def arrange(scene: Scene, _command: str) -> None:
        scene.api.refuses |= dict.fromkeys(operations, error)

    return arrange


def taken(scene: Scene, command: str) -> None:
    """Something has the name."""
    if command == "image create":
        mine = scene.api.images[0].model_copy(update={"title": "fresh:latest"})
        scene.api.images.append(mine)
    elif command == "project init":
        (scene.home / "projects/sprout").mkdir()
        (scene.home / "projects/sprout/notes").touch()
    elif command == "admin aliases install":
        (scene.home / "bin/container").touch()
    else:
        scene.api.refuses["createContainer"] = TAKEN


def no_image(scene: Scene, _command: str) -> None:
    """Nobody has such an image."""
    scene.api.details.pop("mine")
    scene.api.refuses["createContainer"] = NO_IMAGE


def no_container(scene: Scene, _command: str) -> None:
    """Nobody has such a container."""
    scene.api.containers.clear()


def not_root(scene: Scene, _command: str) -> None:
    """The files are there, and somebody else's."""
    state = scene.folder / "state"
    state.mkdir(exist_ok=True)
    (state / "instance-id").write_text("a" * 32)
    scene.monkeypatch.setenv("DS01_STATE_DIR", str(state))


def no_platform(scene: Scene, _command: str) -> None:
    """Root, on another machine."""
    scene.monkeypatch.setattr(os, "geteuid", lambda: 0)


def broken_policy(scene: Scene, command: str) -> None:
    """Root, and a policy that says nonsense."""
    not_root(scene, command)
    config = scene.folder / "config"
    config.mkdir(exist_ok=True)
    (config / "resource-limits.yaml").write_text(BROKEN_POLICY)
    (scene.home / "old.yaml").write_text(BROKEN_POLICY)
    scene.monkeypatch.setenv("DS01_CONFIG_DIR", str(config))
    scene.monkeypatch.setattr(os, "geteuid", lambda: 0)


def no_policy(scene: Scene, command: str) -> None:
    """Root, and no policy."""
    broken_policy(scene, command)
    (scene.folder / "config/resource-limits.yaml").unlink()
    (scene.home / "old.yaml").unlink()


FAULTS: Mapping[str, Mapping[str, Arrange]] = {
    "gw": {
        "no socket": no_socket,
        "refused": nobody,
        "silent": silent,
        "gone": always(hangs_up),
        "error page": always(says(500, b"<h1>no</h1>")),
    },
    "rel": {
        "other facts": always(says(200, b'{"old": 1}', Content_Type="application/json")),
        "no JSON": always(says(200, b"hello", Content_Type="text/plain")),
    },
    "hub": {
        "down": hub_down,
        "silent": silent,
        "gone": always(hangs_up),
        "no gateway": always(says(503)),
        "bad gateway": always(says(502, b"<h1>Bad gateway</h1>", Content_Type="text/html")),
        "no hub": always(says(404, b"<h1>?</h1>", Content_Type="text/html")),
        "a login page": always(says(302, b"", Location="/hub/login")),
        "no token": no_token,
    },
    "tok": {"by the hub": always(says(401)), "by the API": always(refuses(EXPIRED))},
    "rgt": {"": always(refuses(NO_RIGHT))},
    "rat": {"": always(refuses(TOO_OFTEN))},
    "our": {"": always(refuses(our_fault("r1")))},
    "cap": {"": refused(STARTING, NO_SLOT)},
    "quo": {"": refused((*STARTING, *BUILDING), OVER)},
    "tak": {"": taken},
    "img": {"": no_image},
    "gon": {"": no_container},
    "srv": {"": refused(WRITING, FULL)},
    "adm": {"": not_root},
    "plt": {"": no_platform},
    "pol": {"broken": broken_policy, "missing": no_policy},
}
"""By column, with the ways in which it happens; `dsk` is `FullDisk`."""

FAR = frozenset({"hub", "tok"})
"""Columns that are met away from the server."""

ASKING = ("gw", "rel", "hub", "tok", "rgt", "rat", "our")
"""Columns that are met by whoever asks anything."""


class FullDisk:
    """A disk below a folder that is full after some files: what is written then cannot be.

    Args:
        folder: Where it is mounted.
        room: Files that can still be written.

    Attributes:
        was_full: Whether something could not be written.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self._room = room
        self.was_full = False
        self._open = open

    def open(self, file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        """In the place of `open`."""
        opened = self._open(file, mode, *arguments, **named)
        if not set(mode) & set("wax+") or not self._holds(opened.fileno()):
            return opened
        if self._room:
            self._room -= 1
            return opened
        return _Full(opened, self)

    def _holds(self, descriptor: int) -> bool:
        return Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(self._folder)


class _Full:
    """A file that was made, and takes nothing."""

    def __init__(self, file: Any, disk: FullDisk) -> None:
        self._file = file
        self._disk = disk

    def write(self, _data: object) -> int:
        self._disk.was_full = True
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
