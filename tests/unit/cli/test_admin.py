import pytest
from typer.testing import CliRunner

from ds01_cli import admin
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.repair import Repair
from ds01_spawner.operations.reconcile import Report
from fakes.clock import EPOCH

LEFT_BEHIND = Container(
    "1", "jupyter._.alice", ContainerState.CREATED, {labels.USER: "alice"}, EPOCH
)


class _Platform:
    """A platform whose repair finds what the test says."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.asked: list[tuple[object, bool]] = []

    def reconciler(self, hub: object) -> "_Platform":
        self.hub = hub
        return self

    def run(self, *, dry_run: bool, bookkeeping: bool) -> Report:
        assert not bookkeeping
        self.asked.append((self.hub, dry_run))
        return self.report


def reconcile(monkeypatch: pytest.MonkeyPatch, platform: _Platform, *arguments: str) -> str:
    monkeypatch.setattr(admin, "open_platform", lambda **_: platform)
    result = CliRunner().invoke(admin.app, ["reconcile", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_says_what_was_removed_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    repair = Repair(LEFT_BEHIND, "cleanup.orphan", "It was created and never started.")
    platform = _Platform(Report((repair,), ()))
    said = reconcile(monkeypatch, platform)
    assert said == "jupyter._.alice removed: It was created and never started.\n"
    assert platform.asked == [(None, False)]


def test_a_dry_run_only_says_what_would_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    repair = Repair(LEFT_BEHIND, "cleanup.orphan", "It was created and never started.")
    platform = _Platform(Report((repair,), ()))
    assert "jupyter._.alice would be removed" in reconcile(monkeypatch, platform, "--dry-run")
    assert platform.asked == [(None, True)]


def test_says_what_could_not_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report((), ("bob could not be removed.",))
    assert reconcile(monkeypatch, _Platform(report)) == "note: bob could not be removed.\n"


def test_says_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reconcile(monkeypatch, _Platform(Report((), ()))) == "Nothing to repair.\n"
