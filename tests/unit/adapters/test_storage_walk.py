import ctypes
import io
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.adapters.storage import walk as walking
from ds01_spawner.adapters.storage.descent import Descent
from ds01_spawner.adapters.storage.homes import Homes
from ds01_spawner.adapters.storage.mounts import parse_mounts

MIB = 1024**2
Later = Callable[[float], None]
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Meter:
    """Walks of one home, one after the other."""

    def __init__(self, home: Path, kept: Path) -> None:
        self.home = home
        self.kept = kept
        self.homes = Homes()

    def walk(self, seconds: float = 60.0) -> dict[str, Any]:
        return self.homes.walk(str(self.home), self.kept, seconds, 0)

    def bytes(self) -> int:
        found = self.walk()
        assert found["done"]
        return int(found["bytes"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def meter(home: Path, tmp_path: Path) -> Meter:
    return Meter(home, tmp_path / "alice.tree")


def du(home: Path) -> int:
    done = subprocess.run(
        ["du", "-sx", "-B1", str(home)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def fill(path: Path, size: int = MIB) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the walk's clock."""
    shift = 0

    class Time:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def time_ns() -> int:
            return time.time_ns() + shift

    def move(seconds: float) -> None:
        nonlocal shift
        shift += int(seconds * 10**9)

    monkeypatch.setattr(walking, "time", Time)
    return move


def test_an_empty_home_is_its_folder(meter: Meter, home: Path) -> None:
    assert meter.bytes() == du(home)


def test_everything_is_counted_as_du_counts_it(meter: Meter, home: Path) -> None:
    for number in range(50):
        fill(home / f"d{number % 7}" / f"e{number % 3}" / f"f{number}", number * 1000)
    (home / "link").symlink_to("/usr")
    (home / "dangling").symlink_to("nowhere")
    os.mkfifo(home / "fifo")
    assert meter.bytes() == du(home)


def test_a_hard_link_is_counted_once_wherever_it_is(meter: Meter, home: Path) -> None:
    first = fill(home / "a" / "file", 8 * MIB)
    (home / "b").mkdir()
    os.link(first, home / "b" / "same")
    os.link(first, home / "a" / "same")
    assert meter.bytes() == du(home) < 9 * MIB
    assert meter.bytes() == du(home)


def test_a_hole_takes_nothing(meter: Meter, home: Path) -> None:
    with (home / "sparse").open("wb") as file:
        file.truncate(10 * 1024**3)
    assert meter.bytes() == du(home) < MIB


def test_names_are_any_bytes(meter: Meter, home: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b"a b", b"-rf", "ü€".encode(), b"x" * 255, b"~"):
        folder = home / os.fsdecode(name)
        folder.mkdir()
        (folder / os.fsdecode(name)).write_bytes(b"x" * 5000)
    assert meter.bytes() == du(home)
    assert meter.bytes() == du(home)


def test_links_lead_nowhere(meter: Meter, home: Path, tmp_path: Path) -> None:
    fill(tmp_path / "outside" / "large", 8 * MIB)
    (home / "out").symlink_to(tmp_path / "outside")
    (home / "up").symlink_to("..")
    assert meter.bytes() == du(home) < MIB


def test_a_folder_that_becomes_a_link_is_not_followed(
    meter: Meter, home: Path, tmp_path: Path, later: Later
) -> None:
    fill(tmp_path / "outside" / "large", 8 * MIB)
    fill(home / "a" / "b" / "file")
    later(10_000)
    meter.bytes()
    (home / "a" / "b" / "file").unlink()
    (home / "a" / "b").rmdir()
    (home / "a" / "b").symlink_to(tmp_path / "outside")
    assert meter.bytes() == du(home) < MIB


def test_trees_may_be_deeper_than_any_path_is_long(meter: Meter, home: Path) -> None:
    depth = 3000
    descriptor = os.open(home, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("folder", dir_fd=descriptor)
        os.mkdir("side", dir_fd=descriptor)
        below = os.open("folder", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    try:
        before = open_files()
        found = meter.walk()
        assert found["folders"] == 2 * depth + 1
        assert found["bytes"] == du(home)
        assert open_files() == before
        assert meter.bytes() == found["bytes"]
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


def test_a_walk_goes_on_where_it_stopped(meter: Meter, home: Path) -> None:
    for number in range(200):
        fill(home / f"d{number}" / "file", 5000)
    walks = 1
    while not (found := meter.walk(seconds=0.0))["done"]:
        walks += 1
        assert walks < 1000
    assert walks > 100
    assert found["bytes"] == du(home)


def test_what_vanishes_during_a_walk_is_no_error(meter: Meter, home: Path) -> None:
    for number in range(300):
        fill(home / f"d{number:03}" / "file", 5000)
    meter.walk(seconds=0.0)
    for number in range(0, 300, 2):
        subprocess.run(["rm", "-r", str(home / f"d{number:03}")], check=True)
    found = meter.walk()
    assert found["done"]
    assert found["problems"] == 0


def test_a_folder_moved_away_during_a_walk_is_left(
    meter: Meter, home: Path, tmp_path: Path
) -> None:
    deep = home / "a"
    for _ in range(300):
        deep = deep / "x"
    deep.mkdir(parents=True)
    for at in (home / "a", *list((home / "a").rglob("x"))[::50]):
        (at / "other").mkdir(exist_ok=True)
    while meter.walk(seconds=0.0)["done"] is False:
        if (home / "a").exists() and open_files() > 100:
            (home / "a").rename(tmp_path / "moved")
    assert (tmp_path / "moved").exists()
    assert meter.bytes() == du(home)


@NEEDS_ROOT
def test_an_unreadable_folder_is_a_problem_and_no_error(home: Path) -> None:
    fill(home / "mine" / "file", 4 * MIB)
    fill(home / "closed" / "file", 4 * MIB)
    (home / "closed").chmod(0o700)
    walk = walking.Walk(os.open(home, os.O_RDONLY), io.BytesIO())
    # Nobody may do less than they: what root is on a network file system.
    os.seteuid(65534)
    try:
        assert walk.advance(60)
        walk.close()
    finally:
        os.seteuid(0)
    assert walk.home is not None
    assert walk.tally.problems == 1
    assert walk.home.total_bytes == du(home) - du(home / "closed" / "file")


@NEEDS_ROOT
def test_other_file_systems_are_not_entered(meter: Meter, home: Path) -> None:
    fill(home / "file")
    expected = du(home) + 4096
    (home / "mnt").mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", bytes(home / "mnt"), b"tmpfs", 0, None):
        pytest.skip("nothing can be mounted here")
    try:
        fill(home / "mnt" / "large", 8 * MIB)
        assert meter.bytes() in {expected, expected - 4096}
        assert meter.homes.walk(str(home / "mnt"), meter.kept, 60, 0)["bytes"] >= 8 * MIB
    finally:
        libc.umount2(bytes(home / "mnt"), 2)


def test_only_what_may_be_a_mount_costs_a_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        fill(home / f"d{number}" / "mnt" / "mnt" / "file")
    built: list[bytes] = []
    path_of = Descent.path_of

    def noted(descent: Descent, name: bytes) -> bytes:
        built.append(path_of(descent, name))
        return built[-1]

    monkeypatch.setattr(Descent, "path_of", noted)
    mounted = frozenset({b"d1/mnt/mnt", b"d2", b"d3/elsewhere"})
    walk = walking.Walk(os.open(home, os.O_RDONLY), io.BytesIO(), mounted=mounted)
    assert walk.advance(60)
    walk.close()
    assert walk.tally.folders == 1 + 19 * 3 - 1
    assert set(built) == {b"d2", *(f"d{n}/mnt/mnt".encode() for n in range(20) if n != 2)}


def test_unchanged_folders_are_not_looked_into_again(
    meter: Meter, home: Path, later: Later
) -> None:
    for number in range(300):
        fill(home / f"d{number % 100}" / f"f{number}", 3000)
    later(10_000)
    first = meter.walk()
    assert first["looked_into"] == first["folders"] == 101
    second = meter.walk()
    assert second["looked_into"] <= 1
    assert second["bytes"] == first["bytes"] == du(home)


def test_new_deleted_and_renamed_files_are_seen_at_once(
    meter: Meter, home: Path, later: Later
) -> None:
    for number in range(200):
        fill(home / f"d{number % 100}" / "sub" / f"f{number}", 3000)
    later(10_000)
    meter.bytes()
    fill(home / "d3" / "sub" / "new", 2 * MIB)
    (home / "d4" / "sub" / "f4").unlink()
    (home / "d5").rename(home / "renamed")
    fill(home / "fresh" / "deep" / "file", MIB)
    assert meter.bytes() == du(home)


def test_a_file_that_grows_is_seen_at_once_while_it_is_written_to(meter: Meter, home: Path) -> None:
    for number in range(200):
        fill(home / f"d{number}" / "log", 3000)
    meter.bytes()
    with (home / "d7" / "log").open("ab") as log:
        log.write(os.urandom(MIB))
    assert meter.bytes() == du(home)


def test_a_file_that_grows_after_a_long_rest_is_seen_within_the_bound(
    meter: Meter, home: Path, later: Later
) -> None:
    for number in range(200):
        fill(home / f"d{number}" / "log", 30_000)
    later(10_000)
    before = meter.bytes()
    with (home / "d7" / "log").open("ab") as log:
        log.write(os.urandom(MIB))
    later(60)
    assert meter.bytes() == before
    later(walking.LONGEST_UNSEEN)
    assert meter.bytes() == du(home) > before


def test_what_is_due_is_spread_over_time(meter: Meter, home: Path, later: Later) -> None:
    for number in range(400):
        fill(home / f"d{number}" / "log", 3000)
    later(10_000)
    meter.bytes()
    looked_into = []
    for _ in range(6):
        later(walking.LONGEST_UNSEEN / 6)
        looked_into.append(meter.walk()["looked_into"])
    assert max(looked_into) < 300
    assert sum(looked_into) >= 400


def test_large_folders_are_looked_into_each_time(meter: Meter, home: Path, later: Later) -> None:
    for number in range(200):
        fill(home / f"d{number}" / "file", 3000)
    big = fill(home / "big" / "deep" / "model", 8 * MIB)
    later(10_000)
    meter.bytes()
    os.truncate(big, 0)
    assert meter.bytes() == du(home) < 4 * MIB


@pytest.mark.parametrize("damage", [b"", b"x" * 10, b"x" * 100_000])
def test_a_damaged_memory_is_as_none(meter: Meter, home: Path, damage: bytes) -> None:
    fill(home / "a" / "file")
    meter.bytes()
    meter.kept.write_bytes(damage)
    assert meter.bytes() == du(home)


def test_damage_in_the_middle_is_as_no_memory(meter: Meter, home: Path, later: Later) -> None:
    for number in range(50):
        fill(home / f"d{number}" / "e" / "file", 3000)
    later(10_000)
    meter.bytes()
    whole = meter.kept.read_bytes()
    meter.kept.write_bytes(b"\xff" * 2000 + whole[2000:])
    assert meter.bytes() == du(home)


def test_the_memory_is_for_its_owner_alone(meter: Meter) -> None:
    meter.bytes()
    assert meter.kept.stat().st_mode & 0o777 == 0o600


def test_folders_are_named_that_hold_a_lot_by_themselves(meter: Meter, home: Path) -> None:
    fill(home / "data" / "raw" / "part1", 6 * MIB)
    fill(home / "data" / "raw" / "part2", 6 * MIB)
    fill(home / "data" / "notes", 10_000)
    for number in range(64):
        fill(home / ".cache" / "pip" / f"{number:02x}" / "wheel", 60_000)
    fill(home / "projects" / "thesis" / "models" / "last.pt", 2 * MIB)
    fill(home / "movie", MIB)
    named = meter.walk()["largest"]
    assert [path for path, _ in named] == [
        "data/raw",
        ".cache/pip",
        "projects/thesis/models",
        "~/",
    ]
    assert sum(size for _, size in named) == pytest.approx(du(home), rel=0.05)


def test_a_folder_deeper_than_any_path_is_named_by_one_above_it(meter: Meter, home: Path) -> None:
    name = "n" * 250
    descriptor = os.open(home, os.O_RDONLY)
    for _ in range(100):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
    os.write(file, os.urandom(8 * MIB))
    os.close(file)
    os.close(descriptor)
    try:
        ((path, size),) = meter.walk()["largest"]
        assert len(path) < 4096 + 256
        assert size == pytest.approx(du(home), rel=0.05)
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


def test_mounts_are_read_as_the_kernel_writes_them() -> None:
    text = (
        b"29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
        b"40 29 8:2 / /home\\040of\\040all rw shared:2 master:3 - ext4 /dev/sdb rw,prjquota\n"
        b"41 29 8:3 / /x rw - xfs /dev/sdc rw,attr2,prjquota\n"
        b"42 29 0:50 / /n rw - nfs4 server:/x rw,prjquota\n"
    )
    found = parse_mounts(text)
    assert [(each.path, each.kind, each.has_project_quotas) for each in found] == [
        (b"/", "ext4", False),
        (b"/home of all", "ext4", True),
        (b"/x", "xfs", True),
        (b"/n", "nfs4", False),
    ]
