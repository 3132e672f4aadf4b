from collections.abc import Callable
from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.container import ContainerState, DeviceDemand
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.queue import TICKET_LIFETIME
from ds01_spawner.domain.repair import GRACE, LOST_AT_START
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.work import Rule, RuleStop, Track
from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.repair.leftovers import Leftovers
from ds01_spawner.operations.repair.reconcile import Reconciler
from ds01_spawner.operations.usage.books import Books
from fakes.facts import container, foreign_container
from fakes.hub import FakeHub
from fakes.lab import POLICY, Lab
from fakes.lifecycle_lab import LifecycleLab

LATER = GRACE.total_seconds() + 120


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def reconciler(lab: Lab, hub: FakeHub) -> Reconciler:
    return new_reconciler(lab, hub)


def new_reconciler(lab: Lab, hub: FakeHub | None) -> Reconciler:
    return Reconciler(
        clock=lab.clock,
        policy=lab.policy,
        engine=lab.engine,
        ledger=lab.ledger,
        admission=lab.admission,
        aggregates=Aggregates(cgroups=lab.cgroups, audit=lab.audit),
        audit=lab.audit,
        hub=hub,
        leftovers=Leftovers(
            clock=lab.clock,
            cgroups=lab.cgroups,
            ledger=lab.ledger,
            hub=hub,
            audit=lab.audit,
            instance="here",
        ),
        books=Books(ledger=lab.ledger, events=lab.events, probe=lab.probe, instance="here"),
    )


def running(lab: Lab, user: str) -> bool:
    found = lab.container(user)
    return found is not None and found.state.is_live


def created_only(lab: Lab, user: str = "alice") -> None:
    """What a hub leaves that is killed between create and start."""
    request = lab.request(user)
    lab.engine.create(lab.granted(request).spec)


def test_a_created_container_goes_when_its_promise_has_lapsed(
    lab: Lab, reconciler: Reconciler
) -> None:
    created_only(lab)
    assert reconciler.run().repairs == ()
    lab.wait(LATER)
    (repair,) = reconciler.run().repairs
    assert repair.action == "cleanup.orphan"
    assert lab.container("alice") is None
    assert lab.taken() == {}
    event = lab.events.of("cleanup.orphan")[0]
    assert (event.user, event.resource) == ("alice", "jupyter._.alice")
    assert event.reason == "It was created and never started."
    assert event.details["slots"] == "0:2"


def test_a_running_server_goes_only_when_two_passes_say_so(
    lab: Lab, reconciler: Reconciler
) -> None:
    lab.run("alice")
    lab.wait(LATER)
    assert reconciler.run().repairs == ()
    assert running(lab, "alice")
    assert len(reconciler.run().repairs) == 1
    assert lab.container("alice") is None
    assert [call for call, _ in lab.engine.calls if call in {"stop", "remove"}] == [
        "stop",
        "remove",
    ], "it is asked to end before it is killed"


