import json
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.volumes.view import (
    VolumeWish,
    check_filters,
    is_kept,
    is_own,
    mounted_volumes,
    parse_volume,
    prunes_named,
    volume_payload,
    volume_view,
)

HERE, ANONYMOUS = "inst", "0123456789abcdef" * 4
MADE = {labels.MANAGED: "true", labels.USER: "alice", labels.INSTANCE: HERE}


def volume(name: str, marks: dict[str, str] | None = None) -> dict[str, Any]:
    return {"Name": name, "Labels": marks, "Driver": "local", "Scope": "local"}


def parsed(**body: Any) -> VolumeWish:
    return parse_volume(Fields.of(json.dumps(body).encode()), "alice")


@pytest.mark.parametrize(
    ("name", "marks", "own"),
    [
        ("data._.alice", MADE, True),
        ("data._.alice", None, True),
        ("ds01-home-alice", None, True),
        (ANONYMOUS, MADE, True),
        ("data._.bob", MADE, False),
        ("data._.bob", None, False),
        ("ds01-home-bob", MADE, False),
        ("data", MADE, False),
        ("_.alice", None, False),
        (ANONYMOUS, None, False),
        (ANONYMOUS, {labels.USER: "alice"}, False),
        ("data._.alice", {**MADE, labels.INSTANCE: "other"}, False),
        (ANONYMOUS, {**MADE, labels.INSTANCE: "other"}, False),
    ],
)
def test_ones_own_is_known_by_name_or_label(
    name: str, marks: dict[str, str] | None, own: bool
) -> None:
    assert is_own(volume(name, marks), "alice", HERE) is own


def test_what_the_engine_made_for_ones_container_is_ones_own() -> None:
    listed: list[dict[str, Any]] = [
        {"Mounts": [{"Type": "volume", "Name": ANONYMOUS}, {"Type": "bind", "Source": "/x"}]},
        {"Mounts": None},
    ]
    mounted = mounted_volumes(listed)
    assert mounted == {ANONYMOUS}
    assert is_own(volume(ANONYMOUS), "alice", HERE, mounted)
    assert not is_own(volume("f" * 64), "alice", HERE, mounted)
    assert not is_own(volume("data._.bob"), "alice", HERE, {"data._.bob"})


def test_the_owner_sees_neither_endings_nor_the_platforms_labels() -> None:
    seen = volume_view(
        volume("data._.alice", {**MADE, "com.docker.compose.volume": "data"})
        | {"Mountpoint": "/var/lib/docker/volumes/data._.alice/_data"},
        "alice",
    )
    assert seen["Name"] == "data"
    assert seen["Labels"] == {"com.docker.compose.volume": "data"}
    assert seen["Mountpoint"] == "/var/lib/docker/volumes/data/_data"
    assert volume_view(volume(ANONYMOUS, MADE), "alice")["Labels"] is None


def test_what_is_made_carries_its_owner_whatever_was_asked() -> None:
    wish = parsed(
        Name="data", Labels={"a": "b", "ds01.user": "bob", "aime.mlc.USER": "bob"}, Driver="local"
    )
    assert wish == VolumeWish("data", {"a": "b"})
    assert volume_payload(wish, "alice", HERE) == {
        "Name": "data._.alice",
        "Driver": "local",
        "Labels": {"a": "b", **MADE},
    }
    assert "Name" not in volume_payload(parsed(), "alice", HERE)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"DriverOpts": {"type": "none", "o": "bind", "device": "/"}}, Forbidden),
        ({"driveropts": {"device": "/"}}, Forbidden),
        ({"DriverOpt\u017f": {"device": "/"}}, Forbidden),
        ({"DriverOpts": {"type": "tmpfs"}}, Forbidden),
        ({"Driver": "nfs"}, Forbidden),
        ({"ClusterVolumeSpec": {"Group": "x"}}, Forbidden),
        ({"Name": "../x"}, InvalidRequest),
        ({"Name": "data._.bob"}, InvalidRequest),
        ({"Name": "/etc"}, InvalidRequest),
        ({"Name": ["x"]}, InvalidRequest),
        ({"Name": "ds01-home-alice"}, Conflict),
    ],
)
def test_nothing_but_a_folder_of_the_engines_can_be_made(
    body: dict[str, Any], error: type[DS01Error]
) -> None:
    with pytest.raises(error):
        parsed(**body)


@pytest.mark.parametrize(
    ("version", "filters", "named_too"),
    [
        ("1.41", {}, True),
        ("1.9", {}, True),
        ("1.42", {}, False),
        ("1.50", {"all": ["1"]}, True),
        ("1.50", {"all": ["false"]}, False),
        ("", {}, False),
        ("x.y", {}, False),
    ],
)
def test_prune_takes_named_ones_as_the_clients_version_does(
    version: str, filters: dict[str, list[str]], named_too: bool
) -> None:
    assert prunes_named(version, filters) is named_too


def test_unknown_filters_are_refused() -> None:
    check_filters({"name": ["x"], "dangling": ["1"], "label": ["a"], "driver": ["local"]})
    check_filters({"all": ["1"], "label": ["a"], "label!": ["b"]}, prune=True)
    for filters, prune in (({"until": ["1h"]}, True), ({"label!": ["x"]}, False)):
        with pytest.raises(InvalidRequest, match="invalid filter"):
            check_filters(filters, prune=prune)


def test_what_goes_with_containers_is_not_counted() -> None:
    own = [volume("data._.alice"), volume(ANONYMOUS, MADE)]
    others = [volume(ANONYMOUS), volume("ds01-home-alice")]
    assert [is_kept(each, "alice") for each in own + others] == [True, True, False, False]
