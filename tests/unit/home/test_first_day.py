"""The steps of a first day, each by itself."""

from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.words import gpu_words, place_words
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.home import first_day, folders, ssh_files
from fakes.api_app import FakeApi, container

PUBLIC = f"ssh-ed25519 {'A' * 68} anna@laptop"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path / ".config" / "ds01"))
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    return tmp_path


def test_folders_are_looked_for_without_being_made(home: Path) -> None:
    (home / "data").mkdir()
    found = first_day.look_for_folders()
    assert (found.state, found.words) == ("open", "To be made: ~/projects, ~/.config.")
    assert sorted(each.name for each in home.iterdir()) == ["data"]


def test_folders_of_another_computer_are_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DS01_CONTAINER")
    monkeypatch.setenv("DS01_URL", "https://hub.example.org")
    monkeypatch.setenv("DS01_TOKEN", "t")
    assert first_day.make_folders().state == "skipped"
    assert list(home.iterdir()) == []


def test_a_home_without_room_is_said(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(Exception, match="cannot be made: Not a directory"):
        folders.make(home / "file" / "below")


@pytest.mark.usefixtures("home")
def test_a_key_of_elsewhere_is_enough() -> None:
    api = FakeApi()
    with api.client() as client:
        assert first_day.look_for_key(client).state == "open"
        first_day.add_key(client, PUBLIC)
        assert first_day.look_for_key(client).words == (
            "Your containers know a key already: anna@laptop."
        )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "text",
    [
        "ssh-ed25519",
        "ssh-ed25519 short",
        f'command="x" {PUBLIC}',
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_what_is_no_public_half_is_not_sent(text: str) -> None:
    api = FakeApi()
    with api.client() as client, pytest.raises(InvalidRequest):
        first_day.add_key(client, text)
    assert api.asked == []


def test_lines_that_a_mail_broke_are_one_again(home: Path) -> None:
    assert home.is_dir()
    api = FakeApi()
    with api.client() as client:
        first_day.add_key(client, PUBLIC.replace(" ", "\n ", 1))
    assert api.keys[0].key == PUBLIC


def test_in_a_container_the_program_is_found_by_its_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ssh_files.own_program() == Path("ds01")
    monkeypatch.delenv("DS01_CONTAINER")
    assert ssh_files.own_program().is_absolute()
    assert home.is_dir()


def test_that_a_laptop_is_set_up_is_remembered(home: Path) -> None:
    assert first_day.look_for_configured().state == "open"
    assert first_day.remember_configured().state == "done"
    assert first_day.look_for_configured().state == "there"
    assert not (home / ".ssh").exists()


def test_a_page_that_cannot_be_kept_is_said(home: Path) -> None:
    (home / ".config").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        first_day.keep_page("# First steps\n")


def test_a_key_that_cannot_be_read_is_said(home: Path) -> None:
    (home / ".config/ds01/id_ed25519.pub").mkdir(parents=True)
    with FakeApi().client() as client, pytest.raises(Unavailable, match="cannot be read"):
        first_day.look_for_key(client)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"gpu_slots": ("0:1",)}, ", with GPU slot 0:1"),
        (
            {"gpu_slots": ("0:1", "2"), "gpu_profiles": ("1g.5gb", "full")},
            ", with GPU slots 0:1 (1g.5gb), 2 (a whole GPU)",
        ),
    ],
)
def test_slots_in_words(facts: dict[str, Any], words: str) -> None:
    assert gpu_words(container("thesis", **facts)) == words


@pytest.mark.parametrize(
    ("place", "length", "words"),
    [
        (0, 1, "Your turn: you get 1 slot."),
        (1, 1, "Waiting for 1 slot: you are the next. All are in use."),
        (2, 3, "Waiting for 1 slot: you are number 2 of 3. All are in use."),
    ],
)
def test_a_place_in_words(place: int, length: int, words: str) -> None:
    told = m.Place(
        place=place, length=length, reason="All are in use.", gpu="1 slot", waited_seconds=0
    )
    assert place_words(told) == words


def test_files_of_another_machine_in_the_same_home_stay(home: Path) -> None:
    with FakeApi().client() as client:
        assert first_day.make_key(client).state == "done"
        config = home / ".config/ds01/ssh_config"
        config.write_text("as the server wrote it")
        assert first_day.make_key(client).state == "there"
        assert config.read_text() == "as the server wrote it"
        config.unlink()
        first_day.make_key(client)
        assert "ProxyCommand ds01 ssh-proxy" in config.read_text()
