import json
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Refused
from ds01_spawner.gateway.docker.options.exec import exec_payload, exec_start_payload
from fakes.docker_askers import ALICE

PERSONS = {"Config": {"User": "1001:1002", "Labels": {"ds01.managed": "true"}}, "HostConfig": {}}
IMAGES = {"Config": {"User": "", "Labels": {"ds01.managed": "true"}}, "HostConfig": {}}
OLDER = {"Config": {"User": "", "Labels": {"aime.mlc.USER": "alice"}}, "HostConfig": {}}

# docker 28.2.2: `docker exec NAME ls`
DOCKER_CLI: dict[str, Any] = {
    "User": "",
    "Privileged": False,
    "Tty": False,
    "AttachStdin": False,
    "AttachStderr": True,
    "AttachStdout": True,
    "Detach": False,
    "DetachKeys": "",
    "Env": None,
    "WorkingDir": "",
    "Cmd": ["ls"],
}


def _exec(inspected: dict[str, Any] = PERSONS, **changes: Any) -> dict[str, Any]:
    return exec_payload(json.dumps({**DOCKER_CLI, **changes}).encode(), inspected, ALICE)


def test_what_the_docker_command_sends() -> None:
    assert _exec() == {
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Detach": False,
        "User": "1001:1002",
        "Cmd": ["ls"],
    }


def test_what_else_may_be_said() -> None:
    found = _exec(
        Env=["A=1", "DS01_CONTAINER=x"],
        WorkingDir="/w",
        DetachKeys="ctrl-p",
        ConsoleSize=[24, 80],
        Cmd="ls",
    )
    assert found["Env"] == ["A=1"]
    assert (found["WorkingDir"], found["DetachKeys"]) == ("/w", "ctrl-p")
    assert (found["ConsoleSize"], found["Cmd"]) == ([24, 80], ["ls"])


@pytest.mark.parametrize("user", ["", "alice", "1001", "1001:1002", "1001:2000"])
def test_one_is_oneself_in_ones_container(user: str) -> None:
    assert _exec(User=user)["User"].startswith("1001:")


@pytest.mark.parametrize("user", ["", "root", "0:0", "www-data"])
def test_an_image_users_container_has_its_own_users(user: str) -> None:
    assert _exec(IMAGES, User=user)["User"] == user


def test_in_a_container_of_the_older_kind_one_is_oneself() -> None:
    assert _exec(OLDER)["User"] == "1001:1002"


@pytest.mark.parametrize(
    ("inspected", "changes", "error", "words"),
    [
        (PERSONS, {"Privileged": True}, Forbidden, "--privileged"),
        (IMAGES, {"Privileged": True}, Forbidden, "--privileged"),
        (PERSONS, {"User": "root"}, Forbidden, "never as root"),
        (PERSONS, {"User": "0"}, Forbidden, "never as root"),
        (OLDER, {"User": "root"}, Forbidden, "never as root"),
        (IMAGES, {"User": "a b"}, InvalidRequest, "cannot be read"),
        (
            {"Config": {"User": "1001"}, "HostConfig": {"Privileged": True}},
            {},
            Forbidden,
            "outside the platform",
        ),
        (PERSONS, {"Cmd": []}, InvalidRequest, "No command"),
        (PERSONS, {"WorkingDir": "x"}, InvalidRequest, "absolute"),
        (PERSONS, {"ConsoleSize": [True, 1]}, InvalidRequest, "not a terminal size"),
        (PERSONS, {"DetachKeys": "x" * 99}, InvalidRequest, "cannot be pressed"),
        (PERSONS, {"user": "root"}, InvalidRequest, "twice"),
        (PERSONS, {"Later": 1}, Forbidden, "Later is not known"),
    ],
)
def test_what_may_not(
    inspected: dict[str, Any], changes: dict[str, Any], error: type[Refused], words: str
) -> None:
    with pytest.raises(error, match=words):
        _exec(inspected, **changes)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"", {"Detach": False, "Tty": False}),
        (b'{"Detach": true, "tty": true}', {"Detach": True, "Tty": True}),
        (b'{"ConsoleSize": [1, 2]}', {"Detach": False, "Tty": False, "ConsoleSize": [1, 2]}),
    ],
)
def test_starting_says_little(body: bytes, payload: dict[str, Any]) -> None:
    assert exec_start_payload(body) == payload


def test_starting_says_nothing_else() -> None:
    with pytest.raises(Forbidden, match="Privileged is not known"):
        exec_start_payload(b'{"Privileged": true}')
