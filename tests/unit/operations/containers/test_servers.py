from datetime import timedelta

import pytest

from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.occupancy import SlotState
from fakes.lab import POLICY, Lab

NO_HOLD = POLICY.replace("container_hold_after_stop: 30m", "container_hold_after_stop: 0s")
NAME = "jupyter._.alice"


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_stopped_container_keeps_its_slot_and_is_in_the_log(lab: Lab) -> None:
    container_id = lab.run("alice")
    lab.wait(60)
    lab.stop("alice")
    made = lab.container("alice")
    assert made is not None
    assert made.state is ContainerState.EXITED
    assert lab.states()["0:2"] is SlotState.HELD
    event = lab.events.events[-1]
    assert (event.action, event.user, event.resource) == ("container.stop", "alice", NAME)
    assert event.details == {"id": container_id, "slots": "0:2"}


def test_the_person_has_the_grace_that_the_policy_gives(lab: Lab) -> None:
    lab.run("alice")
    graces: list[timedelta] = []
    stop = lab.engine.stop

    def note(container_id: str, grace: timedelta) -> None:
        graces.append(grace)
        stop(container_id, grace)

    lab.engine.stop = note  # type: ignore[method-assign]
    lab.policy.edit(POLICY + "policies:\n  sigterm_grace: 5s\n")
    lab.stop("alice")
    assert graces == [timedelta(seconds=5)]


def test_without_a_hold_the_container_is_removed_and_its_slot_free(lab: Lab) -> None:
    lab.policy.edit(NO_HOLD)
    lab.run("alice")
    lab.wait(60)
    lab.stop("alice")
    assert lab.engine.containers() == ()
    assert lab.taken() == {}
    assert lab.events.actions[-2:] == ["container.stop", "container.remove"]


def test_stopping_what_is_gone_or_has_stopped_is_no_error(lab: Lab) -> None:
    lab.servers.stop(NAME, interface="hub")
    lab.run("alice")
    lab.stop("alice")
    events = len(lab.events.events)
    lab.stop("alice")
    assert len(lab.events.events) == events


def test_a_stuck_engine_is_said_and_the_container_is_as_it_was(lab: Lab) -> None:
    lab.run("alice")
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        lab.stop("alice")
    lab.engine.stuck = False
    made = lab.container("alice")
    assert made is not None
    assert made.state.is_live


def test_what_must_stop_is_stopped_without_a_policy_too(lab: Lab) -> None:
    lab.run("alice")
    lab.policy.broken = True
    lab.stop("alice")
    made = lab.container("alice")
    assert made is not None
    assert not made.state.is_live


def test_discarding_removes_what_has_stopped_and_nothing_else(lab: Lab) -> None:
    lab.run("alice")
    lab.wait(60)
    lab.servers.discard(NAME, interface="hub")
    assert lab.container("alice") is not None
    lab.stop("alice")
    lab.servers.discard(NAME, interface="hub")
    lab.servers.discard(NAME, interface="hub")
    assert lab.container("alice") is None
    assert lab.taken() == {}
