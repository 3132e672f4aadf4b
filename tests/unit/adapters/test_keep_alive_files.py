import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ds01_spawner.adapters.keep_alive_files import (
    Workspace,
    WorkspaceKeepAliveFiles,
    files_of,
    newest,
    workspaces_of,
)
from ds01_spawner.domain.container import Container, Mount
from fakes.facts import container, foreign_container

TEN = datetime(2026, 1, 31, 10, tzinfo=UTC)
NOBODY_HERE = 4_000_000_000
MINE = os.getuid()


def touch(path: Path, moment: datetime = TEN) -> None:
    path.touch()
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def at_home(home: Path, name: str = "thesis", uid: int | None = MINE) -> Container:
    """A container of the platform whose home is a folder of this host."""
    mounts = (
        Mount("bind", str(home), str(home)),
        Mount("bind", str(home / "notices"), "/run/ds01", read_only=True),
    )
    marks = {"ds01.name": name}
    return replace(container(name=name, extra=marks), mounts=mounts, uid=uid)


def touched_at(files: WorkspaceKeepAliveFiles, shown: Container) -> datetime | None:
    return files.touched_at([shown]).get(shown.id)


@pytest.fixture
def files() -> WorkspaceKeepAliveFiles:
    return WorkspaceKeepAliveFiles(deadline_seconds=5.0)


def test_each_container_has_its_own(files: WorkspaceKeepAliveFiles, tmp_path: Path) -> None:
    later = TEN.replace(hour=11)
    touch(tmp_path / ".keep-alive")
    touch(tmp_path / ".keep-alive.two", later)
    shown = [replace(at_home(tmp_path, name), id=name) for name in ("one", "two")]
    elsewhere = replace(at_home(tmp_path / "gone"), id="three")
    assert files.touched_at([*shown, elsewhere]) == {"one": TEN, "two": later}


def test_all_looks_are_made_in_one_thread(
    files: WorkspaceKeepAliveFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    lstat = os.lstat

    def noted(path: str) -> os.stat_result:
        threads.add(threading.get_ident())
        return lstat(path)

    monkeypatch.setattr("ds01_spawner.adapters.keep_alive_files.os.lstat", noted)
    files.touched_at([replace(at_home(tmp_path), id=str(number)) for number in range(50)])
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_without_a_file_there_is_none(files: WorkspaceKeepAliveFiles, tmp_path: Path) -> None:
    assert touched_at(files, at_home(tmp_path)) is None


@pytest.mark.parametrize("name", [".keep-alive", ".keep-alive.thesis"])
def test_a_file_for_all_containers_or_for_this_one_counts(
    files: WorkspaceKeepAliveFiles, tmp_path: Path, name: str
) -> None:
    touch(tmp_path / name)
    assert touched_at(files, at_home(tmp_path)) == TEN


@pytest.mark.parametrize("name", [".keep-alive.other", "keep-alive", ".keep-alive.thesis.txt"])
def test_a_file_of_another_name_does_not(
    files: WorkspaceKeepAliveFiles, tmp_path: Path, name: str
) -> None:
    touch(tmp_path / name)
    assert touched_at(files, at_home(tmp_path)) is None


def test_the_newest_counts_even_in_the_future(
    files: WorkspaceKeepAliveFiles, tmp_path: Path
) -> None:
    future = datetime(2126, 1, 31, tzinfo=UTC)
    touch(tmp_path / ".keep-alive")
    touch(tmp_path / ".keep-alive.thesis", future)
    assert touched_at(files, at_home(tmp_path)) == future


def test_a_time_before_there_were_any_is_none_to_reckon_with(
    files: WorkspaceKeepAliveFiles, tmp_path: Path
) -> None:
    touch(tmp_path / ".keep-alive", datetime(1902, 1, 1, tzinfo=UTC))
    assert touched_at(files, at_home(tmp_path)) == datetime(1970, 1, 1, tzinfo=UTC)


def test_only_a_regular_file_counts_and_no_link_is_followed(
    files: WorkspaceKeepAliveFiles, tmp_path: Path
) -> None:
    touch(tmp_path / "real")
    (tmp_path / ".keep-alive").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / ".keep-alive.thesis")
    assert touched_at(files, at_home(tmp_path)) is None
    (tmp_path / ".keep-alive").unlink()
    (tmp_path / ".keep-alive").mkdir()
    assert touched_at(files, at_home(tmp_path)) is None


