import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from contracts.gpu_nodes import ALICE, BOB, GpuNodesContract
from ds01_spawner.adapters.gpu_nodes import KernelGpuNodes
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.adapters.posix_acl import acl_of, raw_acl_of
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports.bare_metal import GpuNodes
from fakes.bare_metal_lab import HOUR, STEP, Machine
from fakes.gpu_nodes import FakeGpuNodes

NULL = os.makedev(1, 3)
_OPEN = """
import os, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
try:
    handle = os.open(sys.argv[1], os.O_RDWR)
except PermissionError:
    print("refused", flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def make_node(path: Path, mode: int) -> Path:
    """A character device as the driver's would be: /dev/null, group 61000."""
    path.parent.mkdir(exist_ok=True, mode=0o755)
    try:
        os.mknod(path, stat.S_IFCHR | mode, NULL)
        os.chown(path, 0, 61000)
        path.chmod(mode)
    except PermissionError:
        pytest.skip("character devices need root")
    return path


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A folder with nodes, which everybody may enter."""
    for above in [tmp_path, *tmp_path.parents][:4]:
        with suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o011)
    folder = tmp_path / "dev"
    make_node(folder / "nvidia0", 0o660)
    make_node(folder / "nvidiactl", 0o660)
    make_node(folder / "nvidia-caps" / "nvidia-cap1", 0o400)
    (folder / "nvidia-notes").write_text("no device")
    return folder


@pytest.fixture
def nodes(dev: Path, tmp_path: Path) -> KernelGpuNodes:
    return KernelGpuNodes(tmp_path / "state" / "bare-metal.lock", dev=dev)


class TestKernelGpuNodes(GpuNodesContract):
    @pytest.fixture
    def nodes(self, nodes: KernelGpuNodes) -> GpuNodes:
        return nodes


class TestFakeGpuNodes(GpuNodesContract):
    @pytest.fixture
    def nodes(self) -> GpuNodes:
        fake = FakeGpuNodes("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-caps/nvidia-cap1")
        fake.closed.add("/dev/nvidia-caps/nvidia-cap1")
        return fake


@contextmanager
def opened_by(uid: int, path: Path, source: str = _OPEN) -> Iterator[tuple[str, int]]:
    """Whether a process of that user opens it, and its id while it has it open."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", source, str(path), str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid


def opens(uid: int, path: Path) -> str:
    with opened_by(uid, path) as (answer, _):
        return answer


def test_another_persons_process_opens_it_during_the_grant_and_neither_before_nor_after(
    nodes: KernelGpuNodes, dev: Path
) -> None:
    gpu, config = dev / "nvidia0", dev / "nvidia-caps" / "nvidia-cap1"
    assert opens(ALICE, gpu) == "refused"

    nodes.give(ALICE)
    assert opens(ALICE, gpu) == "open"
    assert opens(BOB, gpu) == "refused"
    assert opens(ALICE, config) == "refused"

    nodes.take_back(ALICE)
    assert opens(ALICE, gpu) == "refused"


def test_a_grant_lets_a_persons_process_in_until_it_ends_whatever_dies_meanwhile(
    nodes: KernelGpuNodes, dev: Path, tmp_path: Path
) -> None:
    gpu, path = dev / "nvidia0", tmp_path / "ledger.sqlite"
    machine = Machine(nodes=nodes, ledger=SqliteLedger(path))
    machine.accounts.people["alice"] = UnixAccount("alice", ALICE, ALICE, "/home/alice")
    assert opens(ALICE, gpu) == "refused"

    with machine.dies_where(machine.nodes, "give"):
        machine.grant()
    assert opens(ALICE, gpu) == "refused"
    machine.passes(STEP)
    assert opens(ALICE, gpu) == "open"
    assert opens(BOB, gpu) == "refused"

    gpu.unlink()
    make_node(gpu, 0o660)
    assert opens(ALICE, gpu) == "refused"
    machine.passes(STEP)
    with opened_by(ALICE, gpu) as (answer, pid):
        assert answer == "open"
        with machine.dies_where(machine.nodes, "take_back"):
            machine.passes(8 * HOUR)
        assert opens(ALICE, gpu) == "open"
        machine.passes(STEP)
        assert opens(ALICE, gpu) == "refused"
        (event,) = machine.events.of("bare_metal.expire")
        assert event.details["still_open"] == [pid]
    assert machine.kept == []
    machine.ledger.close()  # type: ignore[attr-defined]


