from pathlib import Path

import pytest

from ds01_cli.gpu import direct, reading
from fakes.api_house import House
from fakes.calls import ROOT
from fakes.program import said, told


@pytest.fixture(autouse=True)
def through_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "platform_is_open", lambda: False)


def test_slots_are_shown_to_whom_the_platforms_files_are_closed(house: House) -> None:
    house.lab.run("alice", "mig", name="thesis")
    house.lab.run("bob", "mig")
    text = said("gpu status", width=100)
    assert "you (thesis)" in text
    assert "bob" not in text
    assert "slots are free." in text
    found = told("gpu status")
    assert set(found) >= {"source", "slots", "problems"}
    assert [each["container"] for each in found["slots"] if each["mine"]] == ["thesis"]


def test_managers_see_whose_they_are(house: House) -> None:
    house.lab.run("bob", "mig")
    house.asks(ROOT)
    assert "bob (jupyter)" in said("gpu status", width=100)


def test_ones_own_places_in_the_queue_are_shown(house: House) -> None:
    ticket = house.api.waiting("alice", "thesis")
    house.api.waiting("bob")
    text = said("gpu queue", width=120)
    assert "alice" in text
    assert "bob" not in text
    (entry,) = told("gpu queue")["queue"]
    assert (entry["id"], entry["container"], entry["user"]) == (ticket.id, "thesis", "alice")


def test_nobody_waits(house: House) -> None:
    assert house.lab
    assert said("gpu queue") == "Nobody waits for a GPU.\n"


def test_on_the_server_the_platforms_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "platform_is_open", lambda: True)
    monkeypatch.setattr("ds01_cli.gpu.direct.open_platform", _fails)
    del tmp_path
    with pytest.raises(_Direct):
        said("gpu status")
    with pytest.raises(_Direct):
        said("gpu queue")


class _Direct(Exception):
    pass


def _fails(actor: str) -> object:
    raise _Direct(actor)


def test_a_look_needs_no_valid_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "resource-limits.yaml").write_text("defaults: {max_gpu_slots: many}\n")
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("DS01_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path / "state"))
    platform = direct._for_a_look()
    assert platform.policy.current().limits("ana")
    assert platform.policy.problems
    assert capfd.readouterr().err == ""
    assert list((tmp_path / "state").iterdir()) == []
