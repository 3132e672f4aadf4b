from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState, Mount
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.operations.containers.mount_places import check_places, places_of

HOME = "/home/alice"
NOTES = Mount("bind", "/run/ds01/notices/alice", NOTICES, read_only=True)
OWN = Mount("bind", HOME, HOME)
SHARED = Mount("bind", "/srv/shared", "/data")
SPEC = ContainerSpec(
    name="jupyter._.alice",
    image="ds01-alice/own",
    labels={},
    cgroup_parent="/ds01/alice",
    working_dir=HOME,
    mounts=(OWN, NOTES, SHARED),
    network="ds01-alice",
)
MADE = Container(
    id="a" * 64,
    name=SPEC.name,
    state=ContainerState.CREATED,
    labels={},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    mounts=SPEC.mounts,
    working_dir=HOME,
)


def with_volume(target: str) -> Container:
    return replace(MADE, mounts=(*MADE.mounts, Mount("volume", "/v/_data", target)))


def test_what_the_platform_told_the_engine_is_fine() -> None:
    inner = Mount("bind", "/srv/course", f"{HOME}/course")
    spec = replace(SPEC, mounts=(*SPEC.mounts, inner))
    made = replace(MADE, mounts=(*MADE.mounts, inner, Mount("volume", "/v/_data", "/cache/")))
    assert places_of(made) == {HOME, NOTICES, "/data", f"{HOME}/course", "/cache"}
    check_places(made, spec, {})


def test_a_home_elsewhere_in_the_image_is_fine() -> None:
    check_places(MADE, SPEC, {HOME: "/srv/home/alice"})


@pytest.mark.parametrize(
    ("container", "led"),
    [
        (MADE, {HOME: "/data/bob/alice"}),
        (MADE, {NOTICES: f"{HOME}/x/ds01"}),
        (MADE, {"/data": f"{HOME}/data"}),
        (MADE, {"/data": HOME}),
        (with_volume("/data/bob/new"), {}),
        (with_volume(f"{HOME}/sub"), {}),
        (with_volume("/x/bob/new"), {"/x/bob/new": "/data/bob/new"}),
    ],
)
def test_an_image_has_nothing_made_in_a_folder_of_the_server(
    container: Container, led: dict[str, str]
) -> None:
    with pytest.raises(Forbidden, match="a folder of the server, where an image has nothing made"):
        check_places(container, SPEC, led)


@pytest.mark.parametrize("real", ["/", "/etc", "/etc/group", "/sys/x"])
def test_nothing_is_mounted_at_a_closed_place_by_a_link(real: str) -> None:
    with pytest.raises(Forbidden, match="where nothing may be mounted"):
        check_places(MADE, SPEC, {"/data": real})


def test_nothing_begins_in_a_folder_of_the_kernels() -> None:
    with pytest.raises(Forbidden, match="is the kernel's"):
        check_places(MADE, SPEC, {HOME: "/proc/self/fd/8"})