def test_what_was_opened_stays_open_after_the_end_and_is_told(
    nodes: KernelGpuNodes, dev: Path
) -> None:
    nodes.give(ALICE)
    with opened_by(ALICE, dev / "nvidia0") as (answer, pid):
        nodes.take_back(ALICE)
        assert answer == "open"
        (holder,) = nodes.holders(ALICE)
        assert (holder.pid, holder.nodes) == (pid, (str(dev / "nvidia0"),))
        assert holder.name
        assert nodes.holders(BOB) == ()
    assert nodes.holders(ALICE) == ()


def test_who_ends_the_first_thread_still_has_it_open(nodes: KernelGpuNodes, dev: Path) -> None:
    nodes.give(ALICE)
    source = _OPEN.replace("import os", "import ctypes, threading, os").replace(
        "    sys.stdin.read()",
        "    threading.Thread(target=sys.stdin.read).start()\n"
        "    ctypes.CDLL(None).pthread_exit(None)",
    )
    with opened_by(ALICE, dev / "nvidia0", source) as (answer, pid):
        assert answer == "open"
        for _ in range(500):
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                break
            time.sleep(0.02)
        assert [each.pid for each in nodes.holders(ALICE)] == [pid]


def test_the_mode_that_the_driver_looks_at_stays_as_it_is(nodes: KernelGpuNodes, dev: Path) -> None:
    gpu = dev / "nvidia0"
    nodes.give(ALICE)
    assert stat.S_IMODE(gpu.stat().st_mode) == 0o660
    nodes.take_back(ALICE)
    assert stat.S_IMODE(gpu.stat().st_mode) == 0o660
    assert raw_acl_of(gpu) == b""


def test_a_node_that_only_reads_is_given_to_read(nodes: KernelGpuNodes, dev: Path) -> None:
    cap = make_node(dev / "nvidia-caps" / "nvidia-cap21", 0o440)
    nodes.give(ALICE)
    assert acl_of(cap.stat().st_mode, raw_acl_of(cap)).allowed(ALICE) == 0o4
    assert stat.S_IMODE(cap.stat().st_mode) == 0o440


def test_a_node_that_went_and_came_back_is_given_again(nodes: KernelGpuNodes, dev: Path) -> None:
    gpu = dev / "nvidia0"
    nodes.give(ALICE)
    gpu.unlink()
    assert str(gpu) not in nodes.give(ALICE)
    make_node(gpu, 0o660)
    assert nodes.give(ALICE) == (str(gpu),)
    assert opens(ALICE, gpu) == "open"


def test_a_node_that_was_closed_meanwhile_is_taken_back_all_the_same(
    nodes: KernelGpuNodes, dev: Path
) -> None:
    nodes.give(ALICE)
    (dev / "nvidia0").chmod(0o600)
    assert str(dev / "nvidia0") not in nodes.give(BOB)
    assert str(dev / "nvidia0") in nodes.take_back(ALICE)
    nodes.take_back(BOB)
    assert nodes.given() == {}
    assert stat.S_IMODE((dev / "nvidia0").stat().st_mode) == 0o600


def test_a_node_that_root_closed_is_not_opened_again(nodes: KernelGpuNodes, dev: Path) -> None:
    gpu = dev / "nvidia0"
    nodes.give(ALICE)
    gpu.chmod(0o600)
    assert nodes.give(ALICE) == ()
    assert opens(ALICE, gpu) == "refused"
    assert str(gpu) not in nodes.paths()
    gpu.chmod(0o660)
    assert opens(ALICE, gpu) == "open"


def test_a_list_of_somebody_elses_is_kept(nodes: KernelGpuNodes, dev: Path) -> None:
    nodes.give(BOB)
    before = raw_acl_of(dev / "nvidia0")
    nodes.give(ALICE)
    nodes.take_back(ALICE)
    assert raw_acl_of(dev / "nvidia0") == before


def test_cards_that_everybody_may_open_are_told_and_what_is_beside_them_is_not(
    nodes: KernelGpuNodes, dev: Path
) -> None:
    make_node(dev / "nvidia-uvm", 0o666)
    assert nodes.open_to_all() == ()
    (dev / "nvidiactl").chmod(0o666)
    assert nodes.open_to_all() == (str(dev / "nvidiactl"),)


def test_a_lock_that_cannot_be_had_changes_nothing(dev: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be opened"):
        KernelGpuNodes(tmp_path / "file" / "lock", dev=dev).give(ALICE)
    assert raw_acl_of(dev / "nvidia0") == b""


def test_a_machine_without_gpus_has_no_nodes(tmp_path: Path) -> None:
    assert KernelGpuNodes(tmp_path / "lock", dev=tmp_path / "nowhere").paths() == ()
