from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.repair import (
    GRACE,
    LOST_AT_START,
    Repair,
    lapsed,
    repairs,
)
from fakes.clock import EPOCH
from fakes.facts import HOUR_AGO, container, foreign_container, reservation
from fakes.probe import small_lab

SLOT, OTHER = small_lab().slots[:2]
MINE = {labels.INSTANCE: "here"}
HOLD = timedelta(minutes=30)


def made(
    state: ContainerState = ContainerState.RUNNING,
    name: str = "jupyter",
    finished_at: datetime | None = None,
    **extra: str,
) -> Container:
    """A container of this installation, half an hour old."""
    marks = {
        **MINE,
        labels.NAME: name,
        labels.CREATED_AT: labels.format_timestamp(EPOCH - LOST_AT_START / 2),
        **{f"ds01.{key}": value for key, value in extra.items()},
    }
    return container(state=state, name=name, finished_at=finished_at, extra=marks)


def found(
    *containers: Container,
    servers: Collection[tuple[str, str]] | None = (),
    promises: Sequence[Reservation] = (),
    grace: timedelta = GRACE,
) -> list[tuple[str, str]]:
    """Name and action of each repair."""
    repaired: tuple[Repair, ...] = repairs(
        containers,
        instance="here",
        reservations=promises,
        hub_servers=servers,
        now=EPOCH,
        grace=grace,
    )
    return [(repair.container.name, repair.action) for repair in repaired]


ORPHAN = [("jupyter._.alice", "cleanup.orphan")]


def test_a_container_created_and_never_started_is_an_orphan() -> None:
    assert found(made(ContainerState.CREATED)) == ORPHAN
    assert found(made(ContainerState.CREATED), servers=None) == ORPHAN


def test_a_running_server_that_the_hub_does_not_have_is_an_orphan() -> None:
    assert found(made()) == ORPHAN
    assert found(made(ContainerState.PAUSED)) == ORPHAN
    assert found(made(), servers={("bob", ""), ("alice", "thesis")}) == ORPHAN


def test_a_server_that_ran_for_long_is_not_ended_because_a_hub_lost_its_memory() -> None:
    old = labels.format_timestamp(EPOCH - LOST_AT_START)
    assert found(made(created_at=old)) == []
    assert found(made(ContainerState.CREATED, created_at=old)) == ORPHAN, "it never ran"


def test_a_running_server_that_the_hub_has_is_left_alone() -> None:
    assert found(made(), servers={("alice", "")}) == []
    assert found(made(name="thesis"), servers={("alice", "thesis")}) == []


def test_without_the_hubs_word_nothing_that_runs_is_an_orphan() -> None:
    assert found(made(), servers=None) == []


@pytest.mark.parametrize("interface", ["cli", "docker", "compose", "devcontainer", "batch"])
def test_the_hub_decides_only_about_its_own_doors_containers(interface: str) -> None:
    assert found(made(interface=interface)) == []


def test_what_another_installation_or_nobody_made_is_left_alone() -> None:
    other = container(state=ContainerState.CREATED, extra={labels.INSTANCE: "there"})
    assert found(other, container(state=ContainerState.CREATED), foreign_container()) == []
    unmanaged = made(ContainerState.CREATED, managed="false")
    assert found(unmanaged) == []


def test_what_is_promised_is_left_alone_until_the_promise_ends() -> None:
    orphan = made(ContainerState.CREATED)
    assert found(orphan, promises=[reservation()]) == []
    assert found(orphan, promises=[reservation("bob")]) == ORPHAN
    past = reservation(created_at=HOUR_AGO)
    assert found(orphan, promises=[past]) == ORPHAN


def test_what_is_young_is_left_alone() -> None:
    young = labels.format_timestamp(EPOCH - GRACE + timedelta(seconds=1))
    assert found(made(ContainerState.CREATED, created_at=young)) == []
    assert found(made(ContainerState.CREATED, created_at=young), grace=timedelta(0)) == ORPHAN
    unlabelled = made(ContainerState.CREATED, created_at="not a time")
    assert found(unlabelled) == ORPHAN, "the engine says when it was made"


def test_what_has_stopped_is_not_for_repair() -> None:
    assert found(made(ContainerState.EXITED, finished_at=EPOCH - timedelta(days=9))) == []


def test_what_another_door_created_may_still_be_started() -> None:
    assert found(made(ContainerState.CREATED, interface="cli")) == []


def test_a_promise_that_ran_out_without_a_container_was_of_a_launch_that_died() -> None:
    promise = reservation(created_at=HOUR_AGO)
    assert lapsed([promise], [], promise.expires_at) == (promise,)
    assert lapsed([promise], [], promise.expires_at - timedelta(seconds=1)) == ()
    granted = labels.format_timestamp(promise.created_at)
    assert lapsed([promise], [made(created_at=granted)], promise.expires_at) == ()
    assert lapsed([promise], [made()], promise.expires_at) == (promise,), "an earlier one's name"
