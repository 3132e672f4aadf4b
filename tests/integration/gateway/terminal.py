"""A person at a terminal, typing to the real docker program."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from integration.gateway.people import Person

SECONDS = 60.0
ROWS, COLUMNS = 41, 101


class Terminal:
    """A terminal with `docker …` in it, or another program."""

    def __init__(
        self,
        person: Person,
        *arguments: str,
        program: str = "docker",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._master, client = pty.openpty()
        self.resize(ROWS, COLUMNS)
        account = person.account
        # setsid makes the terminal the session's own, so that Ctrl-C reaches the program.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", program, *arguments],
            stdin=client,
            stdout=client,
            stderr=client,
            user=account.uid,
            group=account.gid,
            extra_groups=os.getgrouplist(account.name, account.gid),
            cwd=account.home,
            env={**person.environment, "TERM": "xterm", **(environment or {})},
        )
        os.close(client)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    @property
    def _last(self) -> str:
        return repr(self.seen[-500:])

    def wait_for(self, text: str, seconds: float = SECONDS) -> str:
        """What is on the terminal up to and with `text`; later calls look at what comes after."""
        wanted, deadline = text.encode(), time.monotonic() + seconds
        while wanted not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self._last}"
            assert self._read(0.2), f"ended without {text!r}: {self._last}"
        before, _, self.seen = self.seen.partition(wanted)
        return (before + wanted).decode(errors="replace")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def end(self, seconds: float = SECONDS) -> int:
        """The exit code, when it has ended; what it still says is read meanwhile."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"runs on: {self._last}"
            self._read(0.1)
        return self.process.returncode

    def kill(self) -> None:
        """`kill -9` what runs in it."""
        for child in _children(self.process.pid):
            os.kill(child, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Kill what runs in it, and take it away."""
        self.kill()
        os.close(self._master)

    def _read(self, seconds: float) -> bool:
        """Whether anything may follow."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            read = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += read
        return bool(read)


@contextmanager
def terminal(person: Person, *arguments: str) -> Iterator[Terminal]:
    """`docker …` at a terminal; killed afterwards if it still runs."""
    opened = Terminal(person, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(each) for each in file.read().split()]
    except OSError:
        return []
