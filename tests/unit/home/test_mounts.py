from pathlib import Path

import pytest

from ds01_spawner.home import mounts

HOME = Path("/home/alice")
ROOT = "600 500 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l\n"
HOME_IS_ITS_OWN = "601 600 8:2 /alice /home/alice rw,nosuid - ext4 /dev/sda2 rw\n"
WORKSPACE = "602 600 8:2 /alice/projects/leaf\\040study /workspace rw - ext4 /dev/sda2 rw\n"
ELSEWHERE = "603 600 8:9 /data/leaves /data ro - nfs4 nas:/data rw\n"
COVERED = "604 601 8:7 / /home/alice/projects rw - nfs4 nas:/projects rw\n"
WHOLE_DISK = "601 600 8:1 /home/alice /home/alice rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (HOME_IS_ITS_OWN + WORKSPACE, "/workspace", "/home/alice/projects/leaf study"),
        (WORKSPACE + HOME_IS_ITS_OWN, "/workspace/a/b", "/home/alice/projects/leaf study/a/b"),
        (HOME_IS_ITS_OWN + WORKSPACE, "/home/alice/x", "/home/alice/x"),
        (HOME_IS_ITS_OWN + WORKSPACE, "/workspaces", None),
        (HOME_IS_ITS_OWN + ELSEWHERE, "/data", None),
        (HOME_IS_ITS_OWN, "/tmp/x", None),
        (WORKSPACE, "/workspace", None),
        (HOME_IS_ITS_OWN + WORKSPACE + COVERED, "/workspace", None),
        (
            WHOLE_DISK + "605 600 8:1 /home/alice /workspace rw - ext4 /dev/sda1 rw\n",
            "/workspace/x",
            "/home/alice/x",
        ),
        (
            HOME_IS_ITS_OWN + COVERED + "606 600 8:7 /leaves /workspace rw - nfs4 n:/ rw\n",
            "/workspace/x",
            "/home/alice/projects/leaves/x",
        ),
        ("", "/workspace", None),
        ("no mounts\n", "/workspace", None),
    ],
)
def test_what_a_folder_of_a_container_is_in_the_home(
    text: str, path: str, expected: str | None
) -> None:
    found = mounts.below(HOME, Path(path), mounts.parse(ROOT + text), lambda *_: True)
    assert found == (None if expected is None else Path(expected))


def test_a_folder_that_is_another_file_is_not_taken_for_it(tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    for each in (home / "work", workspace):
        each.mkdir(parents=True)
    found = (mounts.Mount("8:2", Path("/a"), home), mounts.Mount("8:2", Path("/a/work"), workspace))
    assert mounts.below(home, workspace, found) is None
    assert mounts.below(home, workspace / "not" / "there", found) is None
    workspace.rmdir()
    workspace.symlink_to(home / "work")
    assert mounts.below(home, workspace / "not" / "there", found) == home / "work/not/there"


def test_the_mounts_of_this_machine_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert any(each.point == Path("/") for each in mounts.read())
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "none")
    assert mounts.read() == ()
