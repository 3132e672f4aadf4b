import json
from pathlib import Path

import pytest

from ds01_cli.events import asked, events
from ds01_cli.events.selection import in_columns
from ds01_spawner.domain.errors import Forbidden
from fakes.api_house import House
from fakes.program import invoke, said


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is not open to whoever asks."""
    monkeypatch.setattr(events, "platform_is_open", lambda: False)
    monkeypatch.setattr(events, "event_log", lambda: Path("/nonexistent/events.jsonl"))


def write(house: House, number: int, user: str = "alice") -> None:
    for each in range(number):
        house.lab.audit.write("a.b", user=user, resource=f"r{each}", interface="hub")


def test_people_read_what_concerns_them_the_newest_last(house: House) -> None:
    write(house, 3)
    write(house, 1, "bob")
    lines = said("events").splitlines()
    assert [line.split()[4] for line in lines] == ["ok", "ok", "ok"]
    assert [line.split()[5] for line in lines] == ["r0", "r1", "r2"]
    facts = [json.loads(line) for line in said("events", "--json").splitlines()]
    assert [each["user"] for each in facts] == ["alice"] * 3


def test_what_is_wanted_is_chosen_there(house: House) -> None:
    write(house, 1)
    result = invoke("events", "--action", "gpu.*")
    assert (result.stdout, result.stderr) == ("", "Nothing is in the log about that.\n")
    assert said("events", "--action", "a.*") != ""


def test_following_is_for_administrators(house: House) -> None:
    assert house.lab
    with pytest.raises(Forbidden, match="Leave --follow out"):
        invoke("events", "--follow")


def test_that_there_is_more_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST", 2)
    write(house, 3)
    result = invoke("events")
    assert len(result.stdout.splitlines()) == 2
    assert "Only the last 2 are shown" in result.stderr


@pytest.mark.parametrize(
    ("actor", "words"), [("culler", "(culler)"), ("alice", "(culler by alice)")]
)
def test_who_is_the_door_itself_is_named_once(actor: str, words: str) -> None:
    assert words in in_columns({"interface": "culler", "actor": actor, "action": "gpu.stop"})