@pytest.mark.parametrize(
    ("uid", "mounted", "counts"),
    [
        (MINE, True, True),
        (MINE, False, True),
        (NOBODY_HERE, True, True),
        (None, True, True),
        (NOBODY_HERE, False, False),
        (None, False, False),
    ],
    ids=["user", "user-labelled", "owner", "unknown-user", "stranger", "unknown-labelled"],
)
def test_a_file_counts_when_the_containers_user_or_the_folders_owner_made_it(
    tmp_path: Path, uid: int | None, mounted: bool, counts: bool
) -> None:
    touch(tmp_path / ".keep-alive")
    found = newest(Workspace(str(tmp_path), mounted), (".keep-alive",), uid)
    assert (found is not None) == counts


@pytest.mark.skipif(MINE != 0, reason="only root can make files of others")
def test_somebody_elses_file_in_a_shared_folder_does_not_count(
    files: WorkspaceKeepAliveFiles, tmp_path: Path
) -> None:
    touch(tmp_path / ".keep-alive")
    os.chown(tmp_path / ".keep-alive", 4321, 4321)
    assert touched_at(files, at_home(tmp_path, uid=1234)) is None
    os.chown(tmp_path / ".keep-alive", 1234, 1234)
    assert touched_at(files, at_home(tmp_path, uid=1234)) == TEN


def test_of_the_platforms_containers_only_the_home_is_the_workspace() -> None:
    home = Mount("bind", "/home/alice", "/home/alice")
    volume = Mount("volume", "/var/lib/docker/volumes/ds01-home-bob/_data", "/home/jovyan")
    others = (
        Mount("bind", "/run/ds01/notices/alice", "/run/ds01", read_only=True),
        Mount("bind", "/srv/data", "/data"),
        Mount("volume", "/var/lib/docker/volumes/cache/_data", "/cache"),
    )
    for mount in (home, volume):
        shown = replace(container(), mounts=(mount, *others))
        assert workspaces_of(shown) == (Workspace(mount.source),)


def test_of_other_containers_everything_writable_is() -> None:
    mounts = (
        Mount("bind", "/home/alice/workspace", "/workspace"),
        Mount("bind", "/srv/data", "/data", read_only=True),
        Mount("volume", "/var/lib/docker/volumes/v/_data", "/v"),
    )
    shown = replace(foreign_container(), mounts=mounts)
    assert [each.folder for each in workspaces_of(shown)] == [mounts[0].source, mounts[2].source]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("/home/alice/work", (Workspace("/home/alice/work", mounted=False),)),
        ("/home/alice/work:/workspace", (Workspace("/home/alice/work", mounted=False),)),
        ("work", ()),
        ("", ()),
        ("-", ()),
    ],
)
def test_the_workspace_label_of_older_containers_is_read(
    label: str, expected: tuple[Workspace, ...]
) -> None:
    shown = foreign_container(marks={"aime.mlc": "alice", "aime.mlc.WORK_MOUNT": label})
    assert workspaces_of(shown) == expected


def test_a_labelled_workspace_that_is_mounted_is_looked_at_once() -> None:
    shown = foreign_container(marks={"aime.mlc.WORK_MOUNT": "/home/alice/work:/workspace"})
    mounted = replace(shown, mounts=(Mount("bind", "/home/alice/work", "/workspace"),))
    assert workspaces_of(mounted) == (Workspace("/home/alice/work"),)


