from datetime import timedelta

import pytest

from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import (
    Conflict,
    Forbidden,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.labels import INSTANCE, Interface
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME
from ds01_spawner.operations.containers.launch import DOUBT_TIME, SETTLE_TIME
from fakes.facts import container
from fakes.lab import Lab
from fakes.probe import FakeProbe, card, machine

STUCK = Unavailable("The container engine did not answer.")


@pytest.fixture
def lab() -> Lab:
    """A machine with one slot."""
    return Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))


def started(lab: Lab, user: str = "alice", gpu: str = "mig", name: str = "run") -> str:
    made = lab.create(user, gpu, name=name)
    assert lab.starts.start(made, user)
    return made


def test_a_container_is_made_without_being_started(lab: Lab) -> None:
    made = lab.create("alice")
    shown = lab.engine.container(made)
    assert shown is not None
    assert (shown.name, shown.state) == ("run._.alice", ContainerState.CREATED)
    assert lab.states() == {"0:0": SlotState.RESERVED}
    assert lab.events.actions == ["gpu.allocate", "container.create"]


def test_the_promise_of_its_creation_lasts_until_it_is_started(lab: Lab) -> None:
    made = lab.create("alice")
    lab.wait(80)
    assert lab.starts.start(made, "alice")
    assert lab.states() == {"0:0": SlotState.ALLOCATED}
    (promise,) = lab.reservations()
    assert promise.expires_at - lab.clock.now() <= SETTLE_TIME


def test_one_that_is_not_started_loses_its_slot_to_whoever_asks(lab: Lab) -> None:
    made = lab.create("alice")
    lab.wait(RESERVATION_LIFETIME.total_seconds() + 1)
    assert lab.states() == {"0:0": SlotState.FREE}
    started(lab, "bob")
    with pytest.raises(NoCapacity, match=r"\(0:0\) is somebody else's now\. Its files are still"):
        lab.starts.start(made, "alice")
    assert lab.taken() == {"0:0": "bob"}
    assert lab.events.events[-1].outcome == "refused"


def test_one_that_is_started_late_gets_its_slot_when_it_is_free(lab: Lab) -> None:
    made = lab.create("alice")
    lab.wait(3600)
    assert lab.starts.start(made, "alice")
    assert lab.taken() == {"0:0": "alice"}
    assert len(lab.reservations()) == 1


def test_a_running_one_is_left_running(lab: Lab) -> None:
    made = started(lab)
    assert lab.starts.start(made, "alice") is False


def test_a_stopped_one_starts_again_within_its_hold_and_after(lab: Lab) -> None:
    made = started(lab)
    for pause in (60, 3600):
        lab.engine.kill(made)
        lab.wait(pause)
        assert lab.starts.start(made, "alice")
        assert lab.states() == {"0:0": SlotState.ALLOCATED}


def test_the_new_promise_counts_although_the_engine_shows_the_container(lab: Lab) -> None:
    made = started(lab)
    lab.engine.kill(made)
    lab.wait(3600)
    seen: list[dict[str, SlotState]] = []
    lab.engine.on_call = lambda name: seen.append(lab.states()) if name == "start" else None
    lab.starts.start(made, "alice")
    assert seen == [{"0:0": SlotState.RESERVED}]


def test_nobody_starts_past_those_who_wait_for_the_slot(lab: Lab) -> None:
    made = started(lab)
    lab.engine.kill(made)
    waiting = lab.queued(lab.request("bob"))
    lab.wait(10)
    waiting = lab.queued(lab.request("bob"), waiting.ticket)
    assert lab.starts.start(made, "alice"), "within its hold the slot is its own"
    lab.engine.kill(made)
    lab.wait(15 * 60 - 5)
    waiting = lab.queued(lab.request("bob"), waiting.ticket)
    lab.wait(6)
    with pytest.raises(NoCapacity, match="goes to somebody who waits for one"):
        lab.starts.start(made, "alice")
    assert lab.granted(lab.request("bob"), waiting.ticket)


def test_a_slot_that_is_gone_is_said(lab: Lab) -> None:
    made = started(lab)
    lab.engine.kill(made)
    lab.probe.present = machine(card(1, "2g.10gb"))
    with pytest.raises(NoCapacity, match=r"\(0:0\) does not exist any more"):
        lab.starts.start(made, "alice")


def test_limits_hold_at_each_start() -> None:
    lab = Lab()
    first = started(lab, name="first")
    lab.engine.kill(first)
    lab.wait(3600)
    theirs = started(lab, "bob")
    started(lab, name="second")
    lab.engine.remove(theirs)
    lab.wait(SETTLE_TIME.total_seconds())
    with pytest.raises(QuotaExceeded, match="1 of 1 GPU slots in use"):
        lab.starts.start(first, "alice")


def test_ones_own_other_container_that_took_the_slot_is_named(lab: Lab) -> None:
    first = started(lab, name="first")
    lab.engine.kill(first)
    lab.wait(3600)
    started(lab, name="second")
    with pytest.raises(NoCapacity, match=r"\(0:0\) is in use by your container second now"):
        lab.starts.start(first, "alice")


def test_containers_are_counted_at_each_start() -> None:
    lab = Lab()
    first = started(lab, gpu="none", name="first")
    lab.engine.kill(first)
    for name in ("a", "b", "c"):
        started(lab, gpu="none", name=name)
    with pytest.raises(QuotaExceeded, match="3 of 3 containers are running"):
        lab.starts.start(first, "alice")


