import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from ds01_cli.main import run
from ds01_cli.ssh import setup
from fakes.api_house import House

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(home / "settings"))
    return home


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    every: list[list[str]] = []

    def exec_instead(_path: str, command: Sequence[str]) -> NoReturn:
        every.append([str(word) for word in command])
        raise SystemExit(0)

    monkeypatch.setattr("ds01_cli.ssh.running.os.execv", exec_instead)
    return every


@pytest.mark.usefixtures("house")
def test_a_key_is_made_and_added_and_the_line_goes_in(
    home: Path, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ssh-config", "--yes"]) == 0
    settings = home / "settings"
    assert stat.S_IMODE((settings / "id_ed25519").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.stat().st_mode) == 0o700
    own = home / ".ssh/config"
    assert own.read_text().splitlines()[1] == f"Include {settings}/ssh_config"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700
    assert "User alice" in (settings / "ssh_config").read_text()
    assert (settings / "known_hosts").read_text().startswith("*.ds01 ssh-ed25519 ")
    with house.api.lab.ledger.transaction() as transaction:
        (key,) = transaction.ssh_keys("alice")
    assert key.key in (settings / "id_ed25519.pub").read_text()
    assert "Your containers know the key" in capsys.readouterr().out


@pytest.mark.usefixtures("house")
def test_it_can_be_run_again_and_taken_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = home / ".ssh/config"
    own.parent.mkdir(mode=0o700)
    own.write_text("Host a\n")
    own.chmod(0o640)
    before = (home / "settings/id_ed25519", own.read_text())
    for _ in range(2):
        assert run(["ssh-config", "--yes"]) == 0
    key = before[0].read_bytes()
    assert own.read_text().count("Include") == 1
    assert stat.S_IMODE(own.stat().st_mode) == 0o640
    assert run(["ssh-config", "--remove"]) == 0
    assert own.read_text() == before[1]
    assert before[0].read_bytes() == key
    assert not (home / "settings/ssh_config").exists()
    capsys.readouterr()
    assert run(["ssh-config", "--remove", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "config": str(home / "settings/ssh_config"),
        "removed": False,
        "identity": str(home / "settings/id_ed25519"),
    }
    assert run(["ssh-config", "--remove"]) == 0
    assert "nothing to take back" in capsys.readouterr().out


@pytest.mark.usefixtures("house")
def test_a_configuration_that_is_a_link_stays_one(home: Path) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    (home / "dotfiles").write_text("Host a\n")
    (home / ".ssh/config").symlink_to(home / "dotfiles")
    assert run(["ssh-config", "--yes"]) == 0
    assert (home / ".ssh/config").is_symlink()
    assert "Include" in (home / "dotfiles").read_text()


@pytest.mark.usefixtures("house")
def test_without_a_terminal_it_asks_for_a_flag(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ssh-config"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not (home / ".ssh").exists()
    assert run(["ssh-config", "--no-include", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["included"], told["key_added"]) == (False, False)


@pytest.mark.usefixtures("house", "home")
def test_a_key_without_its_public_part_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ssh-config", "--identity", str(tmp_path / "none"), "--yes"]) == 3
    assert "There is no public key" in capsys.readouterr().err


@pytest.mark.usefixtures("house", "home")
def test_ssh_becomes_ssh(became: list[list[str]], home: Path) -> None:
    assert run(["ssh", "thesis", "ls", "-la"]) == 0
    assert run(["ssh", "-t", "thesis.ds01"]) == 0
    config = str(home / "settings/ssh_config")
    assert [words[1:] for words in became] == [
        ["-F", config, "thesis.ds01", "ls", "-la"],
        ["-F", config, "-t", "thesis.ds01"],
    ]
    assert Path(became[0][0]).name == "ssh"


@pytest.mark.usefixtures("home")
def test_ssh_without_a_name_takes_the_only_one_that_runs(
    house: House, became: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ssh"]) == 5
    assert "You have no container. Make one" in capsys.readouterr().err
    house.api.container("alice", "first")
    assert run(["ssh"]) == 0
    assert became[0][-1] == "first.ds01"
    house.api.container("alice", "second")
    assert run(["ssh"]) == 2
    assert "You have several: first, second. Say which." in capsys.readouterr().err


@pytest.mark.usefixtures("house", "home")
def test_cp_becomes_scp(
    became: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["cp", "a.csv", "-b", "thesis:data/"]) == 2
    assert run(["cp", "a.csv", "thesis:data/"]) == 0
    assert run(["cp", "thesis:out", "C:/x"]) == 0
    (tmp_path / "odd:name").touch()
    assert run(["cp", "odd:name", "thesis:"]) == 0
    assert [words[3:] for words in became] == [
        ["-r", "--", "./a.csv", "thesis.ds01:data/"],
        ["-r", "--", "thesis.ds01:out", "./C:/x"],
        ["-r", "--", "./odd:name", "thesis.ds01:"],
    ]


@pytest.mark.usefixtures("house", "home")
@pytest.mark.parametrize(
    "arguments",
    [
        ["cp", "a"],
        ["cp", "a", "b"],
        ["port-forward", "x", "0"],
        ["port-forward", "x", "99999"],
        ["port-forward", "x", "a:b"],
    ],
)
def test_wrong_usage_is_two(arguments: list[str], became: list[list[str]]) -> None:
    assert run(arguments) == 2
    assert became == []


@pytest.mark.usefixtures("house", "home")
def test_ports_listen_on_this_computer_alone(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ds01_cli.ssh import port_forward  # noqa: PLC0415

    monkeypatch.setattr(port_forward, "_is_free", lambda _port: True)
    assert run(["port-forward", "thesis", "6006", "8080:80"]) == 0
    assert became[0][3:] == [
        *("-N", "-o", "ExitOnForwardFailure=yes"),
        *("-L", "127.0.0.1:6006:localhost:6006", "-L", "127.0.0.1:8080:localhost:80"),
        "thesis.ds01",
    ]
    monkeypatch.setattr(port_forward, "_is_free", lambda _port: False)
    assert run(["port-forward", "thesis", "6006"]) == 2


@pytest.mark.usefixtures("house")
def test_an_editor_is_told_where(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("code", "cursor"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" > {tmp_path}/ran\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert run(["vscode", "thesis"]) == 1
    assert "Run: ds01 ssh-config" in capsys.readouterr().err
    assert run(["ssh-config", "--yes"]) == 0
    assert run(["vscode", "thesis", "/data/my files"]) == 0
    remote = "vscode-remote://ssh-remote+thesis.ds01/data/my%20files"
    assert (tmp_path / "ran").read_text() == f"code --folder-uri {remote}\n"
    assert run(["vscode", "thesis", "--editor", "cursor"]) == 0
    assert (tmp_path / "ran").read_text().startswith("cursor --folder-uri vscode-remote://")
    assert run(["vscode", "thesis", "data"]) == 3
    capsys.readouterr()
    assert run(["vscode", "thesis", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["link"] == f"vscode://vscode-remote/ssh-remote+thesis.ds01{told['path']}"
    assert setup.is_included(setup.files())
    del home


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "arguments",
    [["ssh", "x"], ["ssh-config"], ["vscode"], ["cp", "a", "thesis:"]],
    ids=lambda words: words[0],
)
def test_without_a_gateway_each_says_so_in_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DS01_GATEWAY_SOCKET", "/nonexistent")
    assert run(arguments) == 1
    said = capsys.readouterr().err.splitlines()
    assert "does not answer on /nonexistent" in said[-1]
    assert len([line for line in said if line.startswith("ds01:")]) == 1
