from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.docker.containers.archive import Way, visit_of, way_of
from ds01_spawner.gateway.docker.containers.archive_process import Visit
from ds01_spawner.gateway.identity import Caller
from fakes.calls import ALICE

BIND = {"Type": "bind", "Destination": "/work", "RW": True}
VOLUME = {"Type": "volume", "Driver": "local", "Destination": "/data"}
NOTICES = {"Type": "bind", "Destination": "/run/ds01", "RW": False}
DOCKERS = {"Labels": {"ds01.interface": "docker"}}
RUNNING = {"Running": True, "Pid": 4711}


@pytest.mark.parametrize(
    ("mounts", "state", "way"),
    [
        ([], RUNNING, Way.INSIDE),
        (None, {"Running": False, "Pid": 0}, Way.ENGINE),
        ([NOTICES], {"Running": False}, Way.ENGINE),
        ([NOTICES, VOLUME], {"Running": False}, Way.NOBODY),
        ([{"Type": "tmpfs", "Destination": "/x"}], {"Running": False}, Way.NOBODY),
        ([{**NOTICES, "Type": "volume"}], {"Running": False}, Way.NOBODY),
        ([NOTICES, VOLUME, {"Type": "tmpfs"}], RUNNING, Way.INSIDE),
        ([{**NOTICES, "RW": True}], {"Running": False}, Way.NOBODY),
        ([{**VOLUME, "Driver": "nfs"}], {"Running": False}, Way.NOBODY),
        ([{"Type": "npipe"}], {"Running": False}, Way.NOBODY),
        ([], {"Restarting": True}, Way.NOBODY),
        ([NOTICES, BIND], RUNNING, Way.INSIDE),
        ([{**BIND, "RW": False}], RUNNING, Way.INSIDE),
        ([{**NOTICES, "RW": True}], RUNNING, Way.INSIDE),
        ([{**VOLUME, "Driver": "nfs"}], RUNNING, Way.INSIDE),
        ([{"Type": "npipe"}], RUNNING, Way.INSIDE),
        ([BIND], {**RUNNING, "Paused": True}, Way.INSIDE),
        ([BIND], {"Running": False, "Pid": 0}, Way.NOBODY),
        ([BIND], {**RUNNING, "Restarting": True}, Way.NOBODY),
        ([BIND], {"Running": True}, Way.NOBODY),
    ],
)
def test_the_engine_copies_only_where_nothing_runs_nor_is_mounted(
    mounts: list[dict[str, Any]] | None, state: dict[str, Any], way: Way
) -> None:
    assert way_of({"Mounts": mounts, "State": state, "Config": DOCKERS}) is way


@pytest.mark.parametrize("marks", [{}, {"ds01.interface": "api"}, {"ds01.interface": "hub"}])
def test_what_others_start_is_not_the_engines(marks: dict[str, str]) -> None:
    found = {"Mounts": [], "State": {"Running": False}, "Config": {"Labels": marks}}
    assert way_of(found) is Way.NOBODY


@pytest.mark.parametrize(
    ("runs_as", "user"),
    [
        ("1001:1001", (1001, 1001, ())),
        ("alice", (1001, 1001, ())),
        ("0:0", None),
        ("", None),
        ("10010", None),
        ("postgres", None),
    ],
)
def test_a_visit_is_the_callers_own_or_the_images_users(
    runs_as: str, user: tuple[int, int, tuple[int, ...]] | None
) -> None:
    found = {"Id": "a" * 64, "State": RUNNING, "Config": {"User": runs_as}}
    assert visit_of(ALICE, found, "put", "/tmp", keep_kinds=True) == Visit(
        "put", "/tmp", 4711, "a" * 64, user, keep_kinds=True
    )


def test_somebody_without_an_account_visits_nothing() -> None:
    with pytest.raises(Forbidden):
        visit_of(Caller(1, 1, "eve", None), {"State": RUNNING}, "get", "/tmp")