def test_one_that_was_made_and_not_started_is_counted_and_not_said_to_run() -> None:
    lab = Lab()
    started(lab, gpu="none", name="a")
    for name in ("b", "c"):
        lab.create("alice", "none", name=name)
    with pytest.raises(QuotaExceeded) as caught:
        lab.create("alice", "none", name="d")
    assert str(caught.value) == (
        "3 of 3 containers are running or about to start (a, b, c). "
        "Stop one, or wait a few minutes: what is not started by then gives its place up."
    )
    lab.wait(RESERVATION_LIFETIME.total_seconds())
    assert lab.create("alice", "none", name="d")


def test_a_container_of_somebody_else_is_not_found(lab: Lab) -> None:
    made = lab.create("alice")
    with pytest.raises(NotFound, match="No such container"):
        lab.starts.start(made, "bob")
    with pytest.raises(NotFound, match="No such container"):
        lab.starts.start("f" * 64, "bob")


def test_a_server_of_the_hub_is_started_by_the_hub(lab: Lab) -> None:
    lab.run("alice")
    lab.stop("alice")
    made = lab.container("alice")
    assert made is not None
    with pytest.raises(Forbidden, match="Start it from JupyterHub's home page"):
        lab.starts.start(made.id, "alice")


@pytest.mark.parametrize("change", [{INSTANCE: "another"}, {"ds01.managed": ""}])
def test_what_was_made_past_the_platform_is_not_started(lab: Lab, change: dict[str, str]) -> None:
    theirs = container(
        state=ContainerState.EXITED,
        extra={INSTANCE: "here", "ds01.interface": Interface.DOCKER, **change},
    )
    lab.engine.put(theirs)
    with pytest.raises(Forbidden, match="made past the platform"):
        lab.starts.start(theirs.id, "alice")


def test_work_whose_time_is_up_does_not_go_on() -> None:
    lab = Lab()
    lab.policy.edit("defaults:\n  max_runtime: 2h\n  max_containers_per_user: 3\n")
    made = started(lab, gpu="none")
    lab.wait(3600)
    lab.engine.kill(made)
    assert lab.starts.start(made, "alice")
    lab.wait(3700)
    lab.engine.kill(made)
    with pytest.raises(Forbidden, match=r"time of this container is up \(max_runtime\)"):
        lab.starts.start(made, "alice")


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done and not told"])
def test_a_failed_start_keeps_the_slot_only_for_what_runs(lab: Lab, after: bool) -> None:
    made = lab.create("alice")
    lab.engine.fail_next("start", STUCK, after=after)
    with pytest.raises(Unavailable):
        lab.starts.start(made, "alice")
    assert lab.states() == {"0:0": SlotState.ALLOCATED if after else SlotState.FREE}
    assert lab.events.events[-1].outcome == "failed"


def test_in_doubt_the_slot_stays_promised_a_while(lab: Lab) -> None:
    made = lab.create("alice")

    def get_stuck(method: str) -> None:
        lab.engine.stuck = method == "start" or lab.engine.stuck

    lab.engine.on_call = get_stuck
    with pytest.raises(Unavailable):
        lab.starts.start(made, "alice")
    lab.engine.on_call = lambda _method: None
    lab.engine.stuck = False
    lab.wait(DOUBT_TIME.total_seconds() - 5)
    assert lab.states() == {"0:0": SlotState.RESERVED}
    lab.wait(10)
    assert lab.states() == {"0:0": SlotState.FREE}


def test_bounds_that_are_not_taken_stop_the_start(lab: Lab) -> None:
    made = lab.create("alice")
    lab.cgroups.stuck = True
    with pytest.raises(Unavailable):
        lab.starts.start(made, "alice")
    assert ("start", made) not in lab.engine.calls
    assert lab.states() == {"0:0": SlotState.FREE}


def test_a_name_that_is_taken_leaves_the_older_container_and_no_promise(lab: Lab) -> None:
    made = started(lab, gpu="none")
    with pytest.raises(Conflict):
        lab.create("alice")
    assert [each.id for each in lab.engine.containers()] == [made]
    assert lab.states() == {"0:0": SlotState.FREE}


def test_two_starts_for_the_last_place_one_wins(lab: Lab) -> None:
    first = lab.create("alice")
    lab.wait(timedelta(minutes=5).total_seconds())
    second = lab.create("bob")
    lab.wait(timedelta(minutes=5).total_seconds())
    assert lab.starts.start(first, "alice")
    with pytest.raises(NoCapacity):
        lab.starts.start(second, "bob")
    assert lab.taken() == {"0:0": "alice"}


def test_what_is_removed_gives_its_slot_back_at_once_after_a_later_start_too(lab: Lab) -> None:
    made = started(lab)
    lab.engine.kill(made)
    lab.wait(3600)
    assert lab.starts.start(made, "alice")
    gone = lab.engine.container(made)
    assert gone is not None
    lab.engine.remove(made)
    assert lab.states() == {"0:0": SlotState.RESERVED}
    lab.admission.forget(gone)
    assert lab.states() == {"0:0": SlotState.FREE}


def test_no_start_forgets_to_make_ready(lab: Lab) -> None:
    lab.accounts.people["alice"] = UnixAccount("alice", 1001, 1001, "/home/alice")
    made = started(lab)
    assert lab.volumes.given == ["run._.alice"]

    lab.engine.stop(made, timedelta())
    shown = lab.engine.container(made)
    assert shown is not None
    lab.accounts.people["alice"] = UnixAccount("alice", 1009, 1001, "/home/alice")
    with pytest.raises(Forbidden, match="its image's user"):
        lab.starts.start(made, "alice")
    assert lab.events.actions[-1] == "container.start"
