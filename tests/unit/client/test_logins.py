import stat
from pathlib import Path

import pytest

from ds01_spawner.client import logins
from ds01_spawner.client.logins import Login, forget_login, keep_login, read_login
from ds01_spawner.domain.errors import Unavailable

LOGIN = Login("https://hub.example.org/", "t", "alice")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config" / "ds01"
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(folder))
    return folder


def test_a_login_is_kept_for_oneself_alone(folder: Path) -> None:
    assert read_login() is None
    path = keep_login(LOGIN)
    assert read_login() == LOGIN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [each.name for each in folder.iterdir()] == ["login.json"]


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "login.json"
    path.write_text("{}")
    path.chmod(0o644)
    keep_login(LOGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_forgotten(folder: Path) -> None:
    keep_login(LOGIN)
    assert forget_login()
    assert not forget_login()
    assert read_login() is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"url": "x"}', '{"url": 1, "token": 2, "user": 3}']
)
def test_a_damaged_one_is_told_with_what_to_do(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "login.json").write_text(text)
    with pytest.raises(Unavailable, match="Log in again"):
        read_login()


def test_what_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path / "file"))
    assert read_login() is None
    with pytest.raises(Unavailable, match="cannot be kept"):
        keep_login(LOGIN)


def test_the_usual_folder_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DS01_USER_CONFIG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert logins.config_folder() == Path("/somewhere/ds01")
