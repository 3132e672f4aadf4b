"""Jupyter server extension: the notices of DS01, and "keep it running".

The platform mounts a folder read-only at /run/ds01 and writes there, as `NAME.json`, what the
person should know. `NAME` is what the person calls this server. JupyterLab's part is
`labextension/static/remoteEntry.js`.
"""

import errno
import json
import os
import re
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

FOLDER = Path("/run/ds01")
VERSION = 1
MAX_BYTES = 256 * 1024
MAX_NOTICES = 20
MAX_CHARACTERS = 4000
FIELDS = ("id", "kind", "title", "text", "created_at", "deadline", "keep_until")
NAME = re.compile(r"[^/\x00-\x1f]{1,128}")
FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def own_name() -> str:
    """What the person calls this server; empty where DS01 did not start it."""
    name = os.environ.get("DS01_CONTAINER", "")
    return name if NAME.fullmatch(name) else ""


def standing(folder: Path, name: str) -> list[dict[str, str | None]]:
    """The notices in the file of `name`; none where it is missing, damaged or too large."""
    try:
        with (folder / f"{name}.json").open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        board = json.loads(content) if len(content) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(board, dict) or board.get("version") != VERSION:
        return []
    notices = board.get("notices")
    found = [] if not isinstance(notices, list) else map(_readable, notices[:MAX_NOTICES])
    return [notice for notice in found if notice]


def _readable(entry: object) -> dict[str, str | None] | None:
    if not isinstance(entry, dict):
        return None
    fields = {
        key: value[:MAX_CHARACTERS] if isinstance(value := entry.get(key), str) else None
        for key in FIELDS
    }
    return fields if fields["id"] and fields["title"] else None


def ask_to_keep(home: Path, name: str) -> datetime:
    """Leave the file that asks the platform to keep `name` running, dated now; that moment.

    Raises:
        OSError: The home is full or may not be written to.
    """
    path = home / f".keep-alive.{name}"
    # O_NONBLOCK: what lies there may be a pipe that nobody reads.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        os.utime(file)
        return datetime.fromtimestamp(os.fstat(file).st_mtime, UTC)
    finally:
        os.close(file)


class NoticesHandler(APIHandler):
    """`GET ds01/notices`."""

    auth_resource = "ds01"
    # An open tab asks every 15 s: that is no sign of work.
    _track_activity = False

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Answer with what stands now."""
        name = own_name()
        notices = standing(FOLDER, name) if name else []
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"version": VERSION, "notices": notices}))


class KeepRunningHandler(APIHandler):
    """`POST ds01/keep-running`."""

    auth_resource = "ds01"

    @web.authenticated
    @authorized
    def post(self) -> None:
        """Ask the platform to keep this server running."""
        name = own_name()
        if not name:
            self._refuse(HTTPStatus.CONFLICT, "This server was not started by DS01.")
            return
        home = Path.home()
        try:
            kept_from = ask_to_keep(home, name)
        except OSError as exc:
            self.log.warning("cannot keep %s running: %s", name, exc)
            self._refuse(*_why_not(exc, home, name))
            return
        self.finish(json.dumps({"kept_from": kept_from.isoformat(timespec="seconds")}))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.set_status(status)
        self.finish(json.dumps({"message": message, "reason": status.phrase}))


def _why_not(exc: OSError, home: Path, name: str) -> tuple[HTTPStatus, str]:
    if exc.errno in FULL:
        return (
            HTTPStatus.INSUFFICIENT_STORAGE,
            "Your storage is full. Delete files that you no longer need, then try again.",
        )
    if exc.errno in UNWRITABLE:
        return (
            HTTPStatus.FORBIDDEN,
            f"Your folder {home} cannot be written to. Ask your administrator.",
        )
    return (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"The file .keep-alive.{name} in {home} cannot be made: {exc.strerror}.",
    )


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "ds01_notices"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    application: Any = server.web_app
    routes = [("ds01/notices", NoticesHandler), ("ds01/keep-running", KeepRunningHandler)]
    application.add_handlers(
        ".*$", [(url_path_join(server.base_url, path), handler) for path, handler in routes]
    )
