import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ds01_cli.admin import reconcile as command
from ds01_cli.admin.administrator import open_to_administrator
from ds01_cli.main import run
from ds01_spawner.composition import Directories, open_hub
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.leftover import Kind, Leftover
from ds01_spawner.domain.repair import Repair
from ds01_spawner.operations.repair.reconcile import Report
from fakes.clock import EPOCH
from fakes.lifecycle_lab import LifecycleLab
from fakes.program import invoke, said

LEFT_BEHIND = Container(
    "1", "jupyter._.alice", ContainerState.CREATED, {labels.USER: "alice"}, EPOCH
)
COMMANDS = [["admin", "reconcile"], ["admin", "reconcile", "--dry-run"], ["admin", "lifecycle"]]


class _Platform:
    """A platform of a lab; where a test gives a report, its repair finds that."""

    def __init__(self, lab: LifecycleLab, report: Report | None = None) -> None:
        self.lab = lab
        self.report = report
        self.asked: list[bool] = []
        self.directories = Directories(Path("/nowhere"), Path("/nowhere"), Path("/nowhere"))

    def reconciler(self, hub: object) -> object:
        self.hub = hub
        return self.lab.reconciler if self.report is None else self

    def by_hand(self, pause: object, *, dry_run: bool) -> Report:
        del pause
        self.asked.append(dry_run)
        assert self.report is not None
        return self.report


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> LifecycleLab:
    lab = LifecycleLab()
    monkeypatch.setattr(time, "sleep", lab.wait_seconds)
    monkeypatch.setattr(command, "open_hub", lambda _directories: lab.hub)
    return lab


def reconcile(monkeypatch: pytest.MonkeyPatch, platform: _Platform, *arguments: str) -> str:
    monkeypatch.setattr(command, "open_to_administrator", lambda: platform)
    return said("admin reconcile", *arguments)


def test_says_what_was_removed_and_why(monkeypatch: pytest.MonkeyPatch, lab: LifecycleLab) -> None:
    repair = Repair(LEFT_BEHIND, "cleanup.orphan", "It was created and never started.")
    ticket = Leftover(Kind.TICKET, ("t",), "bob", "thesis._.bob")
    platform = _Platform(lab, Report((repair,), ("carol could not be removed.",), (ticket,)))
    assert reconcile(monkeypatch, platform).splitlines() == [
        "jupyter._.alice removed: It was created and never started.",
        f"The place in the queue for thesis._.bob removed: {ticket.reason}",
        "note: carol could not be removed.",
    ]
    assert platform.hub is lab.hub
    assert platform.asked == [False]


def test_says_when_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, lab: LifecycleLab
) -> None:
    assert reconcile(monkeypatch, _Platform(lab)) == "Nothing to repair.\n"


def test_a_dry_run_says_what_would_be_removed_and_by_hand_it_is(
    monkeypatch: pytest.MonkeyPatch, lab: LifecycleLab
) -> None:
    container_id = lab.run(gpu="none")
    lab.hub.known.clear()
    lab.lab.wait(600)
    dry = reconcile(monkeypatch, _Platform(lab), "--dry-run")
    assert "jupyter._.alice would be removed: The hub has no such server." in dry
    assert lab.lives(container_id)
    assert "jupyter._.alice removed" in reconcile(monkeypatch, _Platform(lab))
    assert lab.container() is None


def test_without_the_hub_it_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch, lab: LifecycleLab
) -> None:
    monkeypatch.setattr(command, "open_hub", lambda _directories: None)
    monkeypatch.setattr(command, "open_to_administrator", lambda: _Platform(lab))
    result = invoke("admin reconcile")
    assert result.stderr == "note: The hub is not asked, so nothing of the hub is touched.\n"


def test_the_hub_is_found_where_the_service_finds_it(tmp_path: Path) -> None:
    directories = Directories(tmp_path, tmp_path, tmp_path)
    assert open_hub(directories, {}) is None
    lines = "JUPYTERHUB_API_URL=http://hub/api\nJUPYTERHUB_API_TOKEN=secret\n"
    (tmp_path / "culler.env").write_text(lines)
    assert open_hub(directories, {}) is not None
    (tmp_path / "culler.env").unlink()
    both = {"JUPYTERHUB_API_URL": "http://hub/api", "JUPYTERHUB_API_TOKEN": "secret"}
    assert open_hub(directories, both) is not None


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("exists", [True, False])
def test_a_platform_that_is_not_there_is_not_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    exists: bool,
) -> None:
    state = tmp_path / "state"
    if exists:
        state.mkdir()
    monkeypatch.setenv("DS01_STATE_DIR", str(state))
    assert run(arguments) == 1
    assert f"ds01: There is no platform in {state}" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == ([state] if exists else [])


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_files_that_are_closed_are_said_with_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert "put sudo before the command" in error
    assert "move" not in error


def test_a_broken_policy_is_said_once_and_to_whom_it_concerns(tmp_path: Path) -> None:
    (tmp_path / "instance-id").write_text("here")
    (tmp_path / "resource-limits.yaml").write_text("defaults:\n  idle_timeout: soon\n")
    places = {"DS01_STATE_DIR": str(tmp_path), "DS01_CONFIG_DIR": str(tmp_path)}
    ended = subprocess.run(  # in a process of its own: pytest's own log handlers hide the second
        [sys.executable, "-m", "ds01_cli.main", "admin", "lifecycle"],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("idle_timeout") == 1
    assert "sk the administrator" not in ended.stderr
    assert "Correct it; ds01 policy check shows every fault." in ended.stderr


def test_others_than_administrators_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instance-id").write_text("here")
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    stranger = tmp_path.stat().st_uid + 1000
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    assert run(["admin", "lifecycle"]) == 3


def test_a_policy_that_nobody_can_read_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instance-id").write_text("here")
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DS01_CONFIG_DIR", str(tmp_path / "missing"))
    with pytest.raises(Unavailable, match=r"resource-limits\.yaml"):
        open_to_administrator()
