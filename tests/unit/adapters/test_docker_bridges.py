from pathlib import Path
from typing import Any, cast

import pytest

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.adapters.docker_engine.networks import free_bridge, list_bridges
from ds01_spawner.domain.names import bridge_name
from ds01_spawner.ports.isolation import Bridge

ID = "a1b2c3d4e5f6" + "0" * 52


class Listing:
    """Answers lists from what a test gives it."""

    def __init__(self, networks: list[dict[str, Any]], containers: list[dict[str, Any]]) -> None:
        self._lists = {"/networks": networks, "/containers/json": containers}

    def json(self, call: Call) -> Any:
        return self._lists[call.path]


def bridges(networks: list[dict[str, Any]], *containers: dict[str, Any]) -> tuple[Bridge, ...]:
    return list_bridges(cast("Connection", Listing(networks, list(containers))))


def container(instance: str | None, **endpoint: str) -> dict[str, Any]:
    marks = {} if instance is None else {"ds01.instance": instance}
    return {"Labels": marks, "NetworkSettings": {"Networks": {"ds01-alice": endpoint}}}


def test_a_bridge_is_known_by_the_name_it_was_given_or_by_its_id() -> None:
    named = {"com.docker.network.bridge.name": "ds01-abc1234567"}
    found = bridges(
        [
            {"Name": "ds01-alice", "Id": ID, "Options": named, "Labels": {"a": "b"}},
            {"Name": "ds01-bob", "Id": ID, "Options": {}, "Labels": None},
        ]
    )

    assert found == (
        Bridge("ds01-alice", "ds01-abc1234567", {"a": "b"}),
        Bridge("ds01-bob", "br-a1b2c3d4e5f6", {}),
    )


@pytest.mark.parametrize("endpoint", [{"NetworkID": ID}, {"NetworkID": ""}], ids=["ran", "made"])
def test_a_bridge_knows_whose_containers_join_it(endpoint: dict[str, str]) -> None:
    (found,) = bridges(
        [{"Name": "ds01-alice", "Id": ID, "Options": None, "Labels": {}}],
        container("one", **endpoint),
        container("other", **endpoint),
        container(None, **endpoint),
    )

    assert found.instances == {"one", "other"}


def test_an_interface_that_outlived_its_network_is_passed_over(tmp_path: Path) -> None:
    first = free_bridge("ds01-alice", "one", tmp_path)
    (tmp_path / first).mkdir()

    assert first == bridge_name("ds01-alice", "one")
    assert free_bridge("ds01-alice", "one", tmp_path) == bridge_name("ds01-alice", "one", 1)
