from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.adapters.docker_engine.connection import Deadlines
from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import (
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    QuotaExceeded,
    Refused,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.queue import MAX_OVERTAKEN, TICKET_LIFETIME
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME, Queued
from ds01_spawner.operations.allocation.observe import MAX_AGE
from ds01_spawner.operations.containers.launch import DOUBT_TIME, SETTLE_TIME
from fakes.facts import container, foreign_container
from fakes.lab import POLICY, Lab
from fakes.ledger import FakeLedger
from fakes.probe import FakeProbe, card, machine, small_lab

NAME_HINT = "Use 1 to 48 lower-case letters, digits and inner hyphens, such as thesis-run."
PROJECT_HINT = "Use 1 to 63 letters, digits, dots, hyphens and underscores, such as thesis-2026."
HAS = "You may use: 7 of 1g.5gb, 2 of 2g.10gb, 1 of 3g.20gb."
NO_WHOLE = "Choose a MIG slot, or ask an administrator."
PATIENCE = RESERVATION_LIFETIME.total_seconds()


@pytest.fixture
def lab() -> Lab:
    return Lab()


def full_lab(people: int = 12) -> Lab:
    """Twelve people on twelve equal slots."""
    lab = Lab(probe=FakeProbe(machine(card(0, *["1g.5gb"] * 6), card(1, *["1g.5gb"] * 6))))
    for number in range(people):
        lab.run(f"p{number:02}")
    lab.wait(SETTLE_TIME.total_seconds())
    return lab


def slots_of(lab: Lab, user: str) -> list[str]:
    return [slot for slot, holder in lab.taken().items() if holder == user]


def test_a_grant_is_a_reservation_and_a_description_and_a_line_in_the_log(lab: Lab) -> None:
    grant = lab.granted(lab.request("alice"))
    assert [slot.id for slot in grant.slots] == ["0:2"]
    assert lab.reservations() == (grant.reservation,)
    assert grant.reservation.gpu_uuids == grant.spec.gpu_uuids == ("MIG-lab-0-2",)
    assert grant.spec.labels["ds01.gpu.uuids"] == "MIG-lab-0-2"
    assert grant.spec.labels["ds01.group"] == "student"
    assert grant.spec.cgroup_parent == "/ds01/student/alice"
    assert lab.states()["0:2"] is SlotState.RESERVED
    (event,) = lab.events.events
    assert (event.action, event.user, event.resource) == ("gpu.allocate", "alice", "0:2")
    assert event.details["container"] == "jupyter._.alice"
    assert event.details["uuids"] == ["MIG-lab-0-2"]
    assert event.details["equivalents"] == round(1 / 7, 4)


def test_whoever_starts_something_sees_what_they_are_told(lab: Lab) -> None:
    mounts = lab.granted(lab.request("alice")).spec.mounts
    assert Mount("bind", lab.board.folder("alice"), "/run/ds01", read_only=True) in mounts


def test_where_nobody_can_be_told_anything_nothing_is_started(lab: Lab) -> None:
    lab.board.full = True
    with pytest.raises(Unavailable, match="no space left on device"):
        lab.granted(lab.request("alice"))
    assert lab.reservations() == ()
    assert lab.taken() == {}
    assert lab.events.events == []


def test_a_launch_without_a_gpu_takes_a_place_and_no_slot(lab: Lab) -> None:
    grant = lab.granted(lab.request("alice", "none"))
    assert grant.slots == ()
    assert lab.taken() == {}
    assert lab.admission.current().occupancy.containers_of("alice") == ("jupyter._.alice",)
    assert lab.events.events == []


def test_two_people_are_given_different_slots(lab: Lab) -> None:
    uuids = {lab.granted(lab.request(user)).spec.gpu_uuids for user in ("amy", "bob", "cem")}
    assert len(uuids) == 3


def test_a_person_with_a_unix_account_gets_their_groups_limits_and_home(lab: Lab) -> None:
    lab.accounts.people["amy"] = UnixAccount("amy", 1001, 1001, "/home/amy", ("researcher",), ())
    grant = lab.granted(lab.request("amy", "full"))
    assert grant.limits.group == "researcher"
    assert grant.spec.user == "1001:1001"
    assert grant.spec.mounts[0].source == "/home/amy"


def test_a_simulated_machine_is_said_to_be_one() -> None:
    lab = Lab(probe=FakeProbe(replace(small_lab(), source="simulated")))
    grant = lab.granted(lab.request("amy"))
    assert grant.simulated
    assert grant.spec.environment["DS01_GPU_SIMULATED"] == "1"


def test_a_refusal_is_logged_once_with_its_figures(lab: Lab) -> None:
    lab.run("alice", name="thesis")
    before = len(lab.events.events)
    with pytest.raises(QuotaExceeded) as caught:
        lab.admission.admit(lab.request("alice"))
    assert str(caught.value) == ("1 of 1 GPU slots in use (thesis). Stop thesis first.")
    (event,) = lab.events.events[before:]
    assert (event.action, event.outcome, event.user) == ("quota.reject", "refused", "alice")
    assert event.reason == str(caught.value)
    assert event.details == {
        "request": "a MIG slot",
        "image": "image",
        "limit": "max_gpu_slots",
        "used": 1,
        "asked": 1,
        "allowed": 1,
        "decided_ms": 0.0,
    }
    assert len(lab.reservations()) == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"name": "../etc"},
            InvalidRequest,
            "'../etc' cannot name a container. " + NAME_HINT,
        ),
        (
            {"project": "a/b"},
            InvalidRequest,
            "'a/b' cannot name a project. " + PROJECT_HINT,
        ),
        ({"user": "root"}, Forbidden, "root is a system account, not a person's."),
        (
            {"user": "a/b"},
            InvalidRequest,
            "The user name 'a/b' holds a slash or a control character.",
        ),
        ({"image": "evil"}, Forbidden, "The image evil is not offered to you. Choose another."),
        (
            {"gpu": GpuRequest.parse("7g.40gb")},
            InvalidRequest,
            "A slot of 7g.40gb cannot be given: this server has no such slots that you may use. "
            + HAS,
        ),
        (
            {"gpu": GpuRequest.parse("full")},
            Forbidden,
            "Whole GPUs are not part of your limits (allow_full_gpu is false). " + NO_WHOLE,
        ),
        (
            {"gpu": GpuRequest.parse("mig", 2)},
            QuotaExceeded,
            "2 GPU slots were asked for; one container may have 1. Ask for 1 or fewer.",
        ),
    ],
    ids=["name", "project", "system account", "user", "image", "profile", "whole GPU", "count"],
)
def test_a_bad_request_is_refused_in_words_and_leaves_nothing(
    lab: Lab, change: dict[str, object], error: type[Refused], message: str
) -> None:
    request: LaunchRequest = replace(lab.request("alice"), **change)  # type: ignore[arg-type]
    with pytest.raises(error) as caught:
        lab.admission.admit(request, wait=True)
    assert str(caught.value) == message
    assert [event.outcome for event in lab.events.events] == ["refused"]
    assert lab.reservations() == ()
    assert lab.tickets() == ()


