import subprocess
import sys

import pytest

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Group
from ds01_cli.main import exit_code, run
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
    out = " ".join(capsys.readouterr().out.split())
    for name, entry in PROGRAM.entries.items():
        if isinstance(entry, Group) and not entry.entries:
            continue
        assert f" {name} " in out
        assert entry.help in out


def test_help_may_be_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["gpu"], ["gpu", "status"]):
        assert run([*words, "--help"]) == 0
        expected = capsys.readouterr().out
        assert run(["help", *words]) == 0
        assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["polic"], "Did you mean 'policy'?"),
        (["policy", "chek"], "All of them: ds01 policy --help"),
        (["deploy"], "Did you mean 'container deploy'? All of them: ds01 --help"),
        (["frobnicate"], "No such command 'frobnicate'. All of them: ds01 --help"),
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
    def interrupt(_arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ds01_cli.main.call", interrupt)
    assert run(["policy", "check"]) == 130


def test_an_error_is_one_line_with_its_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: list[str]) -> None:
        raise NoCapacity("All 8 slots are in use.", "Join the queue.")

    monkeypatch.setattr("ds01_cli.main.call", fail)
    assert run(["gpu", "status"]) == 4
    assert capsys.readouterr().err == "ds01: All 8 slots are in use. Join the queue.\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["admin"], ["admin", "--help"]])
def test_help_imports_no_command_and_no_library(arguments: list[str]) -> None:
    heavy = {"typer", "yaml", "pydantic", "httpx", "docker", "sqlalchemy", "rich"}
    code = (
        f"import sys; from ds01_cli.main import run; run({arguments}); "
        f"print(sorted(name for name in sys.modules if name in {heavy}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.splitlines()[-1] == "[]"


def test_what_stands_between_keyboard_and_container_loads_nothing_of_the_frame() -> None:
    code = (
        "import sys, types; proxy = types.ModuleType('ds01_cli.ssh.proxy');"
        "proxy.main = lambda arguments: print(arguments) or 7;"
        "sys.modules['ds01_cli.ssh.proxy'] = proxy;"
        "from ds01_cli.main import run; print(run(['ssh-proxy', 'thesis', '--help']));"
        "print(sorted({'typer', 'pydantic', 'httpx', 'rich'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.splitlines() == ["['thesis', '--help']", "7", "[]"]


def test_help_on_many_commands_fits_narrow_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert run(["--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_a_terminal_that_cannot_show_a_character_is_no_failure() -> None:
    code = "from ds01_cli import main as m; m.run = lambda _: print('a \u2192 b') or 7; m.main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "a ? b\n", "")
