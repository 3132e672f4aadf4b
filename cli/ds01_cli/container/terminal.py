"""Between this process and a command in a container: its input, output, terminal and signals."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from ds01_cli.frame import printing
from ds01_spawner.client.streams import STDERR, Session

PIPE_CLOSED = 141
"""What a shell says of a program that wrote to nobody: 128 and SIGPIPE."""

_PIECE_BYTES = 64 * 1024
_END_SECONDS = 2.0
_USUAL_SIZE = (24, 80)
_ENDING = ("SIGTERM", "SIGHUP")


def size_of(descriptor: int) -> tuple[int, int]:
    """Rows and columns of a terminal."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return _USUAL_SIZE
    return (found.lines, found.columns) if found.lines and found.columns else _USUAL_SIZE


def carried(session: Session, *, terminal: bool, takes_input: bool) -> int:
    """Carry input and output until the command ends; its exit code.

    Args:
        session: The command.
        terminal: Whether this process's terminal becomes the command's: keys go to it as they are
            pressed, Ctrl-C too, and it learns when the window changes its size.
        takes_input: Whether it gets what this process reads.

    Raises:
        Unavailable: The connection broke.
    """
    descriptor = sys.stdin.fileno() if takes_input else -1
    with ExitStack() as stack:
        feeder = _Feeder(session, descriptor)
        stack.callback(feeder.end)
        if terminal:
            stack.enter_context(_raw(descriptor))
            stack.enter_context(_on_signals(feeder))
        if takes_input:
            feeder.start()
        else:
            session.end_input()
        try:
            _copy(session)
        except BrokenPipeError:
            _point_nowhere()
            return PIPE_CLOSED
        return session.exit_code()


class _Feeder(threading.Thread):
    """Gives the command what is typed or piped in, and tells it the size of the window."""

    def __init__(self, session: Session, descriptor: int) -> None:
        super().__init__(name="input", daemon=True)
        self._session = session
        self._descriptor = descriptor
        self._woken, self._wake = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(self._wake, False)

    def resized(self) -> None:
        """The window has another size; safe in a signal handler."""
        with _ignored():
            os.write(self._wake, b"r")

    def end(self) -> None:
        """Nothing more is to be given to it."""
        with _ignored():
            os.write(self._wake, b"q")
        self._session.close()  # it may wait for the command to take something
        if self.is_alive():
            self.join(_END_SECONDS)
        if not self.is_alive():
            os.close(self._woken)
            os.close(self._wake)

    def run(self) -> None:
        """Until the end of input, or of the command."""
        reads = True
        while True:
            what = _waited(self._woken, self._descriptor if reads else None)
            if what == b"q":
                return
            if what == b"r":
                self._session.resize(*size_of(self._descriptor))
                continue
            data = _read(self._descriptor)
            if data:
                self._session.write(data)
            else:
                reads = False
                self._session.end_input()


def _waited(woken: int, descriptor: int | None) -> bytes:
    """What the main thread says; empty when there is something to read."""
    if sys.platform == "win32":
        return b"" if descriptor is not None else os.read(woken, 1)
    wanted = [woken] if descriptor is None else [woken, descriptor]
    ready, _, _ = select.select(wanted, [], [])
    return os.read(woken, 1) if woken in ready else b""


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE_BYTES)
    except OSError:  # the terminal is gone
        return b""


def _copy(session: Session) -> None:
    sys.stdout.flush()
    places = {STDERR: sys.stderr.fileno()}
    out = sys.stdout.fileno()
    while (read := session.read()) is not None:
        stream, data = read
        _write(places.get(stream, out), data)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # somebody made the terminal so; it is ready again soon
            select.select([], [descriptor], [])


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Keys are given as they are pressed; afterwards the terminal is as it was."""
    try:
        import termios  # noqa: PLC0415 - Windows has none
        import tty  # noqa: PLC0415 - the same
    except ImportError:
        printing.note("On Windows what you type is sent line by line; ds01 ssh does without that.")
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _on_signals(feeder: _Feeder) -> Iterator[None]:
    """A window that changes is told; who is ended puts the terminal in order first."""

    def resized(_number: int, _frame: FrameType | None) -> None:
        feeder.resized()

    def ended(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    wanted = dict.fromkeys(_ENDING, ended) | {"SIGWINCH": resized}
    known = {getattr(signal, name): deed for name, deed in wanted.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, deed) for number, deed in known.items()}
    try:
        yield
    finally:
        for number, deed in before.items():
            signal.signal(number, deed)


def _point_nowhere() -> None:
    """Python flushes at its end, and would complain of a pipe that nobody reads."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def _ignored() -> Iterator[None]:
    try:
        yield
    except OSError:  # it is full of the same, or closed
        return