def test_a_server_that_the_hub_knows_again_is_no_suspect_any_more(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    lab.run("alice")
    lab.wait(LATER)
    reconciler.run()
    hub.add("alice")
    reconciler.run()
    hub.known.clear()
    assert reconciler.run().repairs == ()
    assert running(lab, "alice")


def test_a_hub_that_does_not_answer_costs_nobody_a_server(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    lab.run("alice")
    lab.wait(LATER)
    hub.down = True
    for _ in range(3):
        report = reconciler.run()
    assert report.repairs == ()
    assert report.notes == ("The hub does not answer.",)
    assert running(lab, "alice")


def test_an_old_server_that_the_hub_does_not_have_is_reported_and_left_alone(
    lab: Lab, reconciler: Reconciler
) -> None:
    lab.run("alice")
    lab.wait(LOST_AT_START.total_seconds() + 1)
    reconciler.run()
    (note,) = reconciler.run().notes
    assert note.startswith("jupyter._.alice runs and the hub has no such server")
    assert running(lab, "alice")


def no_pause() -> None:
    """Nobody waits in a test."""


def test_repairing_by_hand_keeps_no_books(lab: Lab, reconciler: Reconciler) -> None:
    created_only(lab)
    lab.run("bob")
    begun = lab.clock.now()
    lab.wait(LATER)
    assert len(reconciler.by_hand(no_pause, dry_run=False).repairs) == 2
    with lab.ledger.transaction() as transaction:
        assert transaction.usage_since(begun) == []


def test_by_hand_what_another_look_does_not_find_is_left_alone(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    lab.run("alice")
    lab.wait(LATER)
    report = reconciler.by_hand(lambda: hub.add("alice"), dry_run=False)
    assert report.repairs == ()
    assert running(lab, "alice")


def test_by_hand_nobody_waits_where_one_look_is_enough(lab: Lab, reconciler: Reconciler) -> None:
    created_only(lab)
    lab.wait(LATER)
    waits: list[None] = []
    assert reconciler.by_hand(lambda: waits.append(None), dry_run=True).repairs
    assert waits == []


def test_without_a_hub_servers_are_left_alone(lab: Lab) -> None:
    lab.run("alice")
    lab.wait(LATER)
    reconciler = new_reconciler(lab, None)
    assert [reconciler.run().repairs for _ in range(3)] == [(), (), ()]


def something_of_every_kind(lab: Lab, hub: FakeHub, reconciler: Reconciler) -> None:
    """Left behind: a container, a server without the hub's word, and one of each other kind."""
    hub.add("carol")
    lost = lab.run("carol", "none")
    hub.add("eve")
    emptied = lab.run("eve", "none")
    reconciler.run()
    lab.engine.remove(lost)
    lab.engine.remove(emptied)
    hub.known.pop(("eve", ""))
    created_only(lab)
    lab.run("bob")
    lab.granted(lab.request("dora", "none"))
    with lab.ledger.transaction() as transaction:
        kept = [each.id for each in transaction.reservations() if each.user in {"carol", "eve"}]
        transaction.remove_reservations(kept)
        now = lab.clock.now()
        mig = GpuRequest.parse("mig", 1)
        transaction.put_ticket(Ticket("t", "late", "jupyter._.late", mig, 10, now, now))
    lab.wait(LATER + RESERVATION_LIFETIME.total_seconds())


EVERY_KIND = {
    "The reservation for jupyter._.dora",
    "The place in the queue for jupyter._.late",
    "The empty cgroup student/carol",
    "The empty cgroup student/eve",
    "The hub's entry for carol: the default server",
}


def test_a_dry_run_says_everything_and_does_nothing(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    something_of_every_kind(lab, hub, reconciler)
    before = lab.engine.containers(), lab.cgroups.people(), dict(hub.known), lab.tickets()
    said = len(lab.events.events)
    report = reconciler.by_hand(no_pause, dry_run=True)
    assert {each.container.name for each in report.repairs} == {
        "jupyter._.alice",
        "jupyter._.bob",
    }
    assert {str(each) for each in report.leftovers} == EVERY_KIND
    after = lab.engine.containers(), lab.cgroups.people(), dict(hub.known), lab.tickets()
    assert after == before
    with lab.ledger.transaction() as transaction:
        assert [each.user for each in transaction.reservations()]
    assert len(lab.events.events) == said
    assert {each.container.name for each in reconciler.run().repairs} == {"jupyter._.alice"}, (
        "a dry run makes nobody a suspect"
    )


def test_by_hand_everything_goes_and_each_is_an_event(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    something_of_every_kind(lab, hub, reconciler)
    announced = reconciler.by_hand(no_pause, dry_run=True)
    report = reconciler.by_hand(no_pause, dry_run=False)
    assert report == announced
    assert hub.stopped == [("carol", "")]
    assert lab.container("bob") is None
    assert lab.tickets() == ()
    kinds = [each.action for each in lab.events.events if each.action.startswith("cleanup.")]
    left = [each.action for each in announced.leftovers]
    assert sorted(kinds) == sorted([*left, *(each.action for each in announced.repairs)])


def test_a_container_that_cannot_be_removed_is_noted_and_tried_again(
    lab: Lab, reconciler: Reconciler
) -> None:
    created_only(lab)
    created_only(lab, "bob")
    lab.wait(LATER)
    lab.engine.fail_next("remove", Unavailable("The engine is busy."))
    (note,) = reconciler.run().notes
    assert note == "jupyter._.alice could not be removed: The engine is busy."
    assert lab.container("bob") is None, "one failure does not end the pass"
    assert lab.events.of("cleanup.orphan")[0].user == "bob"
    reconciler.run()
    assert lab.container("alice") is None


@pytest.mark.parametrize(
    "breaks",
    [
        lambda lab: setattr(lab.engine, "stuck", True),
        lambda lab: setattr(lab.probe, "stuck", True),
        lambda lab: setattr(lab.ledger, "locked", True),
        lambda lab: setattr(lab.policy, "broken", True),
    ],
    ids=["engine", "driver", "ledger", "policy"],
)
def test_a_part_that_cannot_be_read_stops_the_pass_before_anything_is_done(
    lab: Lab, reconciler: Reconciler, breaks: Callable[[Lab], None]
) -> None:
    created_only(lab)
    lab.wait(LATER)
    breaks(lab)
    with pytest.raises(Unavailable):
        reconciler.run()
    assert not [call for call, _ in lab.engine.calls if call in {"stop", "remove"}]


def test_the_ledger_is_tidied(lab: Lab, hub: FakeHub, reconciler: Reconciler) -> None:
    hub.add("alice")
    lab.run("alice")
    full = [lab.run(f"person{number}", name="x") for number in range(9)]
    assert full
    lab.queued(lab.request("late"))
    lab.wait(TICKET_LIFETIME.total_seconds() - 1)
    reconciler.run()
    assert len(lab.tickets()) == 1, "somebody who still waits keeps the place"
    lab.wait(2)
    reconciler.run()
    assert lab.tickets() == ()
    (told,) = lab.events.of("cleanup.ticket")
    assert (told.user, told.details["size"], told.details["count"]) == ("late", "mig", 1)
    lab.wait(timedelta(hours=2).total_seconds())
    reconciler.run()
    with lab.ledger.transaction() as transaction:
        assert transaction.reservations() == []


def test_a_launch_that_died_is_told_and_its_promise_forgotten(
    lab: Lab, reconciler: Reconciler
) -> None:
    lab.granted(lab.request("alice"))
    reconciler.run()
    assert len(lab.reservations()) == 1
    lab.wait(RESERVATION_LIFETIME.total_seconds() + 1)
    reconciler.run()
    reconciler.run()
    (event,) = lab.events.of("cleanup.reservation")
    assert (event.user, event.resource) == ("alice", "jupyter._.alice")


def test_a_cgroup_with_nobody_in_it_goes_when_two_passes_find_it_empty(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    hub.add("alice")
    lab.run("alice")
    lab.stop("alice")
    lab.wait(60)
    reconciler.run()
    reconciler.run()
    assert lab.cgroups.people(), "its container is still there"
    lab.servers.discard(container_name("jupyter", "alice"), interface="hub")
    reconciler.run()
    assert lab.cgroups.people()
    reconciler.run()
    assert not lab.cgroups.people()
    assert [each.resource for each in lab.events.of("cleanup.cgroup")] == ["student/alice"]


def test_a_cgroup_stays_while_somebody_is_about_to_start(lab: Lab, reconciler: Reconciler) -> None:
    lab.run("alice", "none")
    lab.servers.stop(container_name("jupyter", "alice"), interface="hub")
    lab.servers.discard(container_name("jupyter", "alice"), interface="hub")
    reconciler.run()
    lab.granted(lab.request("alice"))
    reconciler.run()
    assert lab.cgroups.people()


def test_a_cgroup_of_somebody_never_seen_here_is_another_installations(
    lab: Lab, reconciler: Reconciler
) -> None:
    lab.cgroups.ensure("student", "bob", AggregateLimits())
    lab.engine.put(container("bob", extra={labels.INSTANCE: "there"}))
    reconciler.run()
    lab.engine.remove(container_name("jupyter", "bob"))
    for _ in range(3):
        assert reconciler.run().leftovers == ()
    assert lab.cgroups.people() == (("student", "bob"),)


@pytest.mark.parametrize("evidence", ["track", "rule_stop", "storage"])
def test_the_ledger_tells_a_new_process_whose_cgroups_are_ours(
    lab: Lab, reconciler: Reconciler, evidence: str
) -> None:
    lab.cgroups.ensure("student", "alice", AggregateLimits())
    now = lab.clock.now()
    with lab.ledger.transaction() as transaction:
        if evidence == "track":
            transaction.put_tracks([Track("1", "jupyter._.alice", "alice", now, now)])
        elif evidence == "rule_stop":
            stop = RuleStop("1", "x._.alice", "alice", Rule.IDLE, "idle_timeout", "2h", "", "", now)
            transaction.put_rule_stop(stop)
        else:
            transaction.put_storage(StorageUse("alice", 1, now, "scan"))
    reconciler.run()
    (leftover,) = reconciler.run().leftovers
    assert str(leftover) == "The empty cgroup student/alice"
    assert lab.cgroups.people() == ()


def test_a_server_whose_container_goes_while_the_service_is_away_is_told_to_the_hub() -> None:
    night = LifecycleLab()
    container_id = night.run()
    night.one_pass()
    night.lab.engine.remove(container_id)
    night.restart()
    for _ in range(2):
        assert night.hub.stopped == []
        night.one_pass()
        night.reconciler.run()
    assert night.hub.stopped == [("alice", "")]


def test_the_hub_is_told_of_a_server_whose_container_is_gone(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    hub.add("alice")
    container_id = lab.run("alice")
    reconciler.run()
    lab.engine.remove(container_id)
    reconciler.run()
    assert hub.stopped == [], "it may be on its way back"
    reconciler.run()
    assert hub.stopped == [("alice", "")]
    assert [each.user for each in lab.events.of("cleanup.orphan")] == ["alice"]


def test_a_server_that_never_had_a_container_here_is_somebody_elses(
    hub: FakeHub, reconciler: Reconciler
) -> None:
    hub.add("alice")
    for _ in range(3):
        reconciler.run()
    assert hub.stopped == []


def test_usage_follows_what_runs(lab: Lab, hub: FakeHub, reconciler: Reconciler) -> None:
    hub.add("alice")
    begun = lab.clock.now()
    lab.run("alice")
    reconciler.run()
    lab.wait(600)
    reconciler.run()
    with lab.ledger.transaction() as transaction:
        (interval,) = transaction.usage_since(begun)
    assert (interval.user, interval.ended_at) == ("alice", None)
    lab.stop("alice")
    stopped = lab.container("alice")
    assert stopped is not None
    lab.wait(60)
    reconciler.run()
    with lab.ledger.transaction() as transaction:
        (interval,) = transaction.usage_since(begun)
    assert interval.ended_at == stopped.finished_at


def test_two_containers_on_a_slot_are_told_once(lab: Lab, reconciler: Reconciler) -> None:
    lab.run("alice")
    slot = lab.probe.slot("0:2")
    lab.engine.put(foreign_container(demand=DeviceDemand(uuids=(slot.uuid,))))
    for _ in range(3):
        report = reconciler.run()
    assert report.notes == ("GPU slot 0:2 is used by 2 containers: jupyter._.alice, train.",)
    (event,) = lab.events.of("gpu.conflict")
    assert event.reason == report.notes[0]
    assert event.outcome == "failed"
    lab.engine.remove("train")
    reconciler.run()
    lab.engine.put(foreign_container(demand=DeviceDemand(uuids=(slot.uuid,))))
    reconciler.run()
    assert len(lab.events.of("gpu.conflict")) == 2, "told again when it comes back"


def test_a_conflict_does_not_tell_whose_the_container_of_another_installation_is(
    lab: Lab, reconciler: Reconciler
) -> None:
    lab.run("alice")
    slot = lab.probe.slot("0:2")
    lab.engine.put(container("bobby", [slot], name="secret", extra={labels.INSTANCE: "there"}))
    report = reconciler.run()
    (event,) = lab.events.of("gpu.conflict")
    assert report.notes == (event.reason,)
    assert "jupyter._.alice" in event.reason
    assert "one of another installation" in event.reason
    assert "bobby" not in event.reason


def test_bounds_follow_an_edit_of_the_policy(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    hub.add("alice")
    lab.run("alice")
    reconciler.run()
    lab.policy.edit(POLICY.replace("priority: 10", "priority: 10\n    aggregate: {pids: 100}"))
    reconciler.run()
    usage = lab.cgroups.usage("student", "alice")
    assert usage is not None
    assert usage.limits == AggregateLimits(pids=100)


def test_what_the_kernel_killed_is_told_with_its_owner(
    lab: Lab, hub: FakeHub, reconciler: Reconciler
) -> None:
    hub.add("alice")
    lab.run("alice")
    reconciler.run()
    lab.cgroups.kill("student", "alice", limit_bytes=2**30)
    reconciler.run()
    reconciler.run()
    kills = [event for event in lab.events.events if "oom" in event.action]
    assert [event.user for event in kills] == ["alice"]


def test_cgroups_that_cannot_be_read_are_noted_and_the_pass_goes_on(
    lab: Lab, reconciler: Reconciler
) -> None:
    created_only(lab)
    lab.run("bob")
    lab.wait(LATER)
    lab.cgroups.stuck = True
    report = reconciler.run()
    assert report.notes
    assert lab.container("alice") is None


def test_another_installations_containers_are_not_even_looked_up(
    lab: Lab, reconciler: Reconciler
) -> None:
    other = container("bob", state=ContainerState.CREATED, extra={labels.INSTANCE: "there"})
    lab.engine.put(other)
    lab.wait(LATER)
    assert reconciler.run().repairs == ()
    assert lab.engine.container(container_name("jupyter", "bob")) == other
