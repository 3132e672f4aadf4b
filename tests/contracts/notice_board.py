"""What every `NoticeBoard` does, the fake and the real one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.ports import NoticeBoard
from fakes.clock import EPOCH

NOTICE = Notice(
    id="n1",
    user="alice",
    kind=NoticeKind.FIRST_WARNING,
    created_at=EPOCH,
    title="Your server stops in 24 minutes, at 12:24.",
    text="Your server stops in 24 minutes, at 12:24.\n\nNothing has run on it since 10:00.",
)
OTHER = replace(NOTICE, id="n2", kind=NoticeKind.FINAL_WARNING)

Standing = Callable[[str, str], list[str]]


class NoticeBoardContract:
    """Inherit, and give the fixtures `board` and `standing` (ids of what stands)."""

    def test_a_folder_is_one_persons_and_stays(self, board: NoticeBoard) -> None:
        folders = [board.folder(user) for user in ("alice", "Alice", "alice@x.org", "山田")]
        assert len(set(folders)) == 4
        assert all(PurePath(folder).is_absolute() for folder in folders)
        assert board.folder("alice") == folders[0]

    @pytest.mark.parametrize("user", ["", "../x", "a\nb"])
    def test_nobody_impossible_has_a_folder(self, board: NoticeBoard, user: str) -> None:
        with pytest.raises(InvalidRequest):
            board.folder(user)

    def test_exactly_what_was_shown_last_stands(
        self, board: NoticeBoard, standing: Standing
    ) -> None:
        board.show("alice", "jupyter", [NOTICE, OTHER])
        board.show("alice", "thesis", [OTHER])
        board.show("bob", "jupyter", [NOTICE])
        assert standing("alice", "jupyter") == ["n1", "n2"]
        board.show("alice", "jupyter", [OTHER])
        board.show("bob", "jupyter", [])
        assert standing("alice", "jupyter") == ["n2"]
        assert standing("alice", "thesis") == ["n2"]
        assert standing("bob", "jupyter") == []

    @pytest.mark.parametrize("name", ["", "../jupyter", ".hidden", "a/b", "x._.bob", "a\n"])
    def test_a_name_that_could_not_be_ours_is_left_out(
        self, board: NoticeBoard, standing: Standing, name: str
    ) -> None:
        board.show("alice", name, [NOTICE])
        assert standing("alice", name) == []

    def test_what_is_shown_of_others_is_cleared(
        self, board: NoticeBoard, standing: Standing
    ) -> None:
        for user, name in (("alice", "jupyter"), ("alice", "thesis"), ("bob", "jupyter")):
            board.show(user, name, [NOTICE])
        board.clear_others({("alice", "jupyter"), ("eve", "Some thing")})
        assert standing("alice", "jupyter") == ["n1"]
        assert standing("alice", "thesis") == []
        assert standing("bob", "jupyter") == []
        board.show("bob", "jupyter", [NOTICE])
        assert standing("bob", "jupyter") == ["n1"]
