import json
import os
from types import SimpleNamespace

import pytest

from ds01_cli.admin import doors
from ds01_cli.main import run
from ds01_spawner.domain.door import GroupMembers
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.doors import Doors
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.operations.doors.listed import Machine
from ds01_spawner.policy.isolation import IsolationConfig
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.machine_doors import (
    FakeEngineSetup,
    FakeGateway,
    FakeGroups,
    FakeNodes,
    FakeRecords,
    FakeServicePorts,
    FakeSystemFiles,
)
from fakes.packet_filter import FakeBridges, FakeHostAddresses, FakePacketFilter
from fakes.program import said


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch) -> FakeGroups:
    found = FakeGroups({"docker": GroupMembers(("alice",))}, {"alice"})
    audit = Audit(FakeClock(), FakeEventLog(), "cli")
    isolation = Isolation(
        bridges=FakeBridges(),
        packet_filter=FakePacketFilter(),
        host=FakeHostAddresses(),
        config=IsolationConfig,
        audit=audit,
        instance="here",
        is_main=True,
    )
    machine = Machine(
        *(found, FakeNodes(), FakeEngineSetup(), FakeSystemFiles(), FakeGateway(), isolation),
        ports=FakeServicePorts(),
    )
    known = Doors(machine=machine, records=FakeRecords(), clock=FakeClock(), audit=audit)
    directories = SimpleNamespace(is_demo=False)
    platform = SimpleNamespace(doors=known, directories=directories)
    monkeypatch.setattr(doors, "open_to_administrator", lambda: platform)
    found.directories = directories  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return found


def told(*arguments: str) -> str:
    return said("admin doors", *arguments)


def test_open_doors_come_first_with_what_closes_them() -> None:
    lines = told().splitlines()

    assert lines[0] == "OPEN       docker-group: alice is in the group docker."
    assert lines[1].strip().startswith("Whoever is in it is root")
    assert lines[2].strip() == "ds01 admin doors --fix docker-group"
    assert lines[3].strip() == ("alice is taken out of the group docker (gpasswd -d alice docker).")
    assert "closed     gateway: The gateway answers at /run/ds01/docker.sock." in lines


def test_the_same_as_json() -> None:
    found = {each["name"]: each for each in json.loads(told("--json"))["doors"]}

    assert found["docker-group"]["is_open"] is True
    assert found["engine-tcp"]["is_open"] is False


def test_a_fix_says_what_it_changes_and_how_to_undo_it(groups: FakeGroups) -> None:
    assert told("--fix", "docker-group").splitlines() == [
        "changes: alice is taken out of the group docker (gpasswd -d alice docker).",
        "Nobody is in the group docker. To undo: ds01 admin doors --undo docker-group",
    ]
    assert not groups.groups["docker"].listed
    assert "undo: ds01 admin doors --undo docker-group" in told()

    assert told("--undo", "docker-group") == "alice is in the group docker again.\n"
    assert groups.groups["docker"].listed == ("alice",)


def test_a_dry_run_changes_nothing(groups: FakeGroups) -> None:
    assert told("--fix", "docker-group", "--dry-run").startswith("would change: alice is taken")
    assert groups.groups["docker"].listed == ("alice",)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--fix", "front"], 5, "There is no door 'front'"),
        (["--undo", "docker-group"], 5, "nothing to undo"),
        (["--fix", "gateway"], 3, "Nothing is changed for gateway. It is closed."),
        (["--fix", "a", "--undo", "b"], 2, "not both"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["admin", "doors", *arguments]) == code
    assert words in " ".join(capsys.readouterr().err.split())


def test_only_root_may(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert run(["admin", "doors"]) == 3
    assert "Try it with sudo" in capsys.readouterr().err


def test_the_machine_is_not_changed_for_a_demo(
    groups: FakeGroups, capsys: pytest.CaptureFixture[str]
) -> None:
    groups.directories.is_demo = True  # type: ignore[attr-defined]
    text = told()
    assert "OPEN       docker-group" in text
    assert "--fix" not in text
    assert "gpasswd" not in text
    assert "This is a demo" in text
    assert "gpasswd" not in told("--json")
    for words in (["--fix", "docker-group"], ["--fix", "docker-group", "--dry-run"]):
        assert run(["admin", "doors", *words]) == 3
        assert "This is a demo" in capsys.readouterr().err
    assert groups.groups["docker"].listed