def test_preparing_refuses_before_anything_is_decided(lab: Lab) -> None:
    with pytest.raises(Forbidden):
        lab.admission.prepare(replace(lab.request("alice"), image="evil"))
    assert lab.events.actions == ["request.reject"]
    prepared = lab.admission.prepare(replace(lab.request("alice"), image=""))
    assert prepared.image == "image"


def test_nothing_free_without_waiting_is_refused_with_the_place_in_the_queue() -> None:
    lab = full_lab()
    with pytest.raises(NoCapacity) as caught:
        lab.admission.admit(lab.request("late"))
    assert str(caught.value) == (
        "No MIG slot is free now. Of 12 slots that would do: 12 in use. You would be number 1 in "
        "the queue: start again and choose to wait, or choose another size."
    )
    assert lab.events.of("gpu.reject")[0].reason == str(caught.value)
    assert lab.tickets() == ()


def test_the_thirteenth_person_is_first_in_the_queue_and_served_when_a_hold_ends() -> None:
    lab = full_lab()
    answer = lab.queued(lab.request("late"))
    assert (answer.place, answer.length) == (1, 1)
    assert answer.reason == "Of 12 slots that would do: 12 in use."
    (event,) = lab.events.of("gpu.queue")
    assert (event.user, event.details["place"], event.details["length"]) == ("late", 1, 1)

    (freed,) = slots_of(lab, "p07")
    lab.stop("p07")
    lab.wait(1)
    answer = lab.queued(lab.request("late"), answer.ticket)
    assert answer.reason == "Of 12 slots that would do: 11 in use, 1 held for a stopped container."
    for _ in range(15 * 6 - 1):
        lab.wait(10)
        lab.queued(lab.request("late"), answer.ticket)
    lab.wait(10)
    grant = lab.granted(lab.request("late"), answer.ticket)
    assert [slot.id for slot in grant.slots] == [freed]
    assert lab.tickets() == ()
    assert lab.events.of("gpu.allocate")[-1].details["waited_seconds"] == pytest.approx(900, abs=1)
    assert len(lab.events.of("gpu.queue")) == 1


