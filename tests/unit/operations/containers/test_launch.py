import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import (
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PlatformFault,
    Unavailable,
)
from ds01_spawner.domain.labels import INSTANCE, Interface
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.containers.launch import DOUBT_TIME, SETTLE_TIME, Abandoned, Step
from fakes.facts import container
from fakes.lab import Lab
from fakes.ledger import FakeLedger
from fakes.probe import FakeProbe, card, machine

STUCK = Unavailable("The container engine did not answer.")
FAILURES = [
    pytest.param("container", False, id="looking for an earlier one"),
    pytest.param("ensure_network", False, id="network"),
    pytest.param("create", False, id="create"),
    pytest.param("create", True, id="create, done but not told"),
    pytest.param("start", False, id="start"),
    pytest.param("start", True, id="start, done but not told"),
]


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def request_(lab: Lab) -> LaunchRequest:
    return lab.request("alice")


@pytest.fixture
def grant(lab: Lab, request_: LaunchRequest) -> Grant:
    return lab.granted(request_)


def one_slot(source: str = "nvml") -> Lab:
    return Lab(probe=FakeProbe(machine(card(0, "1g.5gb"), source=source)))


def expect_nothing_left(lab: Lab) -> None:
    assert lab.engine.containers() == ()
    assert lab.reservations() == ()
    assert lab.taken() == {}


