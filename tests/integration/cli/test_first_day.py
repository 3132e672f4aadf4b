"""A new person's first day, typed in a terminal: from nothing to a program on a GPU slot.

With `DS01_TRANSCRIPTS=docs/transcripts` what was to be seen is written there.
"""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.domain.person import UnixAccount
from integration.cli.tmux import Tmux
from integration.cli.typing_people import PATHS, PYTHON
from integration.gateway.gateway_process import Gateway, engine_docker, running_gateway

LONGEST_SECONDS = 600
BUILD_SECONDS = 400
_BASE = "ds01/base:bookworm"
_IMAGE = "ds01/starter:latest"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def newcomer() -> Iterator[UnixAccount]:
    """Somebody whose account was made a moment ago."""
    name = f"emma{secrets.token_hex(2)}"
    subprocess.run(
        ["useradd", "--create-home", "--shell", "/bin/bash", name], check=True, capture_output=True
    )
    account = UnixAccounts().lookup(name)
    assert account is not None
    try:
        yield account
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)
        shutil.rmtree(account.home, ignore_errors=True)


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the images of a new installation."""
    with running_gateway(tmp_path_factory.mktemp("first-day"), _IMAGE, _BASE) as running:
        yield running


@pytest.fixture
def terminal(
    newcomer: UnixAccount, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tmux]:
    """Their shell, where `ds01` is installed."""
    programs = Path(f"/run/{tmp_path_factory.mktemp('bin').name}-{secrets.token_hex(3)}")
    programs.mkdir()
    program = programs / "ds01"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PATHS} exec {PYTHON} -m ds01_cli.main "$@"\n')
    program.chmod(0o755)
    environment = {
        "HOME": newcomer.home,
        "USER": newcomer.name,
        "PATH": f"{programs}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "DS01_GATEWAY_SOCKET": str(gateway.socket),
    }
    try:
        with Tmux(newcomer, environment) as shown:
            yield shown
    finally:
        shutil.rmtree(programs)


def kept(name: str, text: str, person: UnixAccount) -> None:
    """Write what was to be seen, with the name that the pages use."""
    if not (folder := os.environ.get("DS01_TRANSCRIPTS")):
        return
    plain = text.replace(person.home, "/home/emma").replace(person.name, "emma")
    plain = re.sub(r"/run/ds01-test-\w+/docker.sock", "/run/ds01/docker.sock", plain)
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"{name}.txt").write_text(f"{plain.strip()}\n", "utf-8")


def test_from_nothing_to_a_gpu(terminal: Tmux, newcomer: UnixAccount) -> None:
    begun = time.monotonic()
    choice = "Number or name"

    said = terminal.runs(
        "ds01 user-setup --guided",
        ("find your containers?", "y"),
        ("Start a first container", "n"),
        guided=True,
    )
    kept("1-user-setup", said, newcomer)
    for words in ("your folders", "know the key", "NAME.ds01", "First steps"):
        assert words.lower() in said.lower()

    said = terminal.runs(
        "ds01 project init", ("Name of the project", "leaves"), (choice, "custom"), (choice, "cpu")
    )
    kept("2-project-init", said, newcomer)
    assert "The project leaves is in ~/projects/leaves" in said
    made = Path(newcomer.home, "projects/leaves")
    assert pwd.getpwuid(made.stat().st_uid).pw_name == newcomer.name

    said = terminal.runs(
        "ds01 image create",
        ("Name of the image", "tools"),
        (choice, "cpu"),
        ("Jupyter", "n"),
        ("Data science", "n"),
        (choice, "custom"),
        ("More Python packages", "tomlkit>=0.12,<1"),
        ("More system packages", ""),
        seconds=BUILD_SECONDS,
    )
    kept("3-image-create", said, newcomer)
    assert "The image tools is ready" in said

    said = terminal.runs(
        "ds01 container deploy",
        ("Name of the container", "leaves"),
        (choice, "tools"),
        (choice, ""),
        ("Folder with your work", "projects/leaves"),
    )
    kept("4-container-deploy", said, newcomer)
    assert "leaves runs, with GPU slot" in said

    said = terminal.runs(
        "ds01 container exec leaves -- python -c"
        ' \'import os, tomlkit; print("my GPU:", os.environ["NVIDIA_VISIBLE_DEVICES"])\''
    )
    kept("5-a-program", said, newcomer)
    assert re.search(r"my GPU: (GPU|MIG)-[0-9a-f-]+", said)

    said = terminal.runs("ds01 container retire leaves", ("Your files stay.", "y"))
    kept("6-container-retire", said, newcomer)
    assert "No containers" in terminal.runs("ds01 container list")

    assert time.monotonic() - begun < LONGEST_SECONDS
    engine_docker("image", "rm", "-f", f"ds01-{newcomer.name}/tools:latest")
