import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from contracts.notice_board import NOTICE, OTHER
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.notice_board import FileNoticeBoard
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.grant import Placement, Site, container_spec
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.request import LaunchRequest
from fakes.clock import EPOCH


def inside(name: str, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["docker", "exec", name, "sh", "-c", command], capture_output=True, text=True, check=False
    )


@pytest.fixture
def user() -> str:
    return f"ds01note-{secrets.token_hex(4)}"


@pytest.fixture
def board(tmp_path: Path) -> FileNoticeBoard:
    return FileNoticeBoard(tmp_path / "notices", UTC)


@pytest.fixture
def running(
    docker_engine: DockerEngine, tiny_image: str, board: FileNoticeBoard, user: str
) -> Iterator[ContainerSpec]:
    """A container that a door makes, with a board of its owner."""
    request = LaunchRequest(user, "jupyter", Interface.HUB, tiny_image)
    placement = Placement(None, "", notices=board.folder(user), granted_at=EPOCH)
    granted = container_spec(request, Limits(), placement, Site("ds01note"))
    spec = replace(granted, command=("sleep", "600"))
    docker_engine.ensure_network(spec.network, {})
    try:
        docker_engine.start(docker_engine.create(spec))
        yield spec
    finally:
        docker_engine.remove(spec.name)
        for command in (
            ["network", "rm", spec.network],
            ["volume", "rm", "-f", *(each.source for each in spec.mounts if each.kind == "volume")],
        ):
            subprocess.run(["docker", *command], capture_output=True, check=True)


def test_a_container_sees_at_once_what_its_owner_is_told(
    running: ContainerSpec, board: FileNoticeBoard, user: str
) -> None:
    board.show(user, "jupyter", [NOTICE])
    assert json.loads(inside(running.name, "cat /run/ds01/$DS01_CONTAINER.json").stdout) == {
        "version": 1,
        "notices": [
            {
                "id": "n1",
                "kind": "warning",
                "title": NOTICE.title,
                "text": NOTICE.text,
                "created_at": "2026-01-31T12:00:00.000000Z",
                "deadline": None,
                "keep_until": None,
            }
        ],
    }
    board.show(user, "jupyter", [OTHER])
    again = json.loads(inside(running.name, "cat /run/ds01/jupyter.json").stdout)
    assert [each["id"] for each in again["notices"]] == ["n2"]
    assert "Nothing has run on it" in inside(running.name, "cat /run/ds01/jupyter.txt").stdout
    board.show(user, "jupyter", [])
    assert inside(running.name, "cat /run/ds01/jupyter.txt").stdout == ""


@pytest.mark.parametrize(
    "attempt",
    [
        "echo x > /run/ds01/jupyter.json",
        "echo x > /run/ds01/new",
        "rm /run/ds01/jupyter.json",
        "mkdir /run/ds01/folder",
        "chmod 777 /run/ds01",
        "mount -o remount,rw /run/ds01",
    ],
)
def test_nobody_inside_can_change_it(
    running: ContainerSpec, board: FileNoticeBoard, user: str, attempt: str
) -> None:
    board.show(user, "jupyter", [NOTICE])
    assert inside(running.name, attempt).returncode != 0
    folder = Path(board.folder(user))
    assert {each.name for each in folder.iterdir()} == {"jupyter.json", "jupyter.txt"}
    assert json.loads((folder / "jupyter.json").read_text())["notices"][0]["id"] == "n1"
