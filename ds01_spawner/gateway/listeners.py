"""Sockets that the gateway listens on: systemd's, or its own."""

import fcntl
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ds01_spawner.domain.errors import Conflict, Unavailable

FIRST_PASSED = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""

BACKLOG = 512
_MODE = 0o666
"""Everybody may connect: the kernel says who it is."""


def passed_sockets(environment: Mapping[str, str]) -> dict[str, socket.socket]:
    """The sockets that systemd opened for this process, by their names there (sd_listen_fds(3))."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(environment.get("LISTEN_FDS") or 0)
    names = (environment.get("LISTEN_FDNAMES") or "").split(":")
    found: dict[str, socket.socket] = {}
    for offset in range(count):
        opened = socket.socket(fileno=FIRST_PASSED + offset)
        opened.set_inheritable(False)
        opened.settimeout(0)
        name = names[offset] if offset < len(names) and names[offset] else str(offset)
        found[name] = opened
    return found


class OwnSocket:
    """A Unix socket of one's own, made whole in one step, so that clients never find half of it.

    A process that is replaced goes on with the connections it has; its successor has the path.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def listen(self) -> socket.socket:
        """The listening socket.

        Raises:
            Conflict: Another process listens there.
            Unavailable: It cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._take()
            return self._made()
        except OSError as exc:
            raise Unavailable(
                f"The socket {self.path} cannot be made: {exc.strerror}.",
                "Run the gateway as root, or choose another path with DS01_GATEWAY_SOCKET.",
            ) from exc

    def close(self) -> None:
        """Remove the path, if it is still one's own."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(lock)
            raise Conflict(
                f"Another gateway listens on {self.path}.", "Stop that one first."
            ) from exc
        self._lock = lock

    def _made(self) -> socket.socket:
        if self.path.exists() and not stat.S_ISSOCK(self.path.stat().st_mode):
            raise Unavailable(f"{self.path} exists and is not a socket.", "Remove it.")
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            draft.unlink()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(0)
        made.bind(str(draft))
        draft.chmod(_MODE)
        made.listen(BACKLOG)
        draft.rename(self.path)
        return made
