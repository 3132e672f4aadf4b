import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.process_table import ProcessTableContract, Put
from ds01_spawner.adapters import process_table
from ds01_spawner.adapters.activity.kernel_text import read_kernel
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.domain.attribution import ProcessFacts
from fakes.process_folders import ProcessFolders
from fakes.process_table import FakeProcessTable


class TestFakeProcessTable(ProcessTableContract):
    @pytest.fixture
    def table(self) -> FakeProcessTable:
        return FakeProcessTable()

    @pytest.fixture
    def put(self, table: FakeProcessTable) -> Put:
        return table.put


class TestKernelProcessTable(ProcessTableContract):
    """With the fixtures below."""


@pytest.fixture
def folders(tmp_path: Path) -> ProcessFolders:
    return ProcessFolders(tmp_path / "proc")


@pytest.fixture
def put(folders: ProcessFolders) -> Callable[..., object]:
    return folders.put


@pytest.fixture
def table(folders: ProcessFolders) -> KernelProcessTable:
    return KernelProcessTable(str(folders.path))


def test_the_kernels_own_files_are_read() -> None:
    found = KernelProcessTable().look([os.getpid()])[os.getpid()]
    assert found.uid == os.getuid()
    assert found.cgroup
    assert found.name
    assert found.started_seconds is not None
    assert 0 < found.started_seconds <= KernelProcessTable().seconds_up()


def test_a_process_that_only_waits_to_be_buried_is_left_out() -> None:
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert KernelProcessTable().look([child.pid]) == {}
    child.wait()


HEADLESS = """
import ctypes, os, threading, time
threading.Thread(target=lambda: (time.sleep(60), os._exit(0))).start()
ctypes.CDLL(None).pthread_exit(None)
"""
BOUND_SECONDS = 20.0


def eventually(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + BOUND_SECONDS
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def test_a_process_whose_first_thread_has_ended_does_not_hide_by_that() -> None:
    table = KernelProcessTable()
    with subprocess.Popen([sys.executable, "-c", HEADLESS]) as child:
        try:
            stat = Path(f"/proc/{child.pid}/stat")
            assert eventually(lambda: ") Z " in stat.read_text())
            found = table.look([child.pid])[child.pid]
            assert found.uid == os.getuid()
            mine = table.look([os.getpid()])[os.getpid()]
            assert set((mine.cgroup or "?").splitlines()) <= set((found.cgroup or "").splitlines())
            assert found.started_seconds is not None
            assert table.signal(child.pid, found.started_seconds, signal.SIGKILL)
            assert child.wait(BOUND_SECONDS) == -signal.SIGKILL
        finally:
            child.kill()


def test_where_it_runs_is_told_by_the_threads_that_go_on(
    folders: ProcessFolders, table: KernelProcessTable
) -> None:
    folder = folders.put(7, state="Z", cgroup="4:memory:/\n", threads=2)
    for thread, cgroup in ((7, "4:memory:/\n"), (8, "4:memory:/docker/abc\n")):
        (folder / "task" / str(thread)).mkdir(parents=True)
        (folder / "task" / str(thread) / "cgroup").write_text(cgroup)
    assert "4:memory:/docker/abc" in (table.look([7])[7].cgroup or "").splitlines()
    folders.put(8, state="Z", threads=1)
    assert 8 not in table.look([8])


@pytest.mark.parametrize("deeper", [(), ("unshare", "--user", "--map-root-user")])
def test_who_made_a_user_namespace_is_told(deeper: tuple[str, ...]) -> None:
    command = ("unshare", "--user", "--map-root-user", *deeper, "sleep", "60")
    if subprocess.run([*command[:3], "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    table = KernelProcessTable()
    with subprocess.Popen(command) as child:
        try:
            assert eventually(lambda: table.look([child.pid])[child.pid].name == "sleep")
            assert table.look([child.pid])[child.pid].namespace_uid == os.getuid()
        finally:
            child.kill()
    assert table.look([os.getpid()])[os.getpid()].namespace_uid is None


def test_names_may_hold_parentheses_and_never_end_a_line(
    folders: ProcessFolders, table: KernelProcessTable
) -> None:
    folders.put(7, name="a) S 1 (\x1b[2J\nb")
    assert table.look([7])[7].name == "a) S 1 (?[2J?b"


@pytest.mark.parametrize("broken", ["", "7 (python", "7 (python) S", "\0" * 100, "x" * 300_000])
def test_a_broken_entry_leaves_the_others_whole(
    broken: str, folders: ProcessFolders, table: KernelProcessTable
) -> None:
    folder = folders.put(7)
    folders.put(8)
    (folder / "stat").write_text(broken)
    found = table.look([7, 8])
    assert found[7] == ProcessFacts(7, None, 1000, None, "0::/user.slice\n")
    assert found[8].name == "python"


@pytest.mark.parametrize("file", ["stat", "status", "cgroup"])
def test_a_file_that_cannot_be_read_is_not_known(
    file: str, folders: ProcessFolders, table: KernelProcessTable
) -> None:
    folder = folders.put(7)
    (folder / file).unlink()
    (folder / file).mkdir()
    found = table.look([7])[7]
    told = {"stat": found.started_seconds, "status": found.uid, "cgroup": found.cgroup}
    assert [name for name, value in told.items() if value is None] == [file]


def test_an_entry_that_is_no_folder_is_not_known(
    folders: ProcessFolders, table: KernelProcessTable
) -> None:
    (folders.path / "7").write_text("")
    assert table.look([7]) == {7: ProcessFacts(7)}


@pytest.mark.parametrize("last", ["stat", "status", "cgroup"])
def test_one_that_ends_while_it_is_read_is_left_out(
    last: str,
    folders: ProcessFolders,
    table: KernelProcessTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = folders.put(7)
    folders.put(8)

    def ends(name: str, dir_fd: int | None = None) -> bytes:
        assert dir_fd is not None
        if name == last and Path(f"/proc/self/fd/{dir_fd}").readlink() == folder:
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
        return read_kernel(name, dir_fd)

    monkeypatch.setattr(process_table, "read_kernel", ends)
    assert set(table.look([7, 8])) == {8}


def test_an_id_that_goes_to_another_process_meanwhile_never_mixes_the_two(
    folders: ProcessFolders, table: KernelProcessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders.put(7, uid=1000, cgroup="0::/docker/alice\n")

    def changes(name: str, dir_fd: int | None = None) -> bytes:
        if name == "cgroup" and folder.stat().st_mtime:
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
            folders.put(7, uid=1001, cgroup="0::/docker/bob\n")
        return read_kernel(name, dir_fd)

    monkeypatch.setattr(process_table, "read_kernel", changes)
    assert table.look([7]) == {}


def test_a_signal_reaches_the_process_of_that_id_and_start_alone() -> None:
    table = KernelProcessTable()
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        started = table.look([child.pid])[child.pid].started_seconds
        assert started is not None
        assert not table.signal(child.pid, started + 1, signal.SIGTERM)
        assert child.poll() is None
        assert table.signal(child.pid, started, signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
    assert not table.signal(child.pid, started, signal.SIGTERM)
