import subprocess
import sys

import pytest

from ds01_cli.main import COMMANDS, exit_code, run
from ds01_spawner import __version__
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NoCapacity,
    NotFound,
    PolicyError,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoCapacity("full"), 4),
        (Forbidden("no"), 3),
        (NotFound("gone"), 5),
        (Unavailable("down"), 1),
        (Conflict("taken"), 1),
        (PolicyError(()), 1),
    ],
)
def test_errors_have_the_exit_codes_people_know(error: DS01Error, code: int) -> None:
    assert exit_code(error) == code


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ds01 {__version__}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([flag]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name}" in out and entry.help in out for name, entry in COMMANDS.items())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["polic"], "Did you mean 'policy'?"),
        (["policy", "chek"], "Did you mean 'check'"),
        (["policy", "explain"], "Missing argument"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_exits_2_with_a_hint(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert words in capsys.readouterr().err


def test_an_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ds01_cli.main.app", interrupt)
    assert run(["policy", "check"]) == 130


def test_an_error_is_one_line_with_its_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise NoCapacity("All 8 slots are in use.", "Join the queue.")

    monkeypatch.setattr("ds01_cli.main.app", fail)
    assert run([]) == 4
    assert capsys.readouterr().err == "ds01: All 8 slots are in use. Join the queue.\n"


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from ds01_cli.main import run; run(['--help']); "
        "print(sorted(name for name in sys.modules if name in "
        "{'yaml', 'pydantic', 'docker', 'sqlalchemy', 'rich', 'ds01_cli.policy'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.splitlines()[-1] == "[]"
