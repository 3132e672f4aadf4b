import os
import pwd
from pathlib import Path

import pytest
import typer

from ds01_cli.admin.caller import caller, only_administrators, open_to_caller, subject
from ds01_spawner.domain.errors import Forbidden, Unavailable


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    return tmp_path


def be(monkeypatch: pytest.MonkeyPatch, uid: int, name: str, sudo_user: str | None = None) -> None:
    entry = pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: entry)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo_user is not None:
        monkeypatch.setenv("SUDO_USER", sudo_user)


def test_it_is_about_whoever_typed_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 1001, "alice")
    assert subject(None) == "alice"


def test_under_sudo_it_is_about_who_typed_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 0, "root", sudo_user="alice")
    assert subject(None) == "alice"


def test_nobody_becomes_somebody_else_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 1001, "alice", sudo_user="bob")
    assert caller() == "alice"


def test_root_says_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 0, "root")
    with pytest.raises(typer.BadParameter, match="--user NAME"):
        subject(None)
    assert subject("bob") == "bob"


def test_other_peoples_are_for_administrators(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    assert state.exists()
    be(monkeypatch, 1001, "alice")
    assert subject("alice") == "alice"
    with pytest.raises(Forbidden, match="sudo"):
        subject("bob")


def test_who_owns_the_platforms_files_is_an_administrator(
    monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    be(monkeypatch, state.stat().st_uid, "me")
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
