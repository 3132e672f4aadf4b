import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ds01_cli.health import direct
from ds01_cli.main import run
from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.domain.health import Level, Verdict
from ds01_spawner.operations.health.health import Check, Health
from fakes.clock import FakeClock

WELL = Verdict(Level.OK, "Docker 20.10.24.")
LOW = Verdict(Level.WARN, "The disk of homes (/home) has 5 GB left.", "df -h /home")
DOWN = Verdict(Level.FAIL, "Nobody answers.", "systemctl start ds01-gateway")


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    """What is found on a server whose files are open to whoever asks."""
    found = {"engine": WELL}
    (tmp_path / "instance-id").write_text("here")
    platform = SimpleNamespace(
        clock=FakeClock(),
        directories=Directories(tmp_path, tmp_path, tmp_path / "events.jsonl"),
        health=lambda _hub: Health(
            [Check(name, lambda each=each: each) for name, each in found.items()]  # type: ignore[misc]
        ),
    )
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(direct, "open_to_caller", lambda: platform)
    return found


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run(["health", *words])
    return code, capsys.readouterr().out


def test_what_fails_comes_first_with_what_to_do(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts |= {"disks": LOW, "gateway": DOWN}
    code, out = typed(capsys)
    assert code == 1
    assert out.splitlines() == [
        "fail  gateway: Nobody answers. → systemctl start ds01-gateway",
        "warn  disks: The disk of homes (/home) has 5 GB left. → df -h /home",
        "ok    engine: Docker 20.10.24.",
        "3 checks: 1 ok, 1 warning, 1 failure.",
    ]


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        ({}, [], 0),
        ({"disks": LOW}, [], 0),
        ({"disks": LOW}, ["--strict"], 1),
        ({"gateway": DOWN}, [], 1),
        ({"gateway": DOWN}, ["--json"], 1),
    ],
)
def test_the_exit_code_tells_whether_something_fails(
    verdicts: dict[str, Verdict],
    capsys: pytest.CaptureFixture[str],
    more: dict[str, Verdict],
    words: list[str],
    code: int,
) -> None:
    verdicts |= more
    assert typed(capsys, *words)[0] == code


def test_the_same_for_programs(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts["disks"] = LOW
    found: dict[str, Any] = json.loads(typed(capsys, "--json")[1])
    assert found["ok"] is True
    assert {each["name"]: each["level"] for each in found["parts"]} == {
        "engine": "ok",
        "disks": "warn",
    }


def test_nothing_that_a_part_says_controls_the_terminal(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts["policy"] = Verdict(Level.FAIL, "line\nbroken\x1b[2J", "\x07ring")
    out = typed(capsys)[1]
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "line broken" in out
    assert len(out.splitlines()) == 3


def test_it_is_for_administrators(
    verdicts: dict[str, Verdict],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del verdicts
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert run(["health"]) == 3
    assert "Try it with sudo" in capsys.readouterr().err


def test_where_nothing_has_run_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DS01_STATE_DIR", str(tmp_path))
    assert run(["health"]) == 1
    assert "There is no platform" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_is_gone_fails_and_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "instance-id").write_text("abcdef123456")
    platform = open_platform(
        Directories(tmp_path, tmp_path, tmp_path / "events.jsonl"), actor="cli"
    )
    names = {"ledger", "leftovers", "clock", "lifecycle service"}
    checks = platform.health(lambda: None)._checks
    found = Health([each for each in checks if each.name in names]).look()
    assert {each.name for each in found} == names
    for each in found:
        assert each.verdict.level is not Level.OK
        assert "the file is gone" in each.verdict.what
        assert "start the services" in each.verdict.next_step
    assert [each.name for each in tmp_path.iterdir()] == ["instance-id"]
