"""Commands for people run away from the server, on macOS and Windows too."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ds01_spawner
from ds01_cli.commands import PROGRAM
from ds01_cli.frame.lacking import OF_LINUX, OF_THE_PROGRAM, OF_THE_SERVER, lacking
from ds01_cli.frame.table import Command, Group
from ds01_cli.main import run
from ds01_spawner.domain.errors import Forbidden

ROOT = Path(ds01_spawner.__file__).parent.parent
ON_THE_SERVER = {"admin", "policy"}
OF_THE_PLATFORM = {"charts", "client", "domain", "handbook", "home", "recipes"}
NEEDED = {
    "container attach": ("thesis",),
    "container exec": ("thesis", "true"),
    "container logs": ("thesis",),
    "image delete": ("thesis",),
    "image show": ("thesis",),
    "image update": ("thesis", "--rebuild"),
    "image save-from": ("thesis",),
    "container create": ("thesis", "--image", "ds01/starter:latest"),
    "container deploy": ("thesis", "--image", "ds01/starter:latest"),
    "container run": ("thesis",),
    "container remove": ("thesis",),
    "container retire": ("thesis", "--force"),
    "container show": ("thesis",),
    "container start": ("thesis",),
    "container stop": ("thesis",),
    "container restart": ("thesis",),
    "container pause": ("thesis",),
    "container unpause": ("thesis",),
    "image create": ("thesis", "--framework", "cpu", "--dry-run"),
    "project init": ("moss", "--quick", "--dry-run"),
    "project status": ("leaves",),
    "project launch": ("leaves",),
    "ssh": ("thesis",),
    "vscode": ("thesis",),
    "cp": ("a", "thesis:b"),
    "port-forward": ("thesis", "6006"),
    "ssh-proxy": ("thesis.ds01",),
    "extend": ("thesis",),
    "user-setup": ("--quick",),
    "login": ("http://127.0.0.1:1", "--token-stdin"),
    "completion": ("bash",),
}
"""What is typed behind a command that asks otherwise, or has nothing to do."""

ALONE = {"logout": 0, "completion bash": 0}
"""What does without a hub, and how it ends."""

ELSEWHERE = {
    "project launch leaves": "the container is on the server.",
}
"""What is not about the hub."""

NO_HUB = (
    "The hub http://127.0.0.1:1/ cannot be reached. Are you online, and in the university's"
    " network or VPN if it needs one? If so, the hub is down: try again in a minute."
)

# What Windows has not is taken away before anything of the program is loaded.
PROGRAM_THERE = """
import io, json, os, signal, socket, sys
from contextlib import redirect_stderr, redirect_stdout
missing, calls = json.load(sys.stdin)
for name in missing:
    sys.modules[name] = None
from ds01_cli.main import run
for name in ("fork", "geteuid", "getuid", "getgid", "getpgid", "setsid", "tcgetpgrp", "uname"):
    delattr(os, name)
