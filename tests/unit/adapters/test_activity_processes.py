import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.adapters.activity import KernelProcesses
from ds01_spawner.adapters.activity.kernel_text import Roots
from ds01_spawner.adapters.activity.terminals import payload_of
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import InvalidRequest
from fakes.kernel_tree import KernelTree, engine_id, running

_PATIENCE_SECONDS = 10
_HANDLER = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGUSR1, lambda *_: print('saved', flush=True))\n"
    "print('ready', flush=True)\n"
    "time.sleep(60)\n"
)
_NO_HANDLER = "import time; print('ready', flush=True); time.sleep(60)"
SHOWN = b"\x07\r\nYour work stops.\r\n"

Start = Callable[..., subprocess.Popen[bytes]]


class House:
    """A container whose processes are children of the test."""

    def __init__(self, path: Path) -> None:
        self.tree = KernelTree(path)
        self.container = running()
        self.processes = KernelProcesses(
            self.tree.info, self.tree.engine, Roots(str(self.tree.cgroups), "/proc")
        )
        self.hold()

    def hold(self, *pids: int) -> None:
        self.tree.cgroup(f"docker/{engine_id()}", *pids)

    def show(self) -> int:
        return self.processes.write_to_terminals(self.container, "Your work stops.")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[subprocess.Popen[bytes]] = []

    def start(script: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=stdin, stdout=subprocess.PIPE, stderr=stdin
        )
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_signal_reaches_only_those_that_handle_it(house: House, start: Start) -> None:
    handles, would_die, outside = start(_HANDLER), start(_NO_HANDLER), start(_HANDLER)
    house.hold(handles.pid, would_die.pid)
    assert house.processes.send_signal(house.container, "SIGUSR1") == 1
    assert said(handles) == b"saved\n"
    assert would_die.poll() is None
    outside.terminate()
    assert said(outside) == b""


def test_process_that_left_the_container_is_not_reached(house: House, start: Start) -> None:
    process = start(_HANDLER)
    house.hold()
    with house.processes._held(house.container, [process.pid]) as reached:
        assert reached == []
    house.hold(process.pid)
    with house.processes._held(house.container, [process.pid]) as reached:
        assert len(reached) == 1


def test_descriptors_are_given_back(house: House, start: Start) -> None:
    house.hold(*[start(_HANDLER).pid for _ in range(2)])
    before = len(list(Path("/proc/self/fd").iterdir()))
    house.processes.send_signal(house.container, "SIGUSR1")
    house.show()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_ended_processes_are_passed_over(house: House, start: Start) -> None:
    process = start(_HANDLER)
    process.kill()
    process.wait()
    house.hold(process.pid, 5_000_000)
    assert house.processes.send_signal(house.container, "SIGUSR1") == 0
    assert house.show() == 0


def test_zombie_is_passed_over(house: House, start: Start) -> None:
    process = start(_HANDLER)
    house.hold(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert house.processes.send_signal(house.container, "SIGUSR1") == 0


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP", "SIG_IGN", "USR1", "10", "", "SIGNOTHING"])
def test_what_is_no_signal_to_handle_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidRequest, match="not a signal"):
        house.processes.send_signal(house.container, name)


def test_container_that_does_not_run_is_left_alone(house: House, start: Start) -> None:
    house.hold(start(_HANDLER).pid)
    stopped = replace(house.container, state=ContainerState.EXITED)
    assert house.processes.send_signal(stopped, "SIGUSR1") == 0
    assert house.processes.write_to_terminals(running("b"), "text") == 0


def test_terminal_of_several_processes_is_written_once(
    house: House, start: Start, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    house.hold(*[start(_NO_HANDLER, slave).pid for _ in range(2)])
    assert house.show() == 1
    assert os.read(master, 4096) == SHOWN.replace(b"\r\n", b"\r\r\n")
    assert readable(master) == b""


def test_every_terminal_is_written(house: House, start: Start, terminal: tuple[int, int]) -> None:
    other_master, other_slave = pty.openpty()
    try:
        house.hold(*[start(_NO_HANDLER, slave).pid for slave in (terminal[1], other_slave)])
        assert house.show() == 2
        assert b"Your work stops." in readable(terminal[0])
        assert b"Your work stops." in readable(other_master)
    finally:
        os.close(other_master)
        os.close(other_slave)


def test_stopped_terminal_is_passed_over(
    house: House, start: Start, terminal: tuple[int, int]
) -> None:
    termios.tcflow(terminal[1], termios.TCOOFF)
    house.hold(start(_NO_HANDLER, terminal[1]).pid)
    assert house.show() == 0


def test_terminal_that_nobody_reads_does_not_hold_it_up(
    house: House, start: Start, terminal: tuple[int, int]
) -> None:
    house.hold(start(_NO_HANDLER, terminal[1]).pid)
    os.set_blocking(terminal[1], False)
    with suppress(BlockingIOError):
        while True:
            os.write(terminal[1], b"x" * 4096)
    began = time.monotonic()
    for _ in range(20):
        house.show()
    assert time.monotonic() - began < _PATIENCE_SECONDS


def test_terminal_that_hung_up_is_passed_over(house: House, start: Start) -> None:
    master, slave = pty.openpty()
    script = "import signal;signal.signal(signal.SIGHUP,signal.SIG_IGN);" + _NO_HANDLER
    house.hold(start(script, slave).pid)
    os.close(slave)
    os.close(master)
    assert house.show() == 0


def regular_file(path: Path) -> None:
    path.write_bytes(b"")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(major: int, minor: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        try:
            os.mknod(path, 0o20666, os.makedev(major, minor))
        except PermissionError:
            pytest.skip("needs a root that may make device files")

    return make


@pytest.mark.parametrize(
    "make", [regular_file, fifo, device(1, 3)], ids=["file", "fifo", "dev-null"]
)
def test_what_is_only_called_like_a_terminal_is_never_opened(
    house: House, start: Start, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    disguised = tmp_path / "dev" / "pts" / "0"
    disguised.parent.mkdir(parents=True)
    make(disguised)
    descriptor = os.open(disguised, os.O_RDWR)
    try:
        house.hold(start(_NO_HANDLER, descriptor).pid)
        assert house.show() == 0
        os.set_blocking(descriptor, False)
        with suppress(BlockingIOError):
            assert os.read(descriptor, 10) == b""
    finally:
        os.close(descriptor)


def test_the_other_end_of_a_terminal_is_never_written(
    house: House, start: Start, terminal: tuple[int, int]
) -> None:
    house.hold(start(_NO_HANDLER, terminal[0]).pid)
    assert house.show() == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc", "a\r\nb\r\nc"),
        ("\x1b]0;title\x07\x1b[2Jred\x9b31m", "]0;title[2Jred31m"),
        ("a\tb\x00\x7f\rc", "a bc"),
        ("for you\u202egnp\u200b \ud800", "for yougnp"),
        ("80 % · idle ≥ 2 h", "80 % · idle ≥ 2 h"),
        ("", ""),
    ],
)
def test_text_holds_no_control_characters(text: str, shown: str) -> None:
    assert payload_of(text) == f"\a\r\n{shown}\r\n".encode()


def readable(master: int) -> bytes:
    os.set_blocking(master, False)
    try:
        return os.read(master, 65536)
    except BlockingIOError:
        return b""
