"""The contract on this machine's kernel, below a top-level cgroup of its own."""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.cgroups import BOUNDED, CgroupsContract, UseMemory
from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.ports import Cgroups, EngineInfo

ROOT = Path("/sys/fs/cgroup")
PATIENCE_SECONDS = 20
_ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
_HOG = "import sys; held = bytearray(int(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def kernel_version() -> int:
    """The cgroup version that this machine's engine uses."""
    return 2 if (ROOT / "cgroup.controllers").exists() else 1


@contextmanager
def temporary_cgroups(driver: str) -> Iterator[Cgroups]:
    """Cgroups below a random top level, which is removed afterwards."""
    top = f"ds01test{secrets.token_hex(4)}"
    info = EngineInfo("test", "test", driver, kernel_version(), "/var/lib/docker")
    try:
        yield open_cgroups(info, ROOT, top=top)
    finally:
        if driver == "systemd":
            subprocess.run(["systemctl", "stop", f"{top}.slice"], check=True)
        remove_tree(top)


def directories(parent: str) -> list[Path]:
    """The directories of a cgroup, from the form that the engine is told."""
    if parent.endswith(".slice"):
        parts = parent.removesuffix(".slice").split("-")
        slices = ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts))]
        parent = "/".join(slices)
    below = parent.strip("/")
    trees = [ROOT] if kernel_version() == 2 else list(ROOT.iterdir())
    return [tree / below for tree in trees if (tree / below).is_dir()]


def remove_tree(top: str) -> None:
    """Remove a cgroup and those in it, as soon as nothing runs in them."""
    bound = time.monotonic() + PATIENCE_SECONDS
    while left := [place for tree in directories(top) for place in _leaves(tree)]:
        for place in left:
            try:
                place.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                assert time.monotonic() < bound, f"{place} is still in use"


def _leaves(directory: Path) -> list[Path]:
    below = [leaf for child in directory.iterdir() if child.is_dir() for leaf in _leaves(child)]
    return below or [directory]


class RealCgroupsContract(CgroupsContract):
    """Inherit, and give the fixture `driver`."""

    @pytest.fixture
    def cgroups(self, driver: str) -> Iterator[Cgroups]:
        with temporary_cgroups(driver) as cgroups:
            yield cgroups

    @pytest.fixture
    def use_memory(self, cgroups: Cgroups) -> Iterator[UseMemory]:
        started: list[subprocess.Popen[str]] = []

        def use(group: str | None, user: str, size_bytes: int) -> None:
            places = directories(cgroups.parent(group, user))
            memory = [place for place in places if "memory" in place.parts or len(places) == 1]
            child = memory[0] / "hog"
            child.mkdir()
            process = subprocess.Popen(
                ["/bin/sh", "-c", _ENTER, str(child), sys.executable, "-c", _HOG, str(size_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"

        yield use
        for process in started:
            process.communicate(timeout=PATIENCE_SECONDS)

    def test_is_not_removed_while_something_runs_in_it(
        self, cgroups: Cgroups, use_memory: UseMemory
    ) -> None:
        cgroups.ensure("student", "alice", BOUNDED)
        use_memory("student", "alice", 1024)

        assert not cgroups.remove("student", "alice")
        assert not cgroups.take_down()
        usage = cgroups.usage("student", "alice")
        assert usage is not None
        assert usage.limits == BOUNDED