def test_who_leaves_the_queue_is_written_down_once_with_what_they_waited_for() -> None:
    lab = full_lab()
    request = lab.request("late")
    answer = lab.queued(request)
    lab.wait(30)
    for _ in range(2):
        lab.admission.leave(request, answer.ticket, "The start was cancelled.")
    (event,) = lab.events.of("gpu.unqueue")
    assert (event.reason, event.details["waited_seconds"]) == ("The start was cancelled.", 30)
    assert (event.details["size"], event.details["count"]) == ("mig", 1)
    assert event.details["group"] == "student"


def test_nobody_waits_for_more_containers_than_they_may_run() -> None:
    lab = full_lab()
    for number in range(3):
        lab.queued(lab.request("late", name=f"run{number}"))

    with pytest.raises(QuotaExceeded) as caught:
        lab.admission.admit(lab.request("late", name="run3"), wait=True)

    assert str(caught.value) == (
        "0 of 3 containers are running and 3 more wait for a GPU. Stop or cancel one first."
    )
    assert len(lab.tickets()) == 3


def test_a_place_that_is_given_back_serves_the_next() -> None:
    lab = full_lab()
    first = lab.queued(lab.request("first"))
    lab.wait(1)
    second = lab.queued(lab.request("second"))
    assert (second.place, second.length) == (2, 2)
    lab.admission.cancel(first.ticket)
    assert lab.queued(lab.request("second"), second.ticket).place == 1
    lab.engine.remove("jupyter._.p03")
    lab.wait(1)
    assert lab.granted(lab.request("second"), second.ticket)
    assert lab.tickets() == ()


def test_the_place_of_a_process_that_died_vanishes() -> None:
    lab = full_lab()
    lab.queued(lab.request("dead"))
    alive = lab.queued(lab.request("alive"))
    lab.engine.remove("jupyter._.p03")
    lab.wait(1)
    assert lab.queued(lab.request("alive"), alive.ticket).place == 1
    lab.wait(TICKET_LIFETIME.total_seconds())
    assert lab.granted(lab.request("alive"), alive.ticket)


def test_who_does_not_wait_does_not_jump_the_queue() -> None:
    lab = full_lab()
    waiting = lab.queued(lab.request("waiting"))
    lab.engine.remove("jupyter._.p03")
    lab.wait(1)
    with pytest.raises(NoCapacity, match="1 just being given"):
        lab.admission.admit(lab.request("jumper"))
    assert lab.granted(lab.request("waiting"), waiting.ticket)


def test_a_launch_without_a_gpu_does_not_wait_for_those_who_wait() -> None:
    lab = full_lab()
    lab.queued(lab.request("waiting"))
    assert lab.granted(lab.request("cpu", "none"))