del socket.AF_UNIX, signal.SIGWINCH, signal.SIGHUP, signal.SIGTSTP
told = {}
for words in calls:
    sys.stdin, out, err = io.StringIO("token"), io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(words)
    told[" ".join(words)] = [code, out.getvalue(), err.getvalue()]
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("ds01_spawner.")}
print(json.dumps([told, sorted(rooms)]))
"""


class Answer(NamedTuple):
    code: int
    output: str
    errors: str


def every(group: Group, path: str = "") -> Iterator[str]:
    for name, entry in group.entries.items():
        words = f"{path} {name}".strip()
        if isinstance(entry, Group):
            yield from every(entry, words)
        else:
            assert isinstance(entry, Command)
            yield words


PEOPLES = [words for words in every(PROGRAM) if words.split()[0] not in ON_THE_SERVER]
ADMINISTRATORS = [words for words in every(PROGRAM) if words.split()[0] in ON_THE_SERVER]


def ran(home: Path, calls: list[list[str]]) -> tuple[dict[str, Answer], list[str]]:
    missing = [*OF_LINUX, *OF_THE_SERVER]
    environment = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "DS01_USER_CONFIG_DIR": str(home / "settings"),  # platformdirs asks the real system
        "DS01_URL": "http://127.0.0.1:1",
        "DS01_TOKEN": "none",
        "DS01_STATE_DIR": "/nonexistent/state",
        "DS01_CONFIG_DIR": "/nonexistent/config",
    }
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM_THERE],
        input=json.dumps([missing, calls]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.stderr == "", process.stderr
    told, rooms = json.loads(process.stdout)
    return {words: Answer(*said) for words, said in told.items()}, rooms


def test_every_command_for_people_runs_without_what_only_the_server_has(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "leaves"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text('[project]\nname = "leaves"\n[tool.ds01]\n', "utf-8")
    (project / "Dockerfile").write_text("FROM ds01/starter:latest\n", "utf-8")
    calls = [[*words.split(), *NEEDED.get(words, ())] for words in PEOPLES]
    told, rooms = ran(tmp_path, calls)
    assert set(rooms) == OF_THE_PLATFORM
    for words, answer in told.items():
        if words in ALONE:
            assert (words, answer.code, answer.errors) == (words, ALONE[words], "")
            continue
        sentences = [line for line in answer.errors.splitlines() if line.startswith("ds01: ")]
        assert len(sentences) == 1, (words, answer)
        assert ELSEWHERE.get(words, NO_HUB) in sentences[0], words
        assert answer.code in {1, 3}, words


def test_every_one_of_them_helps_there(tmp_path: Path) -> None:
    told, _ = ran(tmp_path, [[*words.split(), "--help"] for words in PEOPLES])
    assert {words: answer.errors for words, answer in told.items() if answer.code} == {}


def test_a_command_of_the_servers_says_so_in_one_line(tmp_path: Path) -> None:
    told, _ = ran(tmp_path, [[*words.split(), "--help"] for words in ADMINISTRATORS])
    refused = {words: answer for words, answer in told.items() if answer.code}
    assert {"admin user add --help", "admin lifecycle --help"} <= set(refused)
    for words, answer in refused.items():
        assert answer.code == 1
        assert answer.errors.count("\n") == 1
        command = words.removesuffix(" --help")
        assert answer.errors.startswith(f"ds01: {command} belongs on the server; it needs ")
        assert "pip install 'ds01[cli,hub]'" in answer.errors


def test_without_the_programs_extra_it_is_named() -> None:
    error = lacking(ModuleNotFoundError(name="typer"), ["container", "list"])
    assert error is not None
    assert "ds01[cli]" in str(error)


def test_on_the_server_the_servers_commands_are_for_administrators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ds01_cli.frame.lacking.is_on_server", lambda: True)
    monkeypatch.setattr("ds01_cli.frame.lacking.is_root", lambda: False)
    error = lacking(ModuleNotFoundError(name="urllib3"), ["policy", "check", "x.yaml"])
    assert isinstance(error, Forbidden)
    assert str(error) == "policy check is for administrators. Use sudo: sudo ds01 policy check"


def test_a_module_of_our_own_that_is_missing_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ds01_cli.frame.completion", None)
    with pytest.raises(ModuleNotFoundError):
        run(["completion", "bash"])


@pytest.mark.parametrize(("extra", "known"), [("cli", OF_THE_PROGRAM), ("hub", OF_THE_SERVER)])
def test_what_an_extra_brings_is_known_by_its_modules(extra: str, known: frozenset[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    modules = packages_distributions()
    for requirement in project["optional-dependencies"][extra]:
        name = canonicalize_name(Requirement(requirement).name)
        brought = {
            module
            for module, names in modules.items()
            if name in {canonicalize_name(each) for each in names}
        }
        assert brought & known, name
