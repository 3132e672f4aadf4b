import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.build.options import build_options
from ds01_spawner.gateway.docker.create.listing_size import (
    MOST_COMMAND_BYTES,
    MOST_EXPOSED_PORTS,
    check_container_fits,
)
from ds01_spawner.gateway.docker.images.changes import commit_config
from ds01_spawner.gateway.docker.networks.wish import parse_network
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.listing_bounds import MOST_LABEL_BYTES, check_labels_fit
from ds01_spawner.gateway.docker.volumes.view import parse_volume
from fakes.docker_askers import asked, body

LONG = {"big": "x" * MOST_LABEL_BYTES}
HALF = "x" * (MOST_LABEL_BYTES // 2)


def test_labels_are_counted_together_and_one_that_is_said_twice_once() -> None:
    check_labels_fit({"big": "x" * (MOST_LABEL_BYTES - 3)})
    check_labels_fit({"a": HALF}, {"a": HALF})
    with pytest.raises(InvalidRequest, match="32,772 bytes; 32,768 are allowed"):
        check_labels_fit({"a": HALF}, {"bcd": HALF})


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        (body(Labels=LONG), {}),
        (body(), {"Labels": LONG}),
        (body(Labels={"a": HALF}), {"Labels": {"b": HALF}}),
        (body(Cmd=["x" * (MOST_COMMAND_BYTES + 1)]), {}),
        (body(Cmd=None), {"Cmd": ["x" * (MOST_COMMAND_BYTES + 1)]}),
        (body(), {"Entrypoint": ["x"] * (MOST_COMMAND_BYTES + 1)}),
        (body(), {"ExposedPorts": {f"{n}/tcp": {} for n in range(MOST_EXPOSED_PORTS + 1)}}),
        (body({"Binds": [f"v{n}:/{n}{'x' * 4000}" for n in range(9)]}), {}),
        (body(), {"Volumes": {f"/{n}{'x' * 4000}": {} for n in range(9)}}),
    ],
)
def test_a_container_that_would_fill_everybodys_lists_is_refused(
    wanted: Mapping[str, Any], image: Mapping[str, Any]
) -> None:
    with pytest.raises(InvalidRequest, match="allowed"):
        check_container_fits(asked(wanted), image)


def test_what_replaces_the_images_is_what_counts() -> None:
    image = {"Cmd": ["x" * MOST_COMMAND_BYTES], "Entrypoint": ["x" * MOST_COMMAND_BYTES]}
    check_container_fits(asked(body(Cmd=["true"], Entrypoint=["sh"])), image)


def test_volumes_networks_builds_and_commits_have_the_same_bound() -> None:
    with pytest.raises(InvalidRequest, match="labels have"):
        parse_volume(Fields({"Name": "v", "Labels": LONG}), "alice")
    with pytest.raises(InvalidRequest, match="labels have"):
        parse_network(
            Fields({"Name": "n", "Labels": LONG}), "alice", IPv4Network("10.0.0.0/16"), 24
        )
    with pytest.raises(InvalidRequest, match="labels have"):
        build_options({"labels": [json.dumps(LONG)]})
    with pytest.raises(InvalidRequest, match="labels have"):
        commit_config(Fields({"Labels": {}}), {"Config": {"Labels": LONG}}, "alice")
