import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.volume_folders import EngineVolumeFolders
from ds01_spawner.domain.container import Container, ContainerState, Mount
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.person import UnixAccount
from fakes.clock import EPOCH

ALICE = UnixAccount("alice", 47001, 47001, "/home/alice")


def folder(root: Path, name: str) -> Path:
    made = root / "volumes" / name / "_data"
    made.mkdir(parents=True)
    return made


def handed_over(root: Path, *mounts: Mount, uid: int | None = 47001) -> None:
    container = Container(
        "c1", "web._.alice", ContainerState.CREATED, {}, EPOCH, mounts=mounts, uid=uid
    )
    EngineVolumeFolders(lambda: root).hand_over(ALICE, container)


def owner(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_a_volume_becomes_its_owners_and_what_is_in_it_stays(tmp_path: Path) -> None:
    data = folder(tmp_path, "data._.alice")
    (data / "from-image").write_text("x")
    data.chmod(0o2500)
    handed_over(tmp_path, Mount("volume", str(data), "/data"))
    assert owner(data) == (47001, 47001, 0o700)
    assert (data / "from-image").stat().st_uid == os.getuid()


def test_nothing_but_volumes_of_a_container_that_runs_as_its_owner_changes(tmp_path: Path) -> None:
    data, home = folder(tmp_path, "data._.alice"), folder(tmp_path, "ds01-home-alice")
    other = tmp_path / "other"
    other.mkdir()
    before = [owner(each) for each in (data, home, other)]
    handed_over(tmp_path, Mount("volume", str(data), "/data"), uid=0)
    handed_over(tmp_path, Mount("volume", str(data), "/data"), uid=None)
    handed_over(tmp_path, Mount("volume", str(data), "/data", read_only=True))
    handed_over(
        tmp_path,
        Mount("bind", str(data), "/bind"),
        Mount("volume", str(home), "/home"),
        Mount("volume", str(other), "/other"),
        Mount("volume", f"{data}/../../../other", "/odd"),
    )
    assert [owner(each) for each in (data, home, other)] == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    place = tmp_path / "volumes" / "data._.alice"
    place.mkdir(parents=True)
    (place / "_data").symlink_to(victim)
    with pytest.raises(Unavailable, match=r"data\._\.alice cannot be used"):
        handed_over(tmp_path, Mount("volume", str(place / "_data"), "/data"))
    assert victim.stat().st_uid == os.getuid()
