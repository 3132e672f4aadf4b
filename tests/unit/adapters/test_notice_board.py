import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from contracts.notice_board import NOTICE, OTHER, NoticeBoardContract, Standing
from ds01_spawner.adapters.notice_board import FileNoticeBoard
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.names import user_slug
from fakes.notice_board import FakeNoticeBoard


class TestFakeNoticeBoard(NoticeBoardContract):
    @pytest.fixture
    def board(self) -> FakeNoticeBoard:
        return FakeNoticeBoard()

    @pytest.fixture
    def standing(self, board: FakeNoticeBoard) -> Standing:
        return lambda user, name: [each.id for each in board.standing.get((user, name), ())]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state" / "notices"


@pytest.fixture
def board(root: Path) -> FileNoticeBoard:
    return FileNoticeBoard(root, UTC)


class TestFileNoticeBoard(NoticeBoardContract):
    @pytest.fixture
    def standing(self, root: Path) -> Standing:
        def read(user: str, name: str) -> list[str]:
            path = root / user_slug(user) / f"{name}.json"
            if not path.exists():
                return []
            return [each["id"] for each in json.loads(path.read_text())["notices"]]

        return read


def files_of(folder: str) -> dict[str, tuple[int, int]]:
    return {
        each.name: (each.stat(follow_symlinks=False).st_ino, each.stat().st_mtime_ns)
        for each in os.scandir(folder)
    }


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_everybody_may_read_and_nobody_else_may_write(board: FileNoticeBoard) -> None:
    folder = Path(board.folder("alice"))
    board.show("alice", "jupyter", [NOTICE])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    for file in ("jupyter.json", "jupyter.txt"):
        assert stat.S_IMODE((folder / file).stat().st_mode) == 0o644
    folder.chmod(0o700)
    assert stat.S_IMODE(Path(board.folder("alice")).stat().st_mode) == 0o755


def test_the_files_say_the_same_to_programs_and_to_terminals(board: FileNoticeBoard) -> None:
    board.show("alice", "jupyter", [NOTICE])
    folder = Path(board.folder("alice"))
    assert json.loads((folder / "jupyter.json").read_text())["notices"][0]["text"] == NOTICE.text
    assert "Nothing has run on it since 10:00." in (folder / "jupyter.txt").read_text()
    board.show("alice", "jupyter", [])
    assert json.loads((folder / "jupyter.json").read_text()) == {"version": 1, "notices": []}
    assert (folder / "jupyter.txt").read_text() == ""


def test_nothing_is_written_where_the_same_stands_already(
    root: Path, board: FileNoticeBoard
) -> None:
    board.show("alice", "jupyter", [NOTICE])
    before = files_of(board.folder("alice"))
    board.show("alice", "jupyter", [replace(NOTICE)])
    FileNoticeBoard(root, UTC).show("alice", "jupyter", [NOTICE])
    assert files_of(board.folder("alice")) == before
    assert set(before) == {"jupyter.json", "jupyter.txt"}


def test_a_change_makes_a_new_file_and_leaves_the_old_one_to_its_reader(
    board: FileNoticeBoard,
) -> None:
    board.show("alice", "jupyter", [NOTICE])
    path = Path(board.folder("alice"), "jupyter.json")
    with path.open() as reader:
        board.show("alice", "jupyter", [OTHER])
        assert json.load(reader)["notices"][0]["id"] == "n1"
    assert json.loads(path.read_text())["notices"][0]["id"] == "n2"


def test_what_somebody_else_wrote_over_it_is_put_right(board: FileNoticeBoard) -> None:
    board.show("alice", "jupyter", [NOTICE])
    path = Path(board.folder("alice"), "jupyter.json")
    path.write_text("nonsense")
    board.show("alice", "jupyter", [NOTICE])
    assert json.loads(path.read_text())["notices"][0]["id"] == "n1"
    path.unlink()
    board.show("alice", "jupyter", [NOTICE])
    assert path.exists()


def test_a_link_is_replaced_and_not_followed(tmp_path: Path, board: FileNoticeBoard) -> None:
    folder = Path(board.folder("alice"))
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (folder / "jupyter.json").symlink_to(precious)
    (folder / "jupyter.txt").mkdir()
    (folder / "jupyter.txt" / "inside").touch()
    board.show("alice", "jupyter", [NOTICE])
    assert precious.read_text() == "keep me"
    assert (folder / "jupyter.json").is_file()
    assert not (folder / "jupyter.json").is_symlink()
    assert (folder / "jupyter.txt").is_file()


def test_a_pipe_is_replaced_and_not_waited_for(board: FileNoticeBoard) -> None:
    folder = Path(board.folder("alice"))
    os.mkfifo(folder / "jupyter.json")
    board.show("alice", "jupyter", [NOTICE])
    assert (folder / "jupyter.json").is_file()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_none_is_replaced(
    tmp_path: Path, root: Path, board: FileNoticeBoard, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.mkdir(parents=True)
    if kind == "link":
        (root / "alice").symlink_to(elsewhere)
    else:
        (root / "alice").touch()
    board.show("alice", "jupyter", [NOTICE])
    assert list(elsewhere.iterdir()) == []
    assert not (root / "alice").is_symlink()
    assert (root / "alice" / "jupyter.json").is_file()


def test_clearing_takes_what_a_crash_left_and_keeps_the_folder(
    root: Path, board: FileNoticeBoard
) -> None:
    board.show("alice", "jupyter", [NOTICE])
    board.folder("bob")
    (root / "alice" / ".jupyter.json.0123").touch()
    (root / "bob" / "strange").mkdir()
    board.clear_others([("alice", "jupyter")])
    assert set(files_of(str(root / "alice"))) == {"jupyter.json", "jupyter.txt"}
    assert files_of(str(root / "bob")) == {}
    board.clear_others([])
    assert (root / "alice").is_dir()


def test_clearing_before_anything_was_shown_does_nothing(board: FileNoticeBoard) -> None:
    board.clear_others([])


def test_a_board_that_cannot_be_written_says_so_and_leaves_no_draft(
    root: Path, board: FileNoticeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    board.show("alice", "jupyter", [NOTICE])
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(Unavailable, match="No space left on device"):
            board.show("alice", "jupyter", [OTHER])
    assert set(files_of(str(root / "alice"))) == {"jupyter.json", "jupyter.txt"}
    assert json.loads((root / "alice" / "jupyter.json").read_text())["notices"][0]["id"] == "n1"
    board.show("alice", "jupyter", [OTHER])
    assert json.loads((root / "alice" / "jupyter.json").read_text())["notices"][0]["id"] == "n2"


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    board = FileNoticeBoard(tmp_path / "file" / "notices", UTC)
    with pytest.raises(Unavailable, match="Notices cannot be kept in"):
        board.folder("alice")


def test_names_that_could_name_no_person_are_left_out(root: Path, board: FileNoticeBoard) -> None:
    board.show("", "jupyter", [NOTICE])
    board.show("a\ud800", "jupyter", [NOTICE])
    assert not root.exists()
