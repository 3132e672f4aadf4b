from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.docker.containers.archive import visit_of
from ds01_spawner.gateway.docker.containers.archive_process import Visit, Volume
from ds01_spawner.gateway.docker.containers.archive_way import (
    Ground,
    Way,
    ground_of,
    refusal,
    volumes_of,
    way_of,
)
from ds01_spawner.gateway.identity import Caller
from fakes.calls import ALICE

BIND = {"Type": "bind", "Destination": "/work", "RW": True}
VOLUME = {
    "Type": "volume",
    "Driver": "local",
    "Destination": "/data",
    "Source": "/v/_data",
    "RW": True,
}
NOTICES = {"Type": "bind", "Destination": "/run/ds01", "RW": False}
DOCKERS = {"Labels": {"ds01.interface": "docker"}}
RUNNING = {"Running": True, "Pid": 4711}


LAYERS = (Path("/o/u/diff"), Path("/o/a/diff"))
PLAIN = Ground(LAYERS, is_plain=True)


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
@pytest.mark.parametrize("is_put", [True, False])
def test_without_a_look_at_layers_the_engine_copies_where_nothing_runs_nor_is_mounted(
    mounts: list[dict[str, Any]] | None, state: dict[str, Any], way: Way, *, is_put: bool
) -> None:
    found = {"Mounts": mounts, "State": state, "Config": DOCKERS}
    assert way_of(found, Ground(), is_put=is_put) is way


@pytest.mark.parametrize(
    ("mounts", "ground", "out", "into"),
    [
        ([NOTICES, VOLUME], PLAIN, Way.ENGINE, Way.ENGINE),
        ([VOLUME], replace(PLAIN, through="/data"), Way.BESIDE, Way.BESIDE),
        ([{**VOLUME, "RW": False}], replace(PLAIN, through="/data"), Way.BESIDE, Way.NOBODY),
        ([VOLUME], replace(PLAIN, is_plain=False), Way.BESIDE, Way.NOBODY),
        ([VOLUME, BIND], PLAIN, Way.BESIDE, Way.NOBODY),
        ([VOLUME, BIND], replace(PLAIN, through="/data"), Way.BESIDE, Way.BESIDE),
        ([VOLUME, BIND], replace(PLAIN, through="/work"), Way.NOBODY, Way.NOBODY),
        ([{**VOLUME, "Driver": "nfs"}], PLAIN, Way.BESIDE, Way.NOBODY),
        ([{"Type": "tmpfs", "Destination": "/x"}], PLAIN, Way.BESIDE, Way.NOBODY),
    ],
)
def test_what_does_not_run_is_the_engines_only_where_nobody_can_change_the_way(
    mounts: list[dict[str, Any]], ground: Ground, out: Way, into: Way
) -> None:
    found = {"Mounts": mounts, "State": {"Running": False}, "Config": DOCKERS}
    assert way_of(found, ground, is_put=False) is out
    assert way_of(found, ground, is_put=True) is into


def in_layers(tmp_path: Path, *mounts: dict[str, Any], link: str = "") -> dict[str, Any]:
    """A container that does not run, with `/link` in its image."""
    upper, lower = tmp_path / "upper/diff", tmp_path / "lower/diff"
    (upper / "etc").mkdir(parents=True)
    lower.mkdir(parents=True)
    (lower / "link").symlink_to(link or "/srv")
    data = {"UpperDir": str(upper), "LowerDir": str(lower)}
    return {"Mounts": mounts, "GraphDriver": {"Name": "overlay2", "Data": data}}


@pytest.mark.parametrize(
    ("targets", "path", "is_plain", "through"),
    [
        (["/data"], "/etc/app", True, ""),
        (["/data"], "/data/x", True, "/data"),
        (["/data"], "data/../etc", True, ""),
        (["/data", "/data/deep"], "/etc", False, ""),
        (["/data", "/datas"], "/datas", True, "/datas"),
        (["/link/data"], "/etc", False, ""),
        (["/data"], "/link", True, "/data"),
        (["/data"], "/link/../../etc", True, ""),
        (["/run"], "/etc", False, ""),
        (["/etc/hosts"], "/srv", True, ""),
    ],
)
def test_a_mount_is_plain_where_no_link_and_no_other_mount_is_on_its_way(
    tmp_path: Path, targets: list[str], path: str, *, is_plain: bool, through: str
) -> None:
    mounts = [{**VOLUME, "Destination": target} for target in targets]
    ground = ground_of(in_layers(tmp_path, *mounts, link="/data/new"), path)
    assert (ground.is_plain, ground.through) == (is_plain, through)
    assert len(ground.layers) == 2


def test_where_layers_are_not_known_nothing_is_plain() -> None:
    assert ground_of({"Mounts": [VOLUME]}, "/x") == Ground()


@pytest.mark.parametrize(
    ("through", "is_put", "what", "instead"),
    [
        ("/work", False, "/work in web is '/home/alice/p' of the server", "without docker"),
        ("/work", True, "/work in web is '/home/alice/p' of the server", "without docker"),
        ("", True, "web does not run", "docker start web"),
        ("", False, "web is stopped", "docker export web"),
    ],
)
def test_a_refusal_names_a_way_that_works(
    through: str, what: str, instead: str, *, is_put: bool
) -> None:
    found = {
        "Id": "a" * 64,
        "Name": "/web._.alice",
        "Created": "2026-01-01T00:00:00Z",
        "State": {"Status": "exited", "Running": False},
        "Mounts": [{**BIND, "Source": "/home/alice/p"}],
        "Config": DOCKERS,
    }
    error = refusal(found, Ground(LAYERS, through=through), "web", is_put=is_put)
    assert what in str(error)
    assert instead in str(error)


@pytest.mark.parametrize("marks", [{}, {"ds01.interface": "api"}, {"ds01.interface": "hub"}])
def test_what_others_start_is_not_the_engines(marks: dict[str, str]) -> None:
    found = {"Mounts": [], "State": {"Running": False}, "Config": {"Labels": marks}}
    assert way_of(found, Ground(), is_put=False) is Way.NOBODY
    assert way_of(found, PLAIN, is_put=True) is Way.NOBODY
    assert way_of(found, PLAIN, is_put=False) is Way.BESIDE


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


def test_volumes_are_mounted_from_the_outer_to_the_inner() -> None:
    inner = {**VOLUME, "Destination": "/data/in/", "Source": "/w/_data", "RW": False}
    assert volumes_of({"Mounts": [NOTICES, inner, VOLUME, BIND]}) == (
        Volume("/v/_data", "/data", writable=True),
        Volume("/w/_data", "/data/in", writable=False),
    )


def test_a_visit_of_what_does_not_run_is_told_its_layers() -> None:
    found = {
        "Id": "a" * 64,
        "State": {"Running": False},
        "Config": {"User": "postgres"},
        "Mounts": [VOLUME],
    }
    visit = visit_of(ALICE, found, "get", "/tmp", PLAIN)
    assert (visit.layers, visit.user) == (("/o/u/diff", "/o/a/diff"), None)
    assert (visit.volumes, visit.image_user) == (volumes_of(found), "postgres")
