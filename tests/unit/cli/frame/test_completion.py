import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ds01_cli.frame import completing
from ds01_cli.main import run
from ds01_spawner.client import models as m
from fakes.api_app import FakeApi
from fakes.api_house import House

NOWHERE = {"DS01_GATEWAY_SOCKET": "/nonexistent/socket"}


def program(*arguments: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "ds01_cli.main", *arguments],
        env={**os.environ, **NOWHERE, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stderr == ""
    return ran.stdout


def completed(line: str) -> Sequence[str]:
    words = line.split(" ")
    place = str(len(words) - 1)
    return program(COMP_WORDS=line, COMP_CWORD=place, _DS01_COMPLETE="complete_bash").split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_the_shell(shell: str) -> None:
    script = program("completion", shell)
    assert f"_DS01_COMPLETE=complete_{shell}" in script


def test_the_script_for_bash_completes_in_bash() -> None:
    code = program("completion", "bash")
    wrapped = (
        f"{code}\nCOMP_WORDS=(ds01 gpu st); COMP_CWORD=2\n"
        'PATH="$FOLDER:$PATH" _ds01_completion "$FOLDER/ds01"; echo "${COMPREPLY[@]}"\n'
    )
    folder = os.path.dirname(sys.executable)  # noqa: PTH120 - as the shell says it
    ran = subprocess.run(
        ["bash", "-c", wrapped],
        env={**os.environ, **NOWHERE, "FOLDER": folder},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.split() == ["status"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ds01 lo", ["login", "logout"]),
        ("ds01 gpu ", ["status", "processes", "queue"]),
        ("ds01 admin aliases r", ["remove"]),
        ("ds01 completion z", ["zsh"]),
        ("ds01 check-limits --v", ["--verbose"]),
        ("ds01 why thes", []),
    ],
)
def test_what_could_stand_next(line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_commands_are_completed_without_loading_any() -> None:
    code = (
        "import sys\nfrom ds01_cli.main import run\n"
        "run([])\nprint({'httpx', 'rich', 'sqlalchemy'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "COMP_WORDS": "ds01 ",
            "COMP_CWORD": "1",
            "_DS01_COMPLETE": "complete_bash",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "container" in ran.stdout.split()
    assert ran.stdout.splitlines()[-1] == "set()"


def test_names_are_asked_of_the_platform(house: House) -> None:
    house.lab.run("alice", "none", name="thesis")
    house.lab.run("alice", "none", name="test")
    house.lab.run("bob", "none", name="theirs")
    house.lab.stop("alice", "test")
    assert sorted(completing.containers("t")) == [("test", "exited"), ("thesis", "running")]
    assert completing.running_containers("t") == [("thesis", "running")]
    assert completing.containers("x") == []
    assert completing.images("star") == [("starter", "Starter")]
    assert completing.sides("the") == [("thesis:", "running")]
    assert completing.sides("thesis:") == []


def test_own_images_are_completed_as_a_person_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    api.images = [image("nlp", own=True), image("starter", own=False)]
    monkeypatch.setattr("ds01_cli.frame.session.connect", api.connect)
    assert completing.own_images("") == [("nlp", "nlp:latest")]
    assert ("nlp", "nlp:latest") in completing.images("n")


def test_a_platform_that_is_slow_or_down_has_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS01_GATEWAY_SOCKET", "/nonexistent/socket")
    assert completing.containers("") == []
    monkeypatch.setattr(completing, "SECONDS", 0.05)
    monkeypatch.setattr(completing, "_ask", lambda *_: time.sleep(2))
    assert completing.containers("") == []


ARGUMENTS = {
    "container start": "containers",
    "container attach": "running_containers",
    "container deploy x --image": "images",
    "container deploy x --project": "projects",
    "image show": "images",
    "image update": "own_images",
    "image delete a": "own_images",
    "image save-from": "running_containers",
    "image save-from x --image": "own_images",
    "image create --project": "projects",
    "project launch": "projects",
    "project status": "projects",
    "why": "containers",
    "extend": "running_containers",
    "cp": "sides",
}


@pytest.mark.parametrize(("words", "names"), ARGUMENTS.items())
def test_each_name_is_completed_with_what_can_stand_there(
    words: str,
    names: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = FakeApi()
    api.has("thesis")
    api.has("old", state="exited")
    api.images = [image("nlp", own=True), image("starter", own=False)]
    (tmp_path / "projects" / "leaves").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ds01_cli.frame.session.connect", api.connect)
    monkeypatch.setenv("_DS01_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"ds01 {words} ")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) + 1))
    expected = getattr(completing, names)("")
    assert expected
    assert run([]) == 0
    found = capsys.readouterr()
    assert found.out.split() == [each if isinstance(each, str) else each[0] for each in expected]
    assert found.err == ""


def image(name: str, *, own: bool) -> m.Image:
    owner = "ds01-alice" if own else "ds01"
    reference = f"{owner}/{name}:latest"
    key = None if own else name
    return m.Image(reference=reference, key=key, title=f"{name}:latest", own=own, present=True)


def test_projects_are_those_of_the_usual_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completing.projects("") == []
    for name in ("leaves", "trees"):
        (tmp_path / "projects" / name).mkdir(parents=True)
    (tmp_path / "projects" / "list.txt").touch()
    assert completing.projects("l") == ["leaves"]
    assert completing.projects("") == ["leaves", "trees"]


def test_a_server_that_never_answers_is_waited_for_one_second(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        line = {"COMP_CWORD": "3", "_DS01_COMPLETE": "complete_bash"}
        began = time.monotonic()
        where = {"DS01_GATEWAY_SOCKET": str(path), "COMP_WORDS": "ds01 image show "}
        assert program(**line, **where).split() == []
        assert time.monotonic() - began < completing.SECONDS + 20  # a process starts, too
    assert completing.SECONDS <= 1


def test_an_answer_that_makes_no_sense_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("not JSON")

    monkeypatch.setattr("ds01_cli.frame.session.connect", broken)
    assert completing.images("") == []
