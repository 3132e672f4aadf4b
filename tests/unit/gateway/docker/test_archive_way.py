from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.docker.archive import Way, visit_of, way_of
from ds01_spawner.gateway.docker.archive_process import Visit
from ds01_spawner.gateway.identity import Caller
from fakes.calls import ALICE

BIND = {"Type": "bind", "Destination": "/work", "RW": True}
VOLUME = {"Type": "volume", "Driver": "local", "Destination": "/data"}
NOTICES = {"Type": "bind", "Destination": "/run/ds01", "RW": False}
RUNNING = {"Running": True, "Pid": 4711}


@pytest.mark.parametrize(
    ("mounts", "state", "way"),
    [
        ([], RUNNING, Way.INSIDE),
        (None, {"Running": False, "Pid": 0}, Way.ENGINE),
        ([NOTICES, VOLUME, {"Type": "tmpfs"}], {"Running": False}, Way.ENGINE),
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
def test_the_engine_copies_only_where_nothing_runs_nor_is_of_the_host(
    mounts: list[dict[str, Any]] | None, state: dict[str, Any], way: Way
) -> None:
    assert way_of({"Mounts": mounts, "State": state}) is way


def test_a_visit_is_the_callers_own() -> None:
    found = {"Id": "a" * 64, "State": RUNNING, "Config": {"User": "0:0"}}
    assert visit_of(ALICE, found, "put", "/tmp", keep_kinds=True) == Visit(
        "put", "/tmp", 4711, "a" * 64, 1001, 1001, (), keep_kinds=True
    )


def test_somebody_without_an_account_visits_nothing() -> None:
    with pytest.raises(Forbidden):
        visit_of(Caller(1, 1, "eve", None), {"State": RUNNING}, "get", "/tmp")