def test_hundreds_of_mounts_cost_no_hundreds_of_looks() -> None:
    mounts = tuple(Mount("bind", f"/srv/{number}", f"/{number}") for number in range(300))
    assert len(workspaces_of(replace(foreign_container(), mounts=mounts))) == 16


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (container(name="thesis", extra={"ds01.name": "thesis"}), ".keep-alive.thesis"),
        (foreign_container("train._.alice"), ".keep-alive.train"),
        (foreign_container("train"), ".keep-alive.train"),
    ],
    ids=["label", "older", "plain"],
)
def test_the_name_is_what_the_person_calls_it(shown: Container, name: str) -> None:
    assert list(files_of(shown)) == [".keep-alive", name]


def test_a_forged_name_leads_nowhere_else() -> None:
    shown = foreign_container(marks={"ds01.name": "/../../bob/.keep-alive"})
    assert list(files_of(shown)) == [".keep-alive"]


@pytest.mark.parametrize("name", ["x" * 300, "\ud800"], ids=["long", "surrogate"])
def test_a_name_that_no_file_has_is_no_fault(
    files: WorkspaceKeepAliveFiles, tmp_path: Path, name: str
) -> None:
    touch(tmp_path / ".keep-alive")
    assert touched_at(files, at_home(tmp_path, name)) == TEN


def test_a_mounted_file_or_a_folder_that_is_gone_has_none(
    files: WorkspaceKeepAliveFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "socket").touch()
    for source in (tmp_path / "socket", tmp_path / "gone"):
        shown = replace(foreign_container(), mounts=(Mount("bind", str(source), "/x"),))
        assert touched_at(files, shown) is None
    assert not caplog.records


