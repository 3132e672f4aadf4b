from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain import labels
from ds01_spawner.domain.labels import ContainerLabels, Interface
from fakes.clock import EPOCH

PLAIN = ContainerLabels(
    user="alice",
    name="jupyter",
    interface=Interface.HUB,
    instance="here",
    image="ds01/starter:latest",
    created_at=EPOCH,
    cgroup_parent="/ds01/student/alice",
    priority=10,
)


def test_a_container_without_a_gpu_carries_these_labels_and_no_others() -> None:
    assert PLAIN.to_labels() == {
        "ds01.managed": "true",
        "ds01.user": "alice",
        "ds01.interface": "hub",
        "ds01.name": "jupyter",
        "ds01.image": "ds01/starter:latest",
        "ds01.created_at": "2026-01-31T12:00:00.000000Z",
        "ds01.cgroup_parent": "/ds01/student/alice",
        "ds01.priority": "10",
        "ds01.protected": "false",
        "ds01.instance": "here",
    }


def test_every_label_that_there_is() -> None:
    full = ContainerLabels(
        user="alice",
        name="thesis-run",
        interface=Interface.CLI,
        instance="here",
        image="image",
        created_at=EPOCH,
        cgroup_parent="ds01-student-alice.slice",
        priority=60,
        group="student",
        project="thesis",
        gpu_slots=("0:1", "2"),
        gpu_uuids=("MIG-1", "GPU-2"),
        gpu_equivalents=2 / 7 + 1,
        gpu_allocated_at=EPOCH + timedelta(seconds=1),
        protected=True,
    )
    assert full.to_labels() == {
        **PLAIN.to_labels(),
        "ds01.name": "thesis-run",
        "ds01.interface": "cli",
        "ds01.image": "image",
        "ds01.cgroup_parent": "ds01-student-alice.slice",
        "ds01.priority": "60",
        "ds01.group": "student",
        "ds01.project": "thesis",
        "ds01.gpu.slots": "0:1,2",
        "ds01.gpu.uuids": "MIG-1,GPU-2",
        "ds01.gpu.equivalents": "1.286",
        "ds01.gpu.allocated_at": "2026-01-31T12:00:01.000000Z",
        "ds01.protected": "true",
    }
    assert labels.gpu_uuids_of(full.to_labels()) == ("MIG-1", "GPU-2")


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        ({}, None),
        ({"ds01.user": ""}, None),
        ({"ds01.user": "alice"}, "alice"),
        ({"aime.mlc": "1", "aime.mlc.USER": "bob"}, "bob"),
        ({"ds01.user": "alice", "aime.mlc.USER": "bob"}, "alice"),
    ],
)
def test_the_owner_is_found_in_new_and_in_older_labels(
    marks: dict[str, str], owner: str | None
) -> None:
    assert labels.owner_of(marks) == owner


@pytest.mark.parametrize("text", ["", ",", ",,"])
def test_an_empty_list_of_devices_is_no_device(text: str) -> None:
    assert labels.gpu_uuids_of({labels.GPU_UUIDS: text}) == ()


@given(st.integers(0, 2**53))
def test_a_moment_survives_its_label_to_the_microsecond(microseconds: int) -> None:
    moment = datetime(1970, 1, 2, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert labels.parse_timestamp(labels.format_timestamp(moment)) == moment


def test_a_moment_is_written_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert labels.format_timestamp(EPOCH.astimezone(berlin)) == "2026-01-31T12:00:00.000000Z"


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert labels.parse_timestamp(text) is None


def test_a_moment_without_a_zone_is_taken_as_utc() -> None:
    assert labels.parse_timestamp("2026-01-31T12:00:00") == EPOCH


@pytest.mark.parametrize(
    ("marks", "engine", "expected"),
    [
        ({"ds01.name": "run", "ds01.interface": "hub"}, "other._.alice", "run"),
        ({"ds01.name": "run", "ds01.interface": "docker"}, "other._.alice", "other"),
        ({"ds01.name": "run", "ds01.interface": "compose"}, "a_web_1._.alice.0123", "a_web_1"),
        ({"ds01.name": "run", "ds01.interface": "docker"}, "other", "run"),
        ({"aime.mlc.NAME": "old", "aime.mlc.USER": "alice"}, "x._.1001", "old"),
        ({}, "x._.1001", "x"),
    ],
)
def test_what_docker_made_is_called_as_the_engine_calls_it_now(
    marks: dict[str, str], engine: str, expected: str
) -> None:
    assert labels.name_of(marks, engine) == expected
