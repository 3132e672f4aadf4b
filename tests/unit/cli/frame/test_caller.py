import os
import pwd

import pytest

from ds01_cli.frame.caller import caller


def be(monkeypatch: pytest.MonkeyPatch, uid: int, name: str, sudo_user: str | None = None) -> None:
    entry = pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: entry)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo_user is not None:
        monkeypatch.setenv("SUDO_USER", sudo_user)


def test_it_is_whoever_typed_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 1001, "alice")
    assert caller() == "alice"


def test_under_sudo_it_is_who_typed_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 0, "root", sudo_user="alice")
    assert caller() == "alice"


def test_nobody_becomes_somebody_else_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 1001, "alice", sudo_user="bob")
    assert caller() == "alice"


def test_who_has_no_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, 1001, "alice")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert caller() == "1001"
