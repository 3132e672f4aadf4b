import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.client.whole_files import put_text


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder / "Dockerfile"


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "victim"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("mode", "expected"), [(None, 0o640), (0o600, 0o600), (0o755, 0o755)], ids=["usual", "own", "x"]
)
def test_a_file_has_the_text_and_the_mode(target: Path, mode: int | None, expected: int) -> None:
    target.write_text("before")
    target.chmod(0o666)
    umask = os.umask(0o027)
    try:
        put_text(target, "naïve\n", mode)
    finally:
        os.umask(umask)
    assert target.read_text("utf-8") == "naïve\n"
    assert stat.S_IMODE(target.stat().st_mode) == expected
    assert list(target.parent.iterdir()) == [target]


def test_a_link_in_its_place_is_replaced_and_not_followed(target: Path, victim: Path) -> None:
    target.symlink_to(victim)
    put_text(target, "mine")
    assert not target.is_symlink()
    assert target.read_text() == "mine"


def test_a_link_that_was_put_where_the_draft_comes_is_not_followed(
    target: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.urandom", bytes)
    (target.parent / f".Dockerfile.{bytes(8).hex()}").symlink_to(victim)
    with pytest.raises(FileExistsError):
        put_text(target, "mine")
    assert not target.exists()


def test_two_drafts_have_two_names(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[str] = []
    monkeypatch.setattr("os.replace", lambda draft, _: drafts.append(draft))
    put_text(target, "one")
    put_text(target, "two")
    assert len(set(drafts)) == 2


def test_what_cannot_be_written_leaves_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    target.write_text("before")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        put_text(target, "after")
    assert target.read_text() == "before"
    assert list(target.parent.iterdir()) == [target]
