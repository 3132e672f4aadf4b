from dataclasses import replace

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.occupancy import SlotState
from fakes.lab import POLICY, Lab

BY_ORIGIN = (
    POLICY
    + """
container_types:
  cli:
    gpu_hold_after_stop: 2h
    container_hold_after_stop: null
  batch:
    gpu_hold_after_stop: 0s
    container_hold_after_stop: 0s
  compose:
    gpu_hold_after_stop: null
"""
)


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.policy.edit(BY_ORIGIN)
    return lab


def stopped(lab: Lab, interface: Interface) -> None:
    """A container of this origin that ran for a while and has stopped just now."""
    request = lab.request("alice", interface=interface)
    lab.launch(request, lab.granted(request))
    lab.wait(120)
    lab.stop("alice")


def held(lab: Lab) -> bool:
    return SlotState.HELD in lab.states().values()


@pytest.mark.parametrize(
    ("interface", "minutes"),
    [(Interface.HUB, 15), (Interface.CLI, 120), (Interface.DOCKER, 15)],
)
def test_a_slot_is_held_as_long_as_the_origin_of_its_container_says(
    lab: Lab, interface: Interface, minutes: int
) -> None:
    stopped(lab, interface)
    lab.wait(minutes * 60 - 1)
    assert held(lab)
    lab.wait(1)
    assert not held(lab)
    assert lab.taken() == {}


def test_a_hold_of_zero_gives_the_slot_back_at_once(lab: Lab) -> None:
    lab.policy.edit(BY_ORIGIN.replace("    container_hold_after_stop: 0s\n", ""))
    stopped(lab, Interface.BATCH)
    assert lab.container("alice") is not None
    assert lab.taken() == {}


def test_a_hold_of_null_never_gives_the_slot_back(lab: Lab) -> None:
    stopped(lab, Interface.COMPOSE)
    lab.wait(365 * 86_400)
    assert held(lab)


def test_a_persons_own_hold_for_an_origin_wins(lab: Lab) -> None:
    own = "users:\n  alice:\n    container_types: {cli: {gpu_hold_after_stop: 0s}}\n"
    lab.policy.edit(BY_ORIGIN + own)
    stopped(lab, Interface.CLI)
    assert not held(lab)


@pytest.mark.parametrize(
    ("interface", "stays"),
    [(Interface.HUB, True), (Interface.CLI, True), (Interface.BATCH, False)],
)
def test_a_container_whose_origin_has_no_hold_is_removed_with_its_stop(
    lab: Lab, interface: Interface, stays: bool
) -> None:
    stopped(lab, interface)
    assert (lab.container("alice") is not None) is stays
    assert ("container.remove" in lab.events.actions) is not stays


def test_a_hold_for_one_origin_spares_it_from_the_persons_own_of_zero(lab: Lab) -> None:
    none = "container_hold_after_stop: 30m"
    lab.policy.edit(BY_ORIGIN.replace(none, "container_hold_after_stop: 0s"))
    stopped(lab, Interface.CLI)
    assert lab.container("alice") is not None
    stopped_by_hub = Lab()
    stopped_by_hub.policy.edit(BY_ORIGIN.replace(none, "container_hold_after_stop: 0s"))
    stopped(stopped_by_hub, Interface.HUB)
    assert stopped_by_hub.container("alice") is None


@pytest.mark.parametrize("label", [labels.CREATED_AT, labels.WORK_STARTED_AT])
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_times_that_nobody_can_reckon_with_keep_nobody_from_starting(
    lab: Lab, label: str, moment: str
) -> None:
    stopped(lab, Interface.HUB)
    found = lab.container("alice")
    assert found is not None
    lab.engine.put(replace(found, labels={**found.labels, label: moment}))
    assert held(lab)
    assert lab.granted(lab.request("bob"))