def test_priority_comes_before_arrival() -> None:
    lab = full_lab()
    student = lab.queued(lab.request("student"))
    researcher = lab.queued(lab.request("ann", groups=("researcher",)))
    assert (researcher.place, researcher.length) == (1, 2)
    assert lab.queued(lab.request("student"), student.ticket).place == 2


def test_the_hub_groups_of_those_who_wait_are_known_to_whoever_decides() -> None:
    lab = full_lab()
    whole = machine(*lab.probe.present.gpus, card(2))
    lab.probe.present = whole
    lab.run("x", "none")
    researcher = lab.request("ann", "full", groups=("researcher",))
    grant = lab.granted(researcher)
    ann = lab.queued(lab.request("bea", "full", groups=("researcher",)))
    assert lab.tickets()[0].groups == ("researcher",)
    lab.admission.release(grant)
    lab.wait(1)
    with pytest.raises(NoCapacity, match="1 just being given"):
        lab.admission.admit(lab.request("cem", "full", groups=("researcher",)))
    assert lab.granted(lab.request("bea", "full", groups=("researcher",)), ann.ticket)


def test_an_edit_of_the_policy_holds_for_those_who_wait() -> None:
    lab = full_lab()
    waiting = lab.queued(lab.request("late"))
    lab.policy.edit(POLICY.replace("max_gpu_slots: 1", "max_gpu_slots: 0", 1))
    with pytest.raises(QuotaExceeded):
        lab.admission.admit(lab.request("late"), wait=True, ticket=waiting.ticket)
    assert lab.tickets() == ()


def test_whose_quota_is_used_up_while_they_wait_is_told_so() -> None:
    lab = full_lab()
    first = lab.queued(lab.request("late", name="one"))
    second = lab.queued(lab.request("late", name="two"))
    lab.engine.remove("jupyter._.p03")
    lab.wait(1)
    lab.granted(lab.request("late", name="one"), first.ticket)
    with pytest.raises(QuotaExceeded, match=r"1 of 1 GPU slots in use \(one\)"):
        lab.admission.admit(lab.request("late", name="two"), wait=True, ticket=second.ticket)
    assert lab.tickets() == ()
    (left,) = lab.events.of("gpu.unqueue")
    assert left.details["waited_seconds"] == 1
    assert len(lab.events.of("quota.reject")) == 1


def test_others_pass_only_as_often_as_promised() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0), card(1))))
    whole = {"gpu": "full", "groups": ("researcher",)}
    holders = ["amy", "bob"]
    for user in holders:
        request = lab.request(user, **whole)  # type: ignore[arg-type]
        lab.launch(request, lab.granted(request))
    large = lab.request("big", count=2, **whole)  # type: ignore[arg-type]
    ticket = lab.queued(large).ticket
    passed = 0
    while passed <= MAX_OVERTAKEN:
        for _ in range(3):
            lab.wait(10)
            lab.queued(large, ticket)
        lab.engine.remove(f"jupyter._.{holders.pop(0)}")
        lab.wait(1)
        request = lab.request(f"p{passed}", **whole)  # type: ignore[arg-type]
        answer = lab.admission.admit(request, wait=True)
        if isinstance(answer, Queued):
            break
        lab.launch(request, answer)
        holders.append(request.user)
        passed += 1
    assert passed == MAX_OVERTAKEN
    lab.engine.remove(f"jupyter._.{holders.pop(0)}")
    lab.wait(1)
    assert len(lab.granted(large, ticket).slots) == 2


def test_a_restart_of_the_same_container_is_given_the_slot_it_holds() -> None:
    lab = full_lab()
    before = slots_of(lab, "p05")
    lab.stop("p05")
    lab.wait(60)
    lab.queued(lab.request("late"))
    grant = lab.granted(lab.request("p05"))
    assert [slot.id for slot in grant.slots] == before


def test_a_restart_after_the_hold_is_given_another_slot_or_waits() -> None:
    lab = full_lab()
    lab.stop("p05")
    lab.wait(15 * 60)
    lab.run("late")
    assert lab.queued(lab.request("p05")).place == 1


