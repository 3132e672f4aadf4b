import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.storage import project_quotas
from ds01_spawner.adapters.storage.meter import HomeMeter
from ds01_spawner.adapters.storage.projects import adopt
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain.storage import StorageUse

SOON = timedelta(seconds=30)
MIB = 1024**2
PERSON = 4242


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def write(path: Path, size: int, uid: int = PERSON) -> None:
    """As that person writes, who is bound; root is not."""
    script = f"head -c {size} /dev/zero >{path.name} && sync {path.name}"
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c", script]
    # In the folder already: those above it are closed to everybody else.
    subprocess.run(command, cwd=path.parent, check=True, capture_output=True)


on_both = pytest.mark.parametrize("homes", ["ext4", "xfs"], indirect=True)


@pytest.fixture
def homes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    image, mounted = tmp_path / "disk", tmp_path / "homes"
    mounted.mkdir()
    run("truncate", "-s", 400 * MIB, image)
    if getattr(request, "param", "ext4") == "ext4":
        run("mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota", image)
    else:
        run("mkfs.xfs", "-q", image)
    run("mount", "-o", "loop,prjquota", image, mounted)
    yield mounted
    run("umount", mounted)


@pytest.fixture
def home(homes: Path) -> Path:
    home = homes / "alice"
    (home / "data" / "raw").mkdir(parents=True)
    (home / "data" / "raw" / "before").write_bytes(b"x" * 8 * MIB)
    (home / "link").symlink_to("/etc")
    for path in (home, *home.rglob("*")):
        os.chown(path, PERSON, PERSON, follow_symlinks=False)
    return home


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[HomeMeter]:
    meter = HomeMeter(SystemClock(), tmp_path / "kept")
    yield meter
    meter.close()


def measured(meter: HomeMeter, home: Path) -> StorageUse:
    use = meter.measure("alice", str(home), SOON)
    assert use is not None
    return use


@on_both
def test_the_kernel_counts_what_was_there_and_what_comes(meter: HomeMeter, home: Path) -> None:
    first = measured(meter, home)
    assert first.source == "quota"
    assert 8 * MIB <= first.size_bytes < 9 * MIB
    assert [folder.path for folder in first.largest] == ["data/raw"]

    write(home / "data" / "more", 20 * MIB)
    assert 28 * MIB <= measured(meter, home).size_bytes < 29 * MIB

    (home / "data" / "more").unlink()
    assert measured(meter, home).size_bytes < 9 * MIB


@on_both
def test_the_kernel_refuses_what_goes_beyond_the_limit(meter: HomeMeter, home: Path) -> None:
    measured(meter, home)
    assert meter.bound("alice", str(home), 30 * MIB, SOON)
    write(home / "fits", 10 * MIB)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        write(home / "too-much", 20 * MIB)
    assert b"quota" in caught.value.stderr.lower() or b"No space" in caught.value.stderr
    assert 29 * MIB < measured(meter, home).size_bytes <= 30 * MIB


def test_a_limit_follows_the_policy_and_goes_with_it(meter: HomeMeter, home: Path) -> None:
    measured(meter, home)
    number = project_quotas.project_id("alice")
    for limit in (30 * MIB, 50 * MIB, None):
        assert meter.bound("alice", str(home), limit, SOON)
        assert project_quotas.read_uses(str(home.parent))[number].limit_bytes == limit


def test_nobody_else_is_counted_or_bound(meter: HomeMeter, home: Path) -> None:
    bob = home.parent / "bob"
    bob.mkdir()
    os.chown(bob, 4343, 4343)
    measured(meter, home)
    meter.bound("alice", str(home), 10 * MIB, SOON)
    write(bob / "data", 30 * MIB, uid=4343)
    assert measured(meter, home).size_bytes < 9 * MIB
    other = meter.measure("bob", str(bob), SOON)
    assert other is not None
    assert other.size_bytes >= 30 * MIB


def test_a_home_in_an_administrators_project_is_walked(meter: HomeMeter, home: Path) -> None:
    descriptor = os.open(home, os.O_RDONLY)
    adopt(descriptor, 7, folder=True)
    os.close(descriptor)
    assert measured(meter, home).source == "scan"
    assert not meter.bound("alice", str(home), 10 * MIB, SOON)


def test_who_takes_their_home_out_of_its_project_is_put_back(meter: HomeMeter, home: Path) -> None:
    measured(meter, home)
    for path in (home, home / "data", home / "data" / "raw", home / "data" / "raw" / "before"):
        descriptor = os.open(path, os.O_RDONLY)
        adopt(descriptor, 0, folder=path.is_dir())
        os.close(descriptor)
    again = measured(meter, home)
    assert again.source == "quota"
    assert 8 * MIB <= again.size_bytes < 9 * MIB
