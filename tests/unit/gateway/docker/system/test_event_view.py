from collections.abc import Mapping
from typing import Any

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.containers.lookup import owner
from ds01_spawner.gateway.docker.system.event_view import (
    Viewer,
    check_moments,
    engine_filters,
    event_for,
    filters_of,
    wants_nothing,
)
from fakes.engine_json import INSTANCE, legacy, managed

ID = "f" * 64


def viewer(user: str = "alice") -> Viewer:
    def owns(marks: Mapping[str, str]) -> bool:
        return owner(marks, INSTANCE) == user

    return Viewer(user, owns)


def event(kind: str, action: str, actor_id: str = ID, **attributes: str) -> dict[str, Any]:
    old = {"status": action, "id": actor_id, "from": attributes.get("image", "")}
    return {
        **(old if kind in {"container", "image"} else {}),
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor_id, "Attributes": attributes},
        "scope": "local",
        "time": 1,
        "timeNano": 1_000_000_001,
    }


def seen(one: dict[str, Any], filters: str = "", user: str = "alice") -> Any:
    return event_for(one, viewer(user), filters_of(filters, user))


ALICES = {**managed("web", "alice"), "name": "web._.alice", "image": "ds01-alice/tool:latest"}
BOBS = {**managed("web", "bob"), "name": "web._.bob", "image": "ds01-bob/tool:latest"}


def test_ones_own_container_is_shown_under_its_own_name() -> None:
    told = seen(event("container", "start", **ALICES))
    assert told["Actor"]["Attributes"]["name"] == "web"
    assert told["Actor"]["Attributes"]["image"] == "tool:latest"
    assert told["from"] == "tool:latest"
    assert told["timeNano"] == 1_000_000_001


def test_commands_run_in_ones_own_container_are_shown() -> None:
    told = seen(event("container", "exec_create: ls -l", **ALICES, execID="e1"))
    assert told["Action"] == "exec_create: ls -l"


def test_a_renamed_container_shows_both_names() -> None:
    told = seen(event("container", "rename", **ALICES, oldName="/old._.alice"))
    assert told["Actor"]["Attributes"]["oldName"] == "/old"


def test_an_older_container_is_its_owners() -> None:
    one = event("container", "die", **legacy("run", "alice"), name="run._.1001")
    assert seen(one) is not None
    assert seen(one, user="bob") is None


NOT_ALICES = {
    "bob's container": event("container", "start", **BOBS),
    "bob's exec": event("container", "exec_start: cat secret", **BOBS),
    "nobody's container": event("container", "start", name="x._.alice", image="i"),
    "another installation's": event(
        "container", "start", **managed("web", "alice", instance="other"), name="web._.alice"
    ),
    "bob's network": event("network", "connect", name="lan._.bob", container=ID, type="bridge"),
    "bob's own bridge": event("network", "connect", name="ds01-bob", container=ID),
    "the engine's bridge": event("network", "connect", name="bridge", container=ID),
    "bob's volume": event("volume", "create", "data._.bob", driver="local"),
    "an anonymous volume": event("volume", "mount", ID, container=ID, destination="/data"),
    "bob's image": event("image", "tag", "sha256:ab", name="ds01-bob/tool:latest"),
    "a shared image": event("image", "pull", "pytorch:2", name="pytorch"),
    "the engine": event("daemon", "reload", "PRGT", name="gpu1"),
    "a plugin": event("plugin", "enable", "p", name="x._.alice"),
    "builder": event("builder", "prune", "", reclaimed="1"),
    "what was pruned": event("container", "prune", "", reclaimed="7"),
    "networks pruned": event("network", "prune", "", reclaimed="0"),
    "a type of the future": event("sandbox", "start", **ALICES),
    "no type": {"Actor": {"ID": ID, "Attributes": ALICES}},
    "no actor": {"Type": "container", "Action": "start"},
    "no event": [],
}


@pytest.mark.parametrize("one", NOT_ALICES.values(), ids=NOT_ALICES)
def test_what_is_not_ones_own_is_not_shown(one: Any) -> None:
    assert seen(one) is None


def test_ones_own_network_and_volume_are_shown_under_their_own_names() -> None:
    network = seen(event("network", "create", name="lan._.alice", type="bridge"))
    assert network["Actor"]["Attributes"]["name"] == "lan"
    assert seen(event("network", "connect", name="ds01-alice", container=ID)) is not None
    assert seen(event("volume", "create", "data._.alice"))["Actor"]["ID"] == "data"


def test_ones_own_image_is_shown_under_its_own_name() -> None:
    tagged = seen(event("image", "tag", "sha256:ab", name="ds01-alice/tool:latest"))
    assert tagged["Actor"] == {"ID": "sha256:ab", "Attributes": {"name": "tool:latest"}}
    untagged = seen(event("image", "untag", "ds01-alice/tool:latest", name="ds01-alice/tool"))
    assert untagged["id"] == untagged["Actor"]["ID"] == "tool:latest"


def test_a_labelled_image_shows_no_name_of_somebody_elses() -> None:
    marks = {"ds01.image.owner": "alice"}
    told = seen(event("image", "tag", "sha256:ab", name="ds01-bob/stolen", **marks))
    assert told["Actor"]["Attributes"]["name"] == ""
    assert seen(event("image", "untag", "ds01-bob/stolen", name="ds01-bob/stolen", **marks)) is None


@pytest.mark.parametrize(
    ("filters", "is_shown"),
    [
        ('{"container": ["web"]}', True),
        ('{"container": ["we"]}', True),
        ('{"container": ["web._.alice"]}', True),
        ('{"container": ["ffff"]}', True),
        ('{"container": ["db"]}', False),
        ('{"container": ["db", "web"]}', True),
        ('{"container": {"web": true}}', True),
        ('{"image": ["tool:latest"]}', True),
        ('{"image": ["tool"]}', True),
        ('{"image": ["ds01-bob/tool"]}', False),
        ('{"volume": ["web"]}', False),
        ('{"network": ["web"]}', False),
        ('{"container": []}', True),
    ],
)
def test_filters_are_by_the_names_that_their_owner_knows(filters: str, is_shown: bool) -> None:
    assert (seen(event("container", "start", **ALICES), filters) is not None) is is_shown


def test_filtering_for_somebody_elses_gives_nothing() -> None:
    for filters in ('{"container": ["web._.bob"]}', '{"container": ["' + ID + '"]}'):
        assert seen(event("container", "start", **BOBS), filters) is None


def test_the_engine_filters_what_means_the_same_to_it() -> None:
    filters = filters_of('{"type": ["container"], "label": ["a=b"], "container": ["web"]}', "alice")
    assert engine_filters(filters) == '{"type": ["container"], "label": ["a=b"]}'


def test_filters_for_the_engines_own_events_give_nothing() -> None:
    assert wants_nothing(filters_of('{"daemon": ["gpu1"]}', "alice"))
    assert not wants_nothing(filters_of('{"type": ["container"]}', "alice"))


@pytest.mark.parametrize("text", ["[]", "{", '{"container": 1}', '{"owner": ["bob"]}', '"x"'])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        filters_of(text, "alice")


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("now", ""),
        ("", "2026-01-01"),
        ("2", "1"),
        ("-1", ""),
        ("1e9", ""),
        ("1\n", ""),
        ("NaN", ""),
    ],
)
def test_what_is_no_moment_is_refused(since: str, until: str) -> None:
    with pytest.raises(InvalidRequest):
        check_moments(since, until)


def test_moments_as_clients_write_them_are_taken() -> None:
    check_moments("1795329607", "1795329607.226340326")
    check_moments("", "")