def test_asking_twice_for_one_container_takes_one_slot(lab: Lab) -> None:
    first = lab.granted(lab.request("alice"))
    second = lab.granted(lab.request("alice"))
    assert first.slots == second.slots
    assert len(lab.taken()) == 1
    lab.admission.release(first)
    assert len(lab.taken()) == 1


def test_what_a_forgotten_container_of_the_same_name_runs_on_is_given_again() -> None:
    lab = full_lab()
    before = slots_of(lab, "p05")
    grant = lab.granted(lab.request("p05"))
    assert [slot.id for slot in grant.slots] == before


def test_a_persons_second_container_counts(lab: Lab) -> None:
    for name in ("one", "two", "three"):
        lab.run("alice", "none", name=name)
    with pytest.raises(QuotaExceeded) as caught:
        lab.admission.admit(lab.request("alice", "none"))
    assert caught.value.message == "3 of 3 containers are running (one, two, three)."


def test_a_promise_that_ran_out_counts_for_nothing(lab: Lab) -> None:
    grant = lab.granted(lab.request("alice"))
    lab.wait(PATIENCE)
    assert lab.taken() == {}
    with pytest.raises(NoCapacity, match="Starting took so long"):
        lab.admission.renew(grant)
    assert lab.granted(lab.request("bob")).slots == grant.slots


def test_a_promise_can_be_renewed_while_it_lasts(lab: Lab) -> None:
    grant = lab.granted(lab.request("alice"))
    for _ in range(5):
        lab.wait(PATIENCE - 1)
        lab.admission.renew(grant)
    lab.wait(PATIENCE - 1)
    assert lab.taken() == {"0:2": "alice"}


def test_a_promise_given_back_cannot_be_renewed(lab: Lab) -> None:
    grant = lab.granted(lab.request("alice"))
    lab.admission.release(grant)
    assert lab.taken() == {}
    with pytest.raises(NoCapacity):
        lab.admission.renew(grant)
    lab.admission.keep_until(grant, timedelta(hours=1))
    assert lab.taken() == {}


def test_a_promise_outlives_the_longest_start_and_every_snapshot_that_misses_it() -> None:
    deadlines = Deadlines()
    longest = timedelta(seconds=max(deadlines.create, deadlines.start))
    assert timedelta(0) < MAX_AGE < SETTLE_TIME < DOUBT_TIME
    assert longest + SETTLE_TIME <= RESERVATION_LIFETIME


def _stuck_engine(lab: Lab) -> None:
    lab.engine.stuck = True


def _stuck_probe(lab: Lab) -> None:
    lab.probe.stuck = True


def _broken_policy(lab: Lab) -> None:
    lab.policy.broken = True


def _stuck_accounts(lab: Lab) -> None:
    lab.accounts.stuck = True


def _full_log(lab: Lab) -> None:
    lab.events.full = True


def _slow_engine(lab: Lab) -> None:
    lab.engine.on_call = lambda _method: lab.wait(MAX_AGE.total_seconds())


def _clock_set_back(lab: Lab) -> None:
    lab.engine.on_call = lambda _method: lab.clock.advance(timedelta(hours=-1))


FAULTS = [
    _stuck_engine,
    _stuck_probe,
    _broken_policy,
    _stuck_accounts,
    _full_log,
    _slow_engine,
    _clock_set_back,
]


def by_name(fault: Callable[[Lab], None]) -> str:
    return fault.__name__.strip("_").replace("_", " ")


