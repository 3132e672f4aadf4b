import json
from ipaddress import IPv4Network
from typing import Any, cast

import pytest

from ds01_spawner.adapters.docker_engine.connection import (
    Call,
    Connection,
    Deadlines,
    _agreed_version,
)
from ds01_spawner.adapters.docker_engine.engine import _without_frames
from ds01_spawner.adapters.docker_engine.networks import ensure_network
from ds01_spawner.domain.errors import (
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    InvalidRequest,
    NotFound,
    Unavailable,
)

START = Call("POST", "/containers/x/start", "start x", kind="start", subject="x")


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (404, "No such container: x", NotFound),
        (409, "The container name is already in use", Conflict),
        (400, "invalid mount config", InvalidRequest),
        (400, "client version 1.41 is too old", Unavailable),
        (500, 'could not select device driver "nvidia"', DeviceDriverMissing),
        (400, 'could not select device driver "" with capabilities: [[gpu]]', DeviceDriverMissing),
        (500, "No such container: x", Unavailable),
        (503, "", Unavailable),
        (403, "Pool overlaps with other one on this address space", Unavailable),
        (301, "", Unavailable),
    ],
)
def test_each_answer_has_its_error(status: int, message: str, expected: type[DS01Error]) -> None:
    connection = Connection("/nowhere", Deadlines())

    error = connection._failure(START, status, message)
    assert type(error) is expected
    assert message in error.message


@pytest.mark.parametrize(
    ("offered", "agreed"), [("1.41", "1.41"), ("1.47", "1.47"), ("1.52", "1.47"), ("1.9", "1.9")]
)
def test_the_newest_version_that_both_know_is_spoken(offered: str, agreed: str) -> None:
    assert _agreed_version(offered) == agreed


@pytest.mark.parametrize("offered", ["", "one", "1", "1.41-beta"])
def test_an_engine_that_names_no_version_is_not_spoken_to(offered: str) -> None:
    with pytest.raises(Unavailable):
        _agreed_version(offered)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", b""),
        (b"\1\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\3two", b"onetwo"),
        (b"\1\0\0\0\0\0\0\5cut", b"cut"),
        (b"plain text of a terminal", b"plain text of a terminal"),
        (b"short", b"short"),
    ],
    ids=["nothing", "frames", "cut-short", "terminal", "short-terminal"],
)
def test_output_is_shown_without_its_frames(data: bytes, text: bytes) -> None:
    assert _without_frames(data) == text


class NetworkEngine:
    """Networks of an engine on which somebody else makes the same one at the same moment."""

    deadlines = Deadlines()

    def __init__(self, others: list[dict[str, Any]]) -> None:
        self.networks: list[dict[str, Any]] = []
        self.others = others

    def json(self, call: Call) -> Any:
        if call.method == "GET":
            return json.loads(json.dumps(self.networks))
        if call.method == "DELETE":
            self.networks = [one for one in self.networks if one["Id"] not in call.path]
            return None
        self.networks += self.others
        made = {**(call.body or {}), "Id": "mine", "Created": "2026-01-31T12:00:00.5Z"}
        self.networks.append(made)
        return made


@pytest.mark.parametrize(
    ("created", "kept"),
    [("2026-01-31T12:00:00.4Z", "theirs"), ("2026-01-31T12:00:00.6Z", "mine")],
    ids=["theirs-is-older", "mine-is-older"],
)
def test_of_two_networks_of_one_name_the_oldest_stays(created: str, kept: str) -> None:
    other = {"Name": "ds01-alice", "Id": "theirs", "Created": created, "IPAM": {"Config": []}}
    engine = NetworkEngine([other])
    ensure_network(
        cast("Connection", engine),
        "ds01-alice",
        {},
        pool=IPv4Network("10.201.0.0/24"),
        prefix=27,
    )

    remaining = {network["Id"] for network in engine.networks}
    assert kept in remaining
    assert "mine" not in remaining or kept == "mine"