def test_a_workspace_that_cannot_be_read_is_told_once(
    files: WorkspaceKeepAliveFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("ds01_spawner.adapters.keep_alive_files.os.lstat", refuse)
    with caplog.at_level(logging.WARNING):
        assert touched_at(files, at_home(tmp_path)) is None
        assert touched_at(files, at_home(tmp_path)) is None
    assert len(caplog.records) == 1


class TestHanging:
    """Workspaces under `dead` hang until the test is over."""

    @pytest.fixture
    def dead(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        dead = tmp_path / "dead"
        self.over = threading.Event()
        self.looks: list[str] = []
        self.hanging = [str(dead)]
        lstat = os.lstat

        def hang(path: str) -> os.stat_result:
            if str(path).startswith(tuple(self.hanging)):
                self.looks.append(str(path))
                assert self.over.wait(30)
            return lstat(path)

        monkeypatch.setattr("ds01_spawner.adapters.keep_alive_files.os.lstat", hang)
        yield dead
        self.over.set()

    @pytest.fixture
    def files(self) -> WorkspaceKeepAliveFiles:
        return WorkspaceKeepAliveFiles(deadline_seconds=0.1)

    def test_one_costs_its_deadline_once_and_others_nothing(
        self, files: WorkspaceKeepAliveFiles, dead: Path, tmp_path: Path
    ) -> None:
        touch(tmp_path / ".keep-alive")
        began = time.monotonic()
        for _ in range(20):
            assert touched_at(files, at_home(dead / "alice")) is None
            assert touched_at(files, at_home(tmp_path)) == TEN
        assert time.monotonic() - began < 1.5
        assert len(self.looks) == 1

    def on_nas(self, tmp_path: Path, *lines: str) -> WorkspaceKeepAliveFiles:
        """Everything below `tmp_path` is on one server."""
        table = tmp_path / "mountinfo"
        nas = f"40 27 0:50 / {tmp_path} rw - nfs4 nas:/export rw"
        table.write_text("\n".join(("27 1 254:0 / / rw - ext4 /dev/vda rw", nas, *lines)))
        return WorkspaceKeepAliveFiles(deadline_seconds=0.1, mount_table=table)

    def homes(self, *folders: Path) -> list[Container]:
        return [replace(at_home(each), id=f"{each.parent.name}/{each.name}") for each in folders]

    def test_a_dead_server_with_many_homes_costs_few_threads(
        self, dead: Path, tmp_path: Path
    ) -> None:
        files = self.on_nas(tmp_path)
        shown = self.homes(*(dead / str(number) for number in range(50)))
        for _ in range(20):
            assert files.touched_at(shown) == {}
        assert len(self.looks) == 3

    def test_a_server_that_dies_with_many_homes_that_answered_costs_few_threads(
        self, dead: Path, tmp_path: Path
    ) -> None:
        assert not dead.exists()
        files = self.on_nas(tmp_path)
        homes = [tmp_path / "alive" / str(number) for number in range(50)]
        shown = self.homes(*homes)
        for _ in range(3):
            files.touched_at(shown)
        self.hanging.append(str(tmp_path / "alive"))
        for _ in range(20):
            assert files.touched_at(shown) == {}
        assert len(self.looks) == 4

    @pytest.mark.parametrize(
        "mounted",
        [
            "50 27 0:60 / {dead} rw - fuse.sshfs nas:/x rw,user_id=1000,group_id=1000",
            "50 27 0:60 / {dead} rw - nfs4 nas:/x rw",
            "50 27 0:60 / {dead}/0/.keep-alive rw - fuse nas:/x rw,user_id=1000,group_id=1000",
        ],
        ids=["fuse", "same-server", "file"],
    )
    def test_three_that_hang_take_nothing_from_those_that_answered_before(
        self, dead: Path, tmp_path: Path, mounted: str
    ) -> None:
        files = self.on_nas(tmp_path, mounted.format(dead=dead))
        touch(tmp_path / ".keep-alive")
        honest = self.homes(tmp_path)
        assert files.touched_at(honest) == {honest[0].id: TEN}
        hostile = self.homes(*(dead / str(number) for number in range(12)))
        (tmp_path / "new").mkdir()
        touch(tmp_path / "new" / ".keep-alive")
        newcomer = self.homes(tmp_path / "new")
        for _ in range(4):
            found = files.touched_at([*hostile, *newcomer, *honest])
            assert honest[0].id in found
        assert newcomer[0].id in found

    def test_those_that_hang_on_a_disk_take_nothing_from_others(
        self, files: WorkspaceKeepAliveFiles, dead: Path, tmp_path: Path
    ) -> None:
        touch(tmp_path / ".keep-alive")
        hostile = self.homes(*(dead / str(number) for number in range(5)))
        honest = self.homes(tmp_path)
        files.touched_at(hostile)
        assert files.touched_at([*hostile, *honest]) == {honest[0].id: TEN}

    def test_a_look_takes_few_deadlines_however_many_hang(
        self, files: WorkspaceKeepAliveFiles, dead: Path
    ) -> None:
        began = time.monotonic()
        files.touched_at(self.homes(*(dead / str(number) for number in range(50))))
        assert len(self.looks) == 5
        assert time.monotonic() - began < 2

    def test_those_that_hung_before_are_looked_at_last(
        self, files: WorkspaceKeepAliveFiles, dead: Path, tmp_path: Path
    ) -> None:
        hostile = self.homes(*(dead / str(number) for number in range(5)))
        files.touched_at(hostile)
        self.over.set()
        bound = time.monotonic() + 5
        while any(hung.hanging for each in files._hung.values() for hung in each.values()):
            assert time.monotonic() < bound
        self.over.clear()
        touch(tmp_path / ".keep-alive")
        honest = self.homes(tmp_path)
        assert files.touched_at([*hostile, *honest]) == {honest[0].id: TEN}

    def test_those_after_one_that_hangs_are_read_in_the_same_look(
        self, files: WorkspaceKeepAliveFiles, dead: Path, tmp_path: Path
    ) -> None:
        touch(tmp_path / ".keep-alive")
        homes = (dead / "alice", tmp_path, dead / "bob", tmp_path)
        shown = [replace(at_home(home), id=f"c{place}") for place, home in enumerate(homes)]
        assert files.touched_at(shown) == {"c1": TEN, "c3": TEN}
        assert len(self.looks) == 2

    def test_once_it_answers_again_it_is_read_again(
        self, files: WorkspaceKeepAliveFiles, dead: Path
    ) -> None:
        assert touched_at(files, at_home(dead)) is None
        dead.mkdir()
        touch(dead / ".keep-alive")
        self.over.set()
        bound = time.monotonic() + 5
        while touched_at(files, at_home(dead)) != TEN:
            assert time.monotonic() < bound