def test_a_launch_makes_a_running_container_and_says_each_step(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    steps: list[Step] = []
    container_id = lab.launch(request_, grant, steps.append)
    made = lab.container("alice")
    assert made is not None
    assert (made.id, made.state) == (container_id, ContainerState.RUNNING)
    assert made.labels == grant.spec.labels
    assert steps == [Step.CREATING, Step.STARTING]
    assert lab.events.actions == ["gpu.allocate", "container.create", "container.start"]
    assert lab.events.of("container.start")[0].details == {
        "id": container_id,
        "image": "image",
        "slots": ["0:2"],
        "uuids": list(grant.spec.gpu_uuids),
        "equivalents": 0.1429,
        "allocated_at": made.labels["ds01.gpu.allocated_at"],
        "group": "student",
        "project": "",
    }
    assert lab.engine.networks["ds01-alice"] == {
        "ds01.managed": "true",
        "ds01.user": "alice",
        "ds01.instance": "here",
    }


def test_the_persons_bounds_are_set_before_the_start_and_checked_after(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    order: list[str] = []
    ensure = lab.cgroups.ensure
    lab.engine.on_call = order.append

    def noted(*arguments: object) -> object:
        order.append("bounds")
        return ensure(*arguments)  # type: ignore[arg-type]

    lab.cgroups.ensure = noted  # type: ignore[method-assign,assignment]
    lab.launch(request_, grant)
    assert order == ["container", "bounds", "ensure_network", "create", "start", "bounds"]


def test_a_reservation_outlives_the_start_for_readers_of_an_old_snapshot(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    lab.launch(request_, grant)
    (promise,) = lab.reservations()
    left = promise.expires_at - lab.clock.now()
    assert timedelta(0) < SETTLE_TIME - left < timedelta(seconds=1)
    assert lab.states()["0:2"] is SlotState.ALLOCATED


@pytest.mark.parametrize(("method", "after"), FAILURES)
def test_a_failure_at_any_step_leaves_neither_container_nor_reservation(
    lab: Lab, request_: LaunchRequest, grant: Grant, method: str, after: bool
) -> None:
    lab.engine.fail_next(method, STUCK, after=after)
    with pytest.raises(Unavailable) as caught:
        lab.launch(request_, grant)
    assert caught.value is STUCK
    expect_nothing_left(lab)
    assert lab.events.events[-1].action == "container.start"
    assert lab.events.events[-1].outcome == "failed"
    assert lab.events.events[-1].reason == str(STUCK)


def test_bounds_that_are_not_taken_stop_a_launch_before_anything_is_made(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    lab.cgroups.stuck = True
    with pytest.raises(Unavailable):
        lab.launch(request_, grant)
    expect_nothing_left(lab)
    assert "create" not in [method for method, _ in lab.engine.calls]


def test_bounds_that_the_start_has_broken_undo_the_launch(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    def break_bounds(method: str) -> None:
        lab.cgroups.stuck = method == "start"

    lab.engine.on_call = break_bounds
    with pytest.raises(Unavailable):
        lab.launch(request_, grant)
    expect_nothing_left(lab)


def wedge(lab: Lab, method: str, *, after: bool) -> None:
    """The engine does not answer `method`, nor anything after it."""
    asked: list[str] = []

    def get_stuck(name: str) -> None:
        lab.engine.stuck = method in asked
        asked.append(name)

    lab.engine.fail_next(method, STUCK, after=after)
    lab.engine.on_call = get_stuck


def free_again(lab: Lab) -> None:
    lab.engine.on_call = lambda _method: None
    lab.engine.stuck = False


@pytest.mark.parametrize(
    ("method", "after"), [failure for failure in FAILURES if failure.values[0] != "container"]
)
def test_a_slot_stays_reserved_when_a_failed_launch_cannot_be_undone(
    method: str, after: bool
) -> None:
    lab = one_slot()
    request = lab.request("alice")
    grant = lab.granted(request)
    wedge(lab, method, after=after)
    with pytest.raises(Unavailable) as caught:
        lab.launch(request, grant)
    assert caught.value is STUCK
    free_again(lab)
    told = lab.events.events[-2]
    assert (told.action, told.outcome) == ("container.remove", "failed")
    assert told.reason.startswith("A failed launch could not be undone: ")

    lab.wait(DOUBT_TIME.total_seconds() - 5)
    waiting = lab.queued(lab.request("bob"))
    lab.engine.remove("jupyter._.alice")
    lab.wait(6)
    assert lab.granted(lab.request("bob"), waiting.ticket)


def test_what_started_after_all_keeps_its_slot_after_the_doubt() -> None:
    lab = one_slot()
    request = lab.request("alice")
    grant = lab.granted(request)
    wedge(lab, "start", after=True)
    with pytest.raises(Unavailable):
        lab.launch(request, grant)
    free_again(lab)
    lab.wait(10 * DOUBT_TIME.total_seconds())
    assert lab.states() == {"0:0": SlotState.ALLOCATED}


def test_a_launch_that_is_undone_in_doubt_may_be_tried_again_on_the_same_slot() -> None:
    lab = one_slot()
    request = lab.request("alice")
    grant = lab.granted(request)
    wedge(lab, "start", after=True)
    with pytest.raises(Unavailable):
        lab.launch(request, grant)
    free_again(lab)
    again = lab.granted(request)
    assert again.slots == grant.slots
    lab.launch(request, again)
    assert len(lab.engine.containers()) == 1


def test_a_failure_that_is_no_error_of_ours_is_undone_too(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    lab.engine.fail_next("start", KeyError("a fault in the program"), after=True)
    with pytest.raises(KeyError):
        lab.launch(request_, grant)
    expect_nothing_left(lab)


@pytest.mark.parametrize("method", ["container", "ensure_network", "create", "start"])
def test_a_launch_that_nobody_wants_any_more_is_undone_at_the_next_step(
    lab: Lab, request_: LaunchRequest, grant: Grant, method: str
) -> None:
    abandoned = threading.Event()

    def give_up(name: str) -> None:
        if name == method:
            abandoned.set()

    lab.engine.on_call = give_up
    with pytest.raises(Abandoned):
        lab.launch(request_, grant, abandoned=abandoned)
    expect_nothing_left(lab)
    assert "container.start" not in lab.events.actions


def test_an_own_stopped_container_is_replaced(lab: Lab) -> None:
    first = lab.run("alice")
    lab.stop("alice")
    lab.wait(60)
    steps: list[Step] = []
    request = lab.request("alice")
    second = lab.launch(request, lab.granted(request), steps.append)
    assert second != first
    assert [one.id for one in lab.engine.containers()] == [second]
    assert steps == [Step.REPLACING, Step.CREATING, Step.STARTING]
    assert lab.events.of("container.remove")[0].details == {"id": first}


def test_a_running_container_that_a_crashed_hub_left_is_replaced(lab: Lab) -> None:
    first = lab.run("alice")
    lab.restart()
    second = lab.run("alice")
    assert [one.id for one in lab.engine.containers()] == [second] != [first]


@pytest.mark.parametrize(
    "change",
    [
        {INSTANCE: "another"},
        {"ds01.interface": "docker"},
        {"ds01.user": "bob"},
        {"ds01.managed": "no"},
    ],
    ids=["another installation's", "another door's", "somebody else's", "foreign"],
)
def test_a_running_container_that_is_not_the_doors_own_is_left_alone(
    lab: Lab, change: dict[str, str]
) -> None:
    theirs = container("alice", extra={INSTANCE: "here", **change})
    lab.engine.put(theirs)
    request = lab.request("alice")
    with pytest.raises(Conflict, match="exists and was not started here"):
        lab.launch(request, lab.granted(request))
    assert [one.id for one in lab.engine.containers()] == [theirs.id]
    assert lab.reservations() == ()


@pytest.mark.parametrize(
    "change",
    [{"ds01.user": "bob"}, {"ds01.managed": "no"}, {"ds01.interface": "cli"}],
    ids=["somebody else's", "foreign", "another door's"],
)
def test_a_stopped_container_that_is_not_ones_own_is_left_alone(
    lab: Lab, change: dict[str, str]
) -> None:
    theirs = container("alice", state=ContainerState.EXITED, extra=change)
    lab.engine.put(theirs)
    request = lab.request("alice")
    with pytest.raises(Conflict):
        lab.launch(request, lab.granted(request))
    assert [one.id for one in lab.engine.containers()] == [theirs.id]


@pytest.mark.parametrize("interface", [Interface.CLI, Interface.DOCKER, Interface.API])
def test_only_the_hub_replaces_what_runs(lab: Lab, interface: Interface) -> None:
    request = lab.request("alice", interface=interface)
    first = lab.launch(request, lab.granted(request))
    with pytest.raises(Conflict):
        lab.launch(request, lab.granted(request))
    assert [one.id for one in lab.engine.containers()] == [first]
    assert lab.states()["0:2"] is SlotState.ALLOCATED


def test_a_name_taken_at_the_last_moment_is_a_conflict_and_a_later_try_works(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    theirs = container("alice", state=ContainerState.EXITED, extra={"ds01.user": "bob"})

    def take_the_name(method: str) -> None:
        if method == "create":
            lab.engine.on_call = lambda _method: None
            lab.engine.put(theirs)

    lab.engine.on_call = take_the_name
    with pytest.raises(Conflict):
        lab.launch(request_, grant)
    assert lab.reservations() == ()
    lab.engine.remove(theirs.id)
    assert lab.run("alice")


def test_of_two_launches_of_one_name_one_wins_and_the_other_leaves_nothing(lab: Lab) -> None:
    request = lab.request("alice")
    first, second = lab.granted(request), lab.granted(request)
    done: list[str] = []

    def launch_the_other(method: str) -> None:
        if method == "start" and not done:
            done.append("begun")
            done.append(lab.launch(request, second))

    lab.engine.on_call = launch_the_other
    with pytest.raises(NotFound):
        lab.launch(request, first)
    assert [one.id for one in lab.engine.containers()] == [done[1]]
    assert lab.taken() == {"0:2": "alice"}


def test_an_image_that_is_gone_is_said_and_nothing_is_left(lab: Lab) -> None:
    request = lab.request("alice")
    grant = lab.granted(request)
    lab.engine.images.clear()
    with pytest.raises(InvalidRequest) as caught:
        lab.launch(request, grant)
    assert str(caught.value) == "The image image is not on this server. Choose another image."
    expect_nothing_left(lab)


def test_an_engine_without_gpu_driver_gives_a_simulated_slot_by_environment_alone() -> None:
    lab = one_slot(source="simulated")
    lab.engine.has_device_driver = False
    container_id = lab.run("alice")
    assert lab.engine.specs[container_id].use_device_requests is False
    assert lab.taken() == {"0:0": "alice"}
    assert len(lab.engine.containers()) == 1
    creations = [method for method, _ in lab.engine.calls].count("create")
    lab.run("bob", "none")
    lab.engine.remove(container_id)
    lab.wait(60)
    lab.run("cem")
    assert [method for method, _ in lab.engine.calls].count("create") == creations + 2


def test_an_engine_without_gpu_driver_never_starts_a_real_slot_without_its_device() -> None:
    lab = one_slot()
    lab.engine.has_device_driver = False
    request = lab.request("alice")
    with pytest.raises(DeviceDriverMissing):
        lab.launch(request, lab.granted(request))
    expect_nothing_left(lab)


def test_a_promise_that_lapsed_before_the_start_is_not_used() -> None:
    lab = one_slot()
    request = lab.request("alice")
    grant = lab.granted(request)
    others: list[Grant] = []

    def dawdle(method: str) -> None:
        if method == "ensure_network":
            lab.wait(3600)
            lab.engine.on_call = lambda _method: None
            others.append(lab.granted(lab.request("bob")))

    lab.engine.on_call = dawdle
    with pytest.raises(NoCapacity, match="Starting took so long"):
        lab.launch(request, grant)
    assert lab.engine.containers() == ()
    assert lab.launch(lab.request("bob"), others[0])


@pytest.mark.parametrize("action", ["container.create", "container.start"])
def test_a_launch_that_cannot_be_logged_is_undone(
    lab: Lab, request_: LaunchRequest, grant: Grant, action: str
) -> None:
    append = lab.events.append

    def fail(event: object) -> None:
        if getattr(event, "action", "") == action:
            lab.events.full = True
        append(event)  # type: ignore[arg-type]

    lab.events.append = fail  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="event log"):
        lab.launch(request_, grant)
    lab.events.full = False
    expect_nothing_left(lab)


def test_a_ledger_locked_at_the_end_does_not_undo_what_runs(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    ledger = lab.ledger
    assert isinstance(ledger, FakeLedger)
    verify = lab.launcher._aggregates.verify

    def lock(*arguments: object) -> object:
        ledger.locked = True
        return verify(*arguments)  # type: ignore[arg-type]

    lab.launcher._aggregates.verify = lock  # type: ignore[method-assign,assignment]
    assert lab.launch(request_, grant)
    ledger.locked = False
    (promise,) = lab.reservations()
    assert promise.expires_at - lab.clock.now() > SETTLE_TIME
    assert lab.taken() == {"0:2": "alice"}


@pytest.mark.parametrize("fault", ["ledger", "log"])
def test_undoing_says_what_went_wrong_first(
    lab: Lab, request_: LaunchRequest, grant: Grant, fault: str
) -> None:
    def break_it(method: str) -> None:
        if method == "start":
            lab.events.full = fault == "log"
            if isinstance(lab.ledger, FakeLedger):
                lab.ledger.locked = fault == "ledger"

    lab.engine.on_call = break_it
    lab.engine.fail_next("start", STUCK, after=True)
    with pytest.raises(Unavailable) as caught:
        lab.launch(request_, grant)
    assert caught.value is STUCK
    assert lab.engine.containers() == ()


def test_a_persons_own_events_name_no_file_of_the_platform(
    lab: Lab, request_: LaunchRequest, grant: Grant
) -> None:
    fault = PlatformFault("The ledger /x/ledger.sqlite cannot be used.", "Move it.")
    lab.engine.fail_next("start", fault, after=True)
    with pytest.raises(PlatformFault):
        lab.launch(request_, grant)
    reasons = [each.reason for each in lab.events.events if each.outcome == "failed"]
    assert any("The platform has a fault" in each for each in reasons)
    assert not any("/x/" in each for each in reasons)


def test_undoing_leaves_a_container_alone_that_was_not_made_for_this_grant(lab: Lab) -> None:
    running = lab.run("alice")
    request = lab.request("alice")
    grant = lab.granted(request)
    lab.launcher.undo(request, grant, grant.spec.name)
    assert [one.id for one in lab.engine.containers()] == [running]
    assert lab.taken() == {"0:2": "alice"}


def test_a_missing_image_is_fetched_before_anything_is_decided(lab: Lab) -> None:
    lab.engine.images.clear()
    lab.engine.registry.add("image")
    lab.launcher.ensure_image("image")
    lab.launcher.ensure_image("image")
    assert [method for method, _ in lab.engine.calls].count("pull") == 1


def test_an_image_that_may_not_be_fetched_is_not_fetched(lab: Lab) -> None:
    lab.engine.images.clear()
    lab.engine.registry.add("image")
    lab.admission.rules = replace(lab.admission.rules, may_pull=lambda _reference: False)
    with pytest.raises(DS01Error):
        lab.launcher.ensure_image("image")
    assert "pull" not in [method for method, _ in lab.engine.calls]


@pytest.mark.parametrize("crash_at", ["ensure_network", "create", "start", "after"])
def test_a_process_that_dies_within_a_launch_loses_no_slot(crash_at: str) -> None:
    lab = one_slot()

    class Killed(BaseException):
        """kill -9: nothing of the process runs any more."""

    def die(method: str) -> None:
        if method == crash_at:
            raise Killed

    undo: Callable[..., None] = lambda *_arguments: None  # noqa: E731 - what a dead process does
    lab.launcher.undo = undo  # type: ignore[method-assign]
    lab.engine.on_call = die
    request = lab.request("alice")
    grant = lab.granted(request)
    with suppress(Killed):
        lab.launch(request, grant)
    lab.engine.on_call = lambda _method: None
    lab.restart()
    assert list(lab.taken()) == ["0:0"]
    lab.run("alice")
    assert len(lab.engine.containers()) == 1
    assert lab.taken() == {"0:0": "alice"}
    lab.engine.remove("jupyter._.alice")
    lab.wait(120)
    assert lab.run("bob")


def test_a_start_that_outlasted_its_promise_is_undone() -> None:
    lab = one_slot()
    request = lab.request("alice")
    grant = lab.granted(request)

    def sleep_through(method: str) -> None:
        if method == "start":
            lab.engine.on_call = lambda _method: None
            lab.wait(3600)
            lab.run("bob")

    lab.engine.on_call = sleep_through
    with pytest.raises(NoCapacity):
        lab.launch(request, grant)
    assert [one.name for one in lab.engine.containers()] == ["jupyter._.bob"]
