import re
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.bind import Bind, BindSet, binds_label
from ds01_spawner.gateway.docker.containers.listing import engine_filters, engine_pattern
from ds01_spawner.gateway.docker.containers.views import in_own_words, inspected_view, listed_view
from fakes.calls import ALICE
from fakes.engine_json import own

KEY = "0123456789abcdef0123456789abcdef"
STAGED = f"/run/ds01/binds/{KEY}/0"
BINDS = binds_label(BindSet(KEY, (Bind("/home/alice/../alice/data", "/data", real_path="/x"),)))
VOLUME = "/var/lib/docker/volumes/cache._.alice/_data"


READ_ONLY = binds_label(BindSet(KEY, (Bind("/data", "/data", read_only=True, real_path="/data"),)))


def container(**more: Any) -> dict[str, Any]:
    found = own("web", "alice")
    found["Config"] = {
        "Image": "ds01-alice/thesis:1",
        "Labels": {**found["Config"]["Labels"], labels.BINDS: BINDS},
    }
    return {**found, **more}


def mounts() -> list[dict[str, Any]]:
    return [
        {"Type": "bind", "Source": STAGED, "Destination": "/data"},
        {"Type": "volume", "Name": "cache._.alice", "Source": VOLUME, "Destination": "/cache"},
        {"Type": "bind", "Source": "/run/ds01/binds/other/0", "Destination": "/odd"},
    ]


def test_an_inspected_container_has_its_owners_names() -> None:
    seen = inspected_view(
        container(
            Mounts=mounts(),
            HostConfig={
                "NetworkMode": "back._.alice",
                "Binds": [f"{STAGED}:/data:ro", "cache._.alice:/cache"],
                "Mounts": [{"Type": "volume", "Source": "cache._.alice", "Target": "/cache"}],
                "VolumesFrom": ["db._.alice:ro"],
                "Links": ["/db._.alice:/web._.alice/database"],
                "CgroupParent": "/ds01/student/alice",
            },
            NetworkSettings={
                "Networks": {
                    "back._.alice": {"Aliases": ["web._.alice", "api"]},
                    "ds01-alice": {"Aliases": None},
                }
            },
        ),
        "alice",
    )

    assert seen["Name"] == "/web"
    assert seen["Config"]["Image"] == "thesis:1"
    assert seen["HostConfig"] == {
        "NetworkMode": "back",
        "Binds": ["/home/alice/../alice/data:/data:ro", "cache:/cache"],
        "Mounts": [{"Type": "volume", "Source": "cache", "Target": "/cache"}],
        "VolumesFrom": ["db:ro"],
        "Links": ["/db:/web/database"],
        "CgroupParent": "/ds01/student/alice",
    }
    assert [mount["Source"] for mount in seen["Mounts"]] == [
        "/home/alice/../alice/data",
        "/var/lib/docker/volumes/cache/_data",
        "/run/ds01/binds/other/0",
    ]
    assert seen["Mounts"][1]["Name"] == "cache"
    assert seen["NetworkSettings"]["Networks"] == {
        "back": {"Aliases": ["web", "api"]},
        "ds01-alice": {"Aliases": None},
    }


def test_what_the_engine_said_is_not_changed() -> None:
    found = container(Mounts=mounts())

    inspected_view(found, "alice")

    assert found["Name"] == "/web._.alice"
    assert found["Mounts"] == mounts()


def test_a_listed_container_has_its_owners_names() -> None:
    seen = listed_view(
        {
            "Id": "1",
            "Names": ["/web._.alice", "/db._.alice/api"],
            "Image": "ds01-alice/thesis",
            "Labels": {labels.BINDS: BINDS},
            "Mounts": mounts(),
            "HostConfig": {"NetworkMode": "ds01-alice"},
            "NetworkSettings": {"Networks": {"back._.alice": {}}},
        },
        "alice",
    )

    assert seen["Names"] == ["/web", "/db/api"]
    assert seen["Image"] == "thesis"
    assert seen["Mounts"][0]["Source"] == "/home/alice/../alice/data"
    assert seen["HostConfig"] == {"NetworkMode": "ds01-alice"}
    assert seen["NetworkSettings"] == {"Networks": {"back": {}}}


def test_an_older_container_keeps_its_name() -> None:
    assert listed_view({"Names": ["/old._.1001"]}, "alice")["Names"] == ["/old._.1001"]


def test_a_message_speaks_of_the_container_as_its_owner_does() -> None:
    found = own("web", "alice")
    message = (
        f"Cannot kill container: {found['Id']}: Container {found['Id']} is not running; "
        "/web._.alice and /db._.alice are names"
    )

    assert in_own_words(message, found, "/web", "alice") == (
        "Cannot kill container: web: Container web is not running; /web and /db are names"
    )


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("web", ["web", "my-web-1"], ["wob"]),
        ("^/web$", ["web"], ["web1", "aweb"]),
        ("^web$", ["web"], ["web1", "aweb"]),
        ("web$", ["web", "aweb"], ["web1"]),
        ("^web_[0-9]+$", ["web_1", "web_22"], ["web_x"]),
        ("alice", ["alice-run"], ["run"]),
        ("li.e", ["line"], ["run"]),
        ("web.", ["web1"], ["web"]),
        ("a|b", ["a", "b", "xa"], ["run"]),
        ("^a$|^b", ["a", "b", "bc"], ["ab", "x"]),
        ("^/web._.1001$", ["web"], ["web1"]),
        ("^/web._.alice$", ["web"], ["web1"]),
        ("", ["web"], []),
    ],
)
def test_a_name_filter_means_the_owners_names(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    translated = engine_pattern(pattern, ALICE)

    def found(name: str) -> bool:
        engine = f"{name}._.alice"
        return any(re.search(translated, text) for text in (engine, f"/{engine}"))

    assert [name for name in matching if not found(name)] == []
    assert [name for name in others if found(name)] == []


def test_names_in_other_filters_are_the_engines_and_ids_stay() -> None:
    asked = engine_filters(
        {"network": ["back"], "volume": ["/data"], "ancestor": ["thesis"], "status": ["exited"]},
        ALICE,
    )

    assert asked["network"] == ["back", "back._.alice"]
    assert asked["volume"][0] == "/data"
    assert asked["ancestor"][0] == "ds01-alice/thesis:latest"
    assert asked["ancestor"][-1] == "thesis"
    assert asked["status"] == ["exited"]


def test_a_folder_that_is_staged_read_only_is_shown_so() -> None:
    found = container(
        Mounts=[{"Type": "bind", "Source": STAGED, "Destination": "/data", "RW": True}],
        HostConfig={"Mounts": [{"Type": "bind", "Source": STAGED, "Target": "/data"}]},
    )
    found["Config"]["Labels"][labels.BINDS] = READ_ONLY
    seen = inspected_view(found, "alice")
    assert (seen["Mounts"][0]["Source"], seen["Mounts"][0]["RW"]) == ("/data", False)
    assert seen["HostConfig"]["Mounts"][0]["ReadOnly"] is True
