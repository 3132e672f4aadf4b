import os
from pathlib import Path

import pytest

from ds01_cli.admin.administrator import only_administrators, open_to_caller
from ds01_spawner.domain.errors import Forbidden, Unavailable


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    return tmp_path


def test_other_peoples_are_for_administrators(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: state.stat().st_uid + 1001)
    with pytest.raises(Forbidden, match="sudo"):
        only_administrators()


def test_who_owns_the_platforms_files_is_an_administrator(
    monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: state.stat().st_uid)
    only_administrators()


def test_files_that_are_closed_are_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Unavailable, match="home page, or put sudo before") as caught:
        open_to_caller()
    assert str(state) in str(caught.value)


def test_a_platform_that_is_not_there_is_not_made(
    monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setenv("DS01_STATE_DIR", str(state / "nothing"))
    with pytest.raises(Unavailable, match="There is no platform"):
        open_to_caller()
    assert not (state / "nothing").exists()
