import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.container_files import joining
from ds01_spawner.adapters.container_files.joining import Paused, Uncounted, join

ID = "f" * 64
MINE = str(os.getpid())


@pytest.fixture(autouse=True)
def score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    place = tmp_path / "score"
    monkeypatch.setattr(joining, "_SCORE", place)
    return place


def made(root: Path, *trees: str) -> None:
    for tree in trees:
        place = root / tree / "docker" / ID
        place.mkdir(parents=True)
        (place / "cgroup.procs").touch()


def test_each_controller_of_v1_is_joined(tmp_path: Path, score: Path) -> None:
    made(tmp_path, "memory", "cpu,cpuacct", "freezer", "blkio")
    lines = "\n".join(
        f"{tree}:/docker/{ID}" for tree in ("4:memory", "3:cpu,cpuacct", "2:freezer", "1:blkio")
    )
    join(f"{lines}\n0::/docker/{ID}\n", ID, writes=True, root=tmp_path)
    joined = {
        each.relative_to(tmp_path).parts[0]
        for each in tmp_path.rglob("cgroup.procs")
        if each.read_text() == MINE
    }
    assert joined == {"memory", "cpu,cpuacct", "blkio"}
    assert score.read_text() == "1000"


@pytest.mark.parametrize(
    "lines", ["", "4:memory:/elsewhere", f"4:memory:/../{ID}", "0::/", f"0::/{ID}"]
)
def test_without_a_cgroup_that_counts_nothing_is_copied(tmp_path: Path, lines: str) -> None:
    with pytest.raises(Uncounted):
        join(lines, ID, writes=True, root=tmp_path)


def test_v2_is_joined_unless_it_is_paused(tmp_path: Path) -> None:
    made(tmp_path, ".")
    place = tmp_path / "docker" / ID
    (place / "memory.max").write_text("max\n")
    (place / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    lines = f"0::/docker/{ID}\n"
    with pytest.raises(Paused):
        join(lines, ID, writes=True, root=tmp_path)
    join(lines, ID, writes=False, root=tmp_path)
    assert not (place / "cgroup.procs").read_text()
    (place / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    join(lines, ID, writes=True, root=tmp_path)
    assert (place / "cgroup.procs").read_text() == MINE
