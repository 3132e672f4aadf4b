import os
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_cli.admin import administrator, user_add, user_import, user_list, user_remove
from ds01_cli.frame import asking
from ds01_cli.main import run
from ds01_spawner.composition import Directories
from ds01_spawner.domain.people import AccountEntry, Thing, ThingKind
from fakes.people_house import PeopleHouse
from fakes.program import invoke, said, told

NAMES = (user_add, user_import, user_list, user_remove)


class _House(PeopleHouse):
    """A platform, as commands see it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.directories = Directories(folder, folder, folder)


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _House:
    house = _House(tmp_path)
    for module in NAMES:
        monkeypatch.setattr(module, "open_to_root", lambda _about: house)
    monkeypatch.setattr(user_remove, "open_hub", lambda _directories: house.hub)
    monkeypatch.setattr(user_remove, "open_hub_people", lambda _directories: house.hub)
    return house


def test_somebody_is_added_and_that_is_said() -> None:
    words = ["alice", "--group", "student", "--full-name", "Alice Liddell"]
    expected = "Unix account with home /home/alice; ~/projects and ~/data; group student."
    dry = said("admin user add", *words, "--dry-run", width=200)
    assert dry == f"alice would be added: {expected}\n"
    assert said("admin user add", *words, width=200) == f"alice added: {expected}\n"
    assert said("admin user add", *words) == "alice: nothing is missing.\n"


def test_a_password_is_left_to_the_administrator() -> None:
    assert "passwd alice" in invoke("admin user add", "alice").stderr


@pytest.mark.parametrize("text", ["name;group\nalice;student\nbob;\n"])
def test_a_list_is_added_and_completed(house: _House, tmp_path: Path, text: str) -> None:
    file = tmp_path / "class.csv"
    file.write_text(text, "utf-8-sig")
    dry = said("admin user import", str(file), "--dry-run", width=200)
    assert "alice would be added: Unix account" in dry
    assert "2 people would be added or completed; of 0 nothing is missing." in dry
    assert house.accounts.accounts == {}
    assert "2 people added or completed" in said("admin user import", str(file), width=200)
    file.write_text(f"{text}carol;student\n")
    again = said("admin user import", str(file), width=200).splitlines()
    assert again[-1] == "1 person added or completed; of 2 nothing is missing."
    assert len(again) == 2


def test_all_faults_of_a_list_are_told_and_nothing_is_made(
    house: _House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house.accounts.put(AccountEntry("bob", 1001, 1001, "Bob", "/home/bob"))
    file = tmp_path / "class.csv"
    file.write_text(
        "name,full name,group,notify\nalice,Alice,student,\nBob,,,\nbob,Robert,,\ncarol,,stud,\n"
        "dora,,,a@b@c\n"
    )
    assert run(["admin", "user", "import", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ds01: 4 faults, so nothing was made:"
    assert [each.split(":")[1] for each in lines[1:]] == ["3", "4", "5", "6"]
    assert list(house.accounts.accounts) == ["bob"]


def test_a_list_from_standard_input(house: _House) -> None:
    said("admin user import", "-", stdin="name\nalice\n")
    assert "alice" in house.accounts.accounts


def test_a_list_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["admin", "user", "import", "/nonexistent.csv"]) == 5
    assert "There is no file /nonexistent.csv" in capsys.readouterr().err


@pytest.fixture
def alice(house: _House) -> _House:
    said("admin user add", "alice", "--group", "student", "--notify", "mailto:a@uni.example")
    house.lab.run("alice")
    known = house.accounts.accounts["alice"]
    house.accounts.put(replace(known, listed_in=("docker",)))
    house.things.things["alice"] = (Thing(ThingKind.VOLUME, "data._.alice"),)
    return house


def test_what_goes_and_what_stays_is_said(alice: _House) -> None:
    lines = said("admin user remove", "alice", "--dry-run", width=200).splitlines()
    stays = lines.index("This stays:")
    assert lines[1:stays] == [
        "  - the way in: nobody can log in as alice any more",
        "  - 1 container, 1 of which runs: jupyter",
        f"  - the line {alice.folder}/groups/student.members:1",
        "  - the address a@uni.example (mail)",
        "  - membership of the Unix groups docker",
    ]
    assert lines[stays + 1 :] == [
        "  - the home /home/alice, and the uid 1001, so that nobody else gets those files",
        "  - 1 volume: data._.alice",
        "  - what the audit log says of them",
    ]
    assert "close" not in alice.accounts.calls


def test_with_data_it_says_so(alice: _House) -> None:
    lines = said("admin user remove", "alice", "--delete-data", "--yes", width=200)
    assert "  - the Unix account (uid 1001) and the home /home/alice\n" in lines
    assert lines.endswith("alice is removed.\n")
    assert alice.accounts.accounts == {}


def test_it_asks_and_takes_no_for_an_answer(alice: _House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    assert said("admin user remove", "alice", stdin="n\n").endswith("Nothing was removed.\n")
    assert "close" not in alice.accounts.calls
    assert said("admin user remove", "alice", stdin="y\n").endswith("alice is removed.\n")


def test_without_a_terminal_it_asks_for_a_flag(
    alice: _House, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["admin", "user", "remove", "alice"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert "close" not in alice.accounts.calls


def test_what_is_left_to_do_by_hand_is_said(house: _House) -> None:
    policy = house.folder / "resource-limits.yaml"
    policy.write_text(f"{policy.read_text()}users:\n  dean:\n    storage: 1t\n    reason: dean\n")
    house.accounts.put(AccountEntry("dean", 5000, 5000, "", "/net/dean", is_local=False))
    notes = invoke("admin user remove", "dean", width=200).stderr
    assert "The account dean is a directory's: close it there." in notes
    assert "Take dean out of the group faculty by hand" in notes
    assert "Take their own limits out of the policy by hand" in notes


def test_the_entry_in_the_hub_goes_with_its_tokens(alice: _House) -> None:
    alice.hub.people = {"alice", "bob"}
    done = invoke("admin user remove", "alice", "--yes", width=200)
    assert "  - their entry in the hub, with all of their tokens\n" in done.stdout
    assert "admin page" not in done.stderr
    assert alice.hub.people == {"bob"}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"may_remove": False}, "The hub lists alice, and their tokens stay valid there"),
        ({"down": True}, "The hub was not asked (The hub does not answer.). If it lists alice"),
    ],
)
def test_what_the_hub_keeps_is_said(alice: _House, state: dict[str, bool], told: str) -> None:
    alice.hub.people = {"alice"}
    vars(alice.hub).update(state)
    done = invoke("admin user remove", "alice", "--yes", width=200)
    assert done.exit_code == 0, done.output
    assert told in done.stderr
    assert "entry in the hub" not in done.stdout
    assert alice.hub.people == {"alice"}


def test_everybody_is_listed(alice: _House) -> None:
    table = said("admin user list", width=200)
    assert "members file" in table
    assert "1 (1 run)" in table
    found = {each["name"]: each for each in told("admin user list")["people"]}
    assert found["alice"] == {
        "name": "alice",
        "full_name": "",
        "account": "local",
        "closed": False,
        "uid": 1001,
        "home": "/home/alice",
        "group": "student",
        "group_source": "members file",
        "group_place": f"{alice.folder}/groups/student.members:1",
        "containers": 1,
        "running": 1,
        "storage_bytes": None,
        "storage_limit_bytes": 100 * 1024**3,
    }
    assert found["dean"]["account"] == "none"
    assert "dean" not in said("admin user list", "--group", "student")


def test_a_group_that_does_not_exist_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["admin", "user", "list", "--group", "stud"]) == 5
    assert "Its groups: faculty, researcher, student." in capsys.readouterr().err


@pytest.mark.parametrize("words", ["add alice", "remove alice", "import x.csv", "list"])
def test_only_root_may(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in NAMES:
        monkeypatch.setattr(module, "open_to_root", administrator.open_to_root)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(["admin", "user", *words.split()]) == 3
    assert "for root. Try it with sudo." in capsys.readouterr().err