@pytest.mark.parametrize("fault", FAULTS, ids=by_name)
@pytest.mark.parametrize("wait", [True, False], ids=["waiting", "at once"])
def test_when_something_cannot_be_read_or_written_nothing_is_given(
    lab: Lab, fault: Callable[[Lab], None], wait: bool
) -> None:
    fault(lab)
    with pytest.raises(Unavailable):
        lab.admission.admit(lab.request("alice"), wait=wait)
    assert lab.reservations() == ()
    assert lab.tickets() == ()
    assert lab.events.events == []


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault is not _full_log], ids=by_name
)
def test_when_something_cannot_be_read_those_who_wait_keep_their_place(
    fault: Callable[[Lab], None],
) -> None:
    lab = full_lab()
    waiting = lab.queued(lab.request("late"))
    lab.wait(1)
    fault(lab)
    with pytest.raises(Unavailable):
        lab.admission.admit(lab.request("late"), wait=True, ticket=waiting.ticket)
    assert [entry.id for entry in lab.tickets()] == [waiting.ticket.id]


def test_when_the_ledger_is_locked_nothing_is_given(lab: Lab) -> None:
    assert isinstance(lab.ledger, FakeLedger)
    lab.ledger.locked = True
    with pytest.raises(Unavailable):
        lab.admission.admit(lab.request("alice"))
    lab.ledger.locked = False
    assert lab.reservations() == ()


def test_a_place_in_the_queue_that_cannot_be_logged_is_not_taken() -> None:
    lab = full_lab()
    lab.events.full = True
    with pytest.raises(Unavailable):
        lab.admission.admit(lab.request("late"), wait=True)
    assert lab.tickets() == ()


def test_an_outage_ends_and_everything_goes_on(lab: Lab) -> None:
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        lab.admission.admit(lab.request("alice"))
    lab.engine.stuck = False
    assert lab.granted(lab.request("alice"))


def test_slots_used_outside_the_platform_are_not_given() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb", "1g.5gb"))))
    alien = container("alien", [lab.probe.slot("0:0")], extra={"ds01.managed": "false"})
    lab.engine.put(alien)
    lab.probe.processes["MIG-lab-0-1"] = (4711,)
    answer = lab.queued(lab.request("alice"))
    assert answer.reason == "Of 2 slots that would do: 2 used outside the platform."
    lab.engine.remove(alien.id)
    lab.wait(1)
    assert lab.granted(lab.request("alice"), answer.ticket)


def test_a_container_in_the_way_that_holds_no_gpu_is_in_nobodys_way(lab: Lab) -> None:
    lab.engine.put(foreign_container())
    assert lab.granted(lab.request("alice"))


def test_cards_kept_for_batch_work_are_not_given() -> None:
    lab = Lab(
        probe=FakeProbe(machine(card(0, "1g.5gb"), card(1, "1g.5gb"))),
        excluded=frozenset({"GPU-lab-0"}),
    )
    assert [slot.id for slot in lab.granted(lab.request("amy")).slots] == ["1:0"]
    assert isinstance(lab.admission.admit(lab.request("bob"), wait=True), Queued)


def test_the_strategy_of_the_installation_decides() -> None:
    lab = Lab(strategy="pack")
    assert [lab.granted(lab.request(user)).slots[0].id for user in "abc"] == ["0:2", "0:3", "0:4"]
    lab = Lab(strategy="least_allocated")
    assert [lab.granted(lab.request(user)).slots[0].id for user in "abc"] == ["0:2", "1:1", "0:3"]


def test_every_door_asks_the_same(lab: Lab) -> None:
    for number, interface in enumerate(Interface):
        request = lab.request(f"p{number}", interface=interface)
        assert lab.granted(request).spec.labels["ds01.interface"] == interface.value
    assert len(lab.taken()) == len(Interface)


def test_every_refusal_is_an_error_of_the_platform() -> None:
    assert issubclass(Refused, DS01Error)
    assert issubclass(Unavailable, DS01Error)
    assert not issubclass(Unavailable, Refused)


def test_a_place_that_was_given_up_elsewhere_is_not_taken_again() -> None:
    lab = full_lab()
    waiting = lab.queued(lab.request("dora"))
    again = lab.queued(lab.request("dora"), waiting.ticket)
    lab.admission.cancel(again.ticket)
    with pytest.raises(InvalidRequest, match="was given up"):
        lab.admission.admit(lab.request("dora"), wait=True, ticket=again.ticket)
    assert lab.tickets() == ()
