"""Notebooks in a home: there when they are missing, one's own when they were changed."""

from pathlib import Path

import pytest

from ds01_widgets.handing_out import FIRST, FOLDER, hand_out


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in (FIRST, "01-next.ipynb"):
        (folder / name).write_text(f"first release of {name}")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_the_first_time_says_where_to_begin(home: Path, source: Path) -> None:
    assert hand_out(home, source) == home / FOLDER / FIRST
    assert hand_out(home, source) is None
    assert sorted(each.name for each in (home / FOLDER).glob("*.ipynb")) == [FIRST, "01-next.ipynb"]


def test_what_is_missing_comes_again(home: Path, source: Path) -> None:
    hand_out(home, source)
    (home / FOLDER / FIRST).unlink()
    assert hand_out(home, source) is None
    assert (home / FOLDER / FIRST).exists()


def test_what_was_changed_stays_and_the_newer_one_is_beside_it(home: Path, source: Path) -> None:
    hand_out(home, source)
    (home / FOLDER / FIRST).write_text("mine")
    (source / FIRST).write_text("second release")
    (source / "01-next.ipynb").write_text("second release")
    for _ in range(2):
        hand_out(home, source)
        assert (home / FOLDER / FIRST).read_text() == "mine"
        assert (home / FOLDER / "00-welcome.new.ipynb").read_text() == "second release"
        assert (home / FOLDER / "01-next.ipynb").read_text() == "second release"
        assert not (home / FOLDER / "01-next.new.ipynb").exists()


def test_a_file_of_ones_own_is_left_alone(home: Path, source: Path) -> None:
    (home / FOLDER).mkdir()
    (home / FOLDER / FIRST).write_text("mine")
    assert hand_out(home, source) is None
    assert (home / FOLDER / FIRST).read_text() == "mine"


def test_a_broken_record_keeps_nobody_out(home: Path, source: Path) -> None:
    hand_out(home, source)
    (home / FOLDER / ".given.json").write_text("[")
    hand_out(home, source)
    assert (home / FOLDER / FIRST).exists()


def test_without_notebooks_nothing_is_made(home: Path, tmp_path: Path) -> None:
    assert hand_out(home, tmp_path / "nothing") is None
    assert list(home.iterdir()) == []
