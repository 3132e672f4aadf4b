from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import Gpu, Inventory, Slot, SlotActivity
from ds01_spawner.domain.occupancy import (
    Occupancy,
    SlotIndex,
    SlotState,
    SlotUse,
    Snapshot,
    latecomers,
    occupancy,
)
from fakes.clock import EPOCH
from fakes.facts import HOUR_AGO, container, foreign_container, reservation
from fakes.probe import card, idle, machine, small_lab

LAB = small_lab()
SLOTS = {slot.id: slot for slot in LAB.slots}
HOLD = timedelta(minutes=15)
FIVE_MINUTES_AGO = EPOCH - timedelta(minutes=5)
LIVE = [ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING]
STOPPED = [ContainerState.EXITED, ContainerState.DEAD]


def see(  # noqa: PLR0917 - the facts of one moment
    containers: Iterable[Container] = (),
    reservations: Iterable[Reservation] = (),
    hold: timedelta | None = HOLD,
    now: datetime = EPOCH,
    inventory: Inventory = LAB,
    activity: dict[str, SlotActivity] | None = None,
    excluded: Iterable[str] = (),
) -> Occupancy:
    snapshot = Snapshot(
        EPOCH, inventory, idle(inventory) if activity is None else activity, tuple(containers)
    )
    return occupancy(snapshot, reservations, lambda *_: hold, now, frozenset(excluded))


def use_of(slot_id: str, found: Occupancy) -> SlotUse:
    return next(use for use in found.uses if use.slot.id == slot_id)


def taken(found: Occupancy) -> dict[str, SlotState]:
    return {use.slot.id: use.state for use in found.uses if use.state is not SlotState.FREE}


def test_an_empty_machine_has_every_slot_free_in_the_order_people_read_them() -> None:
    found = see()
    assert [slot.id for slot in found.free()] == [
        *("0:0", "0:1", "0:2", "0:3", "0:4", "1:0", "1:1", "1:2", "1:3", "1:4", "2", "3"),
    ]
    assert found.containers == ()
    assert found.conflicts == ()


@pytest.mark.parametrize("state", LIVE)
def test_a_live_container_has_the_slots_of_its_labels(state: ContainerState) -> None:
    alice = container("alice", [SLOTS["0:0"], SLOTS["2"]], state, demand=DeviceDemand())
    found = see([alice])
    assert use_of("0:0", found) == SlotUse(
        SLOTS["0:0"], SlotState.ALLOCATED, "alice", "jupyter._.alice", HOUR_AGO
    )
    assert taken(found) == {"0:0": SlotState.ALLOCATED, "2": SlotState.ALLOCATED}
    assert found.containers_of("alice") == ("jupyter._.alice",)


def test_a_container_being_removed_has_its_slots_until_it_is_gone() -> None:
    found = see([container("alice", [SLOTS["2"]], ContainerState.REMOVING)])
    assert taken(found) == {"2": SlotState.ALLOCATED}
    assert found.containers_of("alice") == ()


@pytest.mark.parametrize("state", STOPPED)
@pytest.mark.parametrize(
    ("hold", "is_held"),
    [(HOLD, True), (timedelta(minutes=5), False), (timedelta(0), False), (None, True)],
    ids=["within", "just over", "at once", "never ends"],
)
def test_a_stopped_container_keeps_its_slots_for_its_hold(
    state: ContainerState, hold: timedelta | None, is_held: bool
) -> None:
    alice = container("alice", [SLOTS["2"]], state, finished_at=FIVE_MINUTES_AGO)
    found = see([alice], hold=hold)
    if not is_held:
        assert taken(found) == {}
        return
    assert use_of("2", found) == SlotUse(
        SLOTS["2"],
        SlotState.HELD,
        "alice",
        "jupyter._.alice",
        FIVE_MINUTES_AGO,
        None if hold is None else FIVE_MINUTES_AGO + hold,
    )
    assert found.containers_of("alice") == ()


def test_a_hold_whose_begin_is_unknown_does_not_end_by_itself() -> None:
    found = see([container("alice", [SLOTS["2"]], ContainerState.EXITED)])
    assert use_of("2", found).until is None
    assert taken(found) == {"2": SlotState.HELD}


def test_a_created_container_has_nothing_but_its_reservation() -> None:
    alice = container("alice", [SLOTS["2"]], ContainerState.CREATED)
    assert taken(see([alice])) == {}
    promise = reservation("alice", [SLOTS["2"]], created_at=HOUR_AGO, lifetime=2 * HOLD * 4)
    assert taken(see([alice], [promise])) == {"2": SlotState.RESERVED}


def test_what_the_engine_gave_counts_more_than_what_a_label_says() -> None:
    forged = container("alice", [SLOTS["0:0"]], demand=DeviceDemand(uuids=(SLOTS["2"].uuid,)))
    assert taken(see([forged])) == {"0:0": SlotState.ALLOCATED, "2": SlotState.ALLOCATED}


@pytest.mark.parametrize(
    ("demand", "slots"),
    [
        (DeviceDemand(), []),
        (DeviceDemand(uuids=("MIG-lab-0-1",)), ["0:1"]),
        (DeviceDemand(uuids=("GPU-lab-1",)), ["1:0", "1:1", "1:2", "1:3", "1:4"]),
        (DeviceDemand(uuids=("GPU-lab-2", "MIG-lab-0-1")), ["0:1", "2"]),
        (DeviceDemand(indices=("3",)), ["3"]),
        (DeviceDemand(indices=("0:4", "2")), ["0:4", "2"]),
        (DeviceDemand(indices=("1",)), ["1:0", "1:1", "1:2", "1:3", "1:4"]),
        (DeviceDemand(count=1), ["0:0", "0:1", "0:2", "0:3", "0:4"]),
        (DeviceDemand(count=9), list(SLOTS)),
        (DeviceDemand(count=-1), list(SLOTS)),
        (DeviceDemand(indices=("17",), uuids=("GPU-elsewhere",)), []),
    ],
    ids=str,
)
def test_a_container_without_our_labels_makes_its_slots_foreign(
    demand: DeviceDemand, slots: list[str]
) -> None:
    found = see([foreign_container(demand=demand)])
    assert taken(found) == dict.fromkeys(slots, SlotState.FOREIGN)
    assert found.of("alice") == ()
    for slot in slots:
        assert use_of(slot, found).container == "train"


@pytest.mark.parametrize("state", [*STOPPED, ContainerState.CREATED])
def test_a_foreign_container_that_does_not_run_has_nothing(state: ContainerState) -> None:
    demand = DeviceDemand(count=-1)
    assert taken(see([foreign_container(demand=demand, state=state)])) == {}


def test_labels_alone_give_nothing_to_a_container_that_is_not_ours() -> None:
    marks = {labels.USER: "alice", labels.GPU_UUIDS: SLOTS["2"].uuid}
    assert taken(see([foreign_container(marks=marks)])) == {}


def test_an_older_container_belongs_to_its_owner_and_counts_against_them() -> None:
    older = foreign_container(
        demand=DeviceDemand(indices=("2",)), marks={"aime.mlc": "x", "aime.mlc.USER": "alice"}
    )
    found = see([older])
    assert taken(found) == {"2": SlotState.FOREIGN}
    assert [use.slot.id for use in found.of("alice")] == ["2"]
    assert found.containers_of("alice") == ("train",)


@pytest.mark.parametrize("shorten", [lambda uuid: uuid[:12], str.upper], ids=["prefix", "case"])
def test_a_shortened_uuid_names_its_slot(shorten: Callable[[str], str]) -> None:
    inventory = Inventory("simulated", (Gpu("GPU-8932f937-aaaa", 0, "A100", 40 * 2**30),))
    found = SlotIndex(inventory).demanded(DeviceDemand(uuids=(shorten("GPU-8932f937-aaaa"),)))
    assert [slot.id for slot in found] == ["0"]


def test_a_reservation_counts_until_it_expires() -> None:
    promise = reservation("alice", [SLOTS["2"]])
    last = promise.expires_at - timedelta(microseconds=1)
    found = see(reservations=[promise], now=last)
    assert use_of("2", found) == SlotUse(
        SLOTS["2"],
        SlotState.RESERVED,
        "alice",
        "jupyter._.alice",
        promise.created_at,
        promise.expires_at,
    )
    assert found.containers_of("alice") == ("jupyter._.alice",)
    after = see(reservations=[promise], now=promise.expires_at)
    assert taken(after) == {}
    assert after.containers_of("alice") == ()


def test_a_reservation_without_a_gpu_is_a_place_among_the_persons_containers() -> None:
    found = see(reservations=[reservation("alice")])
    assert taken(found) == {}
    assert found.containers_of("alice") == ("jupyter._.alice",)
    assert found.starting == {("alice", "jupyter._.alice")}


def test_what_runs_already_is_not_about_to_start() -> None:
    found = see([container("alice")], [reservation("alice"), reservation("bob")])
    assert found.containers_of("alice") == ("jupyter._.alice",)
    assert found.starting == {("bob", "jupyter._.bob")}
    again = found.with_reserved((), "alice", "jupyter._.alice")
    assert again.starting == found.starting
    assert again.with_reserved((), "eve", "run").starting == {*found.starting, ("eve", "run")}


@pytest.mark.parametrize("state", [*LIVE, *STOPPED, ContainerState.REMOVING])
def test_a_reservation_ends_when_the_engine_shows_the_container_it_was_for(
    state: ContainerState,
) -> None:
    promise = reservation("alice", [SLOTS["2"]], created_at=HOUR_AGO, lifetime=timedelta(days=1))
    shown = container("alice", [SLOTS["2"]], state, finished_at=HOUR_AGO)
    found = see([shown], [promise], hold=timedelta(0))
    assert use_of("2", found).state is not SlotState.RESERVED


def test_a_reservation_stands_while_an_older_container_of_the_name_is_shown() -> None:
    promise = reservation("alice", [SLOTS["2"]])
    older = container("alice", [SLOTS["3"]], ContainerState.EXITED, finished_at=FIVE_MINUTES_AGO)
    found = see([older], [promise])
    assert taken(found) == {"2": SlotState.RESERVED, "3": SlotState.HELD}


def test_a_reservation_on_the_slot_of_the_container_it_replaces_is_one_use() -> None:
    older = container("alice", [SLOTS["2"]], ContainerState.EXITED, finished_at=FIVE_MINUTES_AGO)
    found = see([older], [reservation("alice", [SLOTS["2"]])])
    assert taken(found) == {"2": SlotState.RESERVED}
    assert found.conflicts == ()


def test_a_process_on_a_slot_that_nobody_has_makes_it_foreign() -> None:
    activity = idle(LAB) | {SLOTS["2"].uuid: SlotActivity(None, 0, (4711,))}
    found = see(activity=activity)
    assert taken(found) == {"2": SlotState.FOREIGN}
    assert use_of("2", found).user is None


def test_a_display_server_alone_does_not_make_a_slot_foreign() -> None:
    activity = idle(LAB) | {SLOTS["2"].uuid: SlotActivity(None, 0, (), (4711,))}
    assert taken(see(activity=activity)) == {}


def test_a_process_on_a_slot_that_somebody_has_changes_nothing() -> None:
    activity = idle(LAB) | {SLOTS["2"].uuid: SlotActivity(0.9, 0, (4711,))}
    found = see([container("alice", [SLOTS["2"]])], activity=activity)
    assert taken(found) == {"2": SlotState.ALLOCATED}


def test_a_process_that_outlives_its_container_ends_the_hold() -> None:
    activity = idle(LAB) | {SLOTS["2"].uuid: SlotActivity(0.9, 0, (4711,))}
    alice = container("alice", [SLOTS["2"]], ContainerState.EXITED, finished_at=FIVE_MINUTES_AGO)
    assert taken(see([alice], activity=activity)) == {"2": SlotState.FOREIGN}


def test_a_slot_whose_activity_cannot_be_read_is_unavailable_unless_somebody_has_it() -> None:
    activity = idle(LAB)
    del activity[SLOTS["2"].uuid], activity[SLOTS["3"].uuid]
    found = see([container("alice", [SLOTS["3"]])], activity=activity)
    assert taken(found) == {"2": SlotState.UNAVAILABLE, "3": SlotState.ALLOCATED}
    assert SLOTS["2"] not in found.free()


def test_a_held_slot_whose_activity_cannot_be_read_is_unavailable() -> None:
    activity = idle(LAB)
    del activity[SLOTS["2"].uuid]
    alice = container("alice", [SLOTS["2"]], ContainerState.EXITED, finished_at=FIVE_MINUTES_AGO)
    assert taken(see([alice], activity=activity)) == {"2": SlotState.UNAVAILABLE}


def test_a_lost_card_keeps_its_slots_in_sight_with_their_holders() -> None:
    lost = replace(LAB, gpus=LAB.gpus[1:], unavailable=tuple(list(LAB.slots)[:5]))
    found = see([container("alice", [SLOTS["0:1"]])], inventory=lost)
    assert taken(found) == dict.fromkeys(("0:0", "0:1", "0:2", "0:3", "0:4"), SlotState.UNAVAILABLE)
    assert use_of("0:1", found).user == "alice"
    assert [use.slot.id for use in found.of("alice")] == ["0:1"]


def test_a_card_that_was_never_read_is_shown_and_never_offered() -> None:
    unknown = Slot("4", "", "", 4, "unknown", 0, 0.0)
    found = see(inventory=replace(LAB, unavailable=(unknown,)))
    assert use_of("4", found).state is SlotState.UNAVAILABLE
    assert unknown not in found.slots
    assert unknown not in found.free()


@pytest.mark.parametrize(
    ("ids", "shown"), [("2", "2"), ("0:9", "0:9"), ("", "0"), ("x", "0"), ("1,2", "1")]
)
def test_a_slot_that_the_driver_does_not_know_is_shown_by_the_id_of_its_label(
    ids: str, shown: str
) -> None:
    gone = Slot("9", "GPU-gone", "GPU-gone", 9, "full", 1, 1.0)
    alice = container("alice", [gone], demand=DeviceDemand(), extra={labels.GPU_SLOTS: ids})
    found = see([alice], inventory=machine(card(7)))
    assert [use.slot.id for use in found.of("alice")] == [shown]
    assert found.of("alice")[0].state is SlotState.UNAVAILABLE


def test_what_another_installation_has_is_told_where_the_device_is_known_and_not_else() -> None:
    gone = Slot("9", "GPU-gone", "GPU-gone", 9, "full", 1, 1.0)
    known = (SLOTS["0:1"], SLOTS["2"])
    theirs = container("alice", [*known, gone], demand=DeviceDemand())
    lost = replace(LAB, gpus=LAB.gpus[1:], unavailable=tuple(list(LAB.slots)[:5]))
    snapshot = Snapshot(EPOCH, lost, idle(lost), (theirs,), elsewhere={theirs.id})
    found = occupancy(snapshot, (), lambda *_: HOLD, EPOCH)
    assert [use.slot.id for use in found.of("alice")] == ["0:1", "2"]
    assert use_of("2", found).state is SlotState.ALLOCATED
    assert len(found.uses) == len(LAB.slots)


def test_a_reservation_of_a_lost_slot_gives_nothing_and_breaks_nothing() -> None:
    gone = Slot("9", "GPU-gone", "GPU-gone", 9, "full", 1, 1.0)
    assert taken(see(reservations=[reservation("alice", [gone])])) == {}


def test_two_containers_on_one_slot_are_told() -> None:
    found = see([container("alice", [SLOTS["2"]]), container("bob", [SLOTS["2"]], name="thesis")])
    assert [*map(str, found.conflicts)] == [
        "GPU slot 2 is used by 2 containers: jupyter._.alice, thesis._.bob."
    ]
    assert taken(found) == {"2": SlotState.ALLOCATED}


def test_a_foreign_container_on_an_allocated_slot_is_told() -> None:
    found = see(
        [foreign_container(demand=DeviceDemand(indices=("2",))), container("alice", [SLOTS["2"]])]
    )
    assert use_of("2", found).user == "alice"
    (conflict,) = found.conflicts
    assert str(conflict) == "GPU slot 2 is used by 2 containers: jupyter._.alice, train."


def test_cards_for_batch_work_are_seen_and_not_free() -> None:
    found = see(excluded=["GPU-lab-2", "GPU-lab-0"])
    assert [slot.id for slot in found.free()] == ["1:0", "1:1", "1:2", "1:3", "1:4", "3"]
    assert len(found.uses) == 12
    assert {slot.gpu_uuid for slot in found.slots} == {"GPU-lab-1", "GPU-lab-3"}


def test_a_promise_within_a_decision_changes_a_copy() -> None:
    before = see([container("alice", [SLOTS["2"]])])
    after = before.with_reserved([SLOTS["3"]], "alice", "jupyter._.alice")
    assert taken(before) == {"2": SlotState.ALLOCATED}
    assert taken(after) == {"2": SlotState.ALLOCATED, "3": SlotState.RESERVED}
    assert after.containers_of("alice") == ("jupyter._.alice",)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["alice", "bob", "cem"]),
            st.lists(st.sampled_from(sorted(SLOTS)), max_size=3, unique=True),
            st.sampled_from(list(ContainerState)),
        ),
        max_size=6,
    ),
    st.lists(st.sampled_from(sorted(SLOTS)), max_size=4, unique=True),
)
def test_every_slot_has_one_state_and_none_that_is_used_is_free(
    made: list[tuple[str, list[str], ContainerState]], promised: list[str]
) -> None:
    containers = [
        container(
            user, [SLOTS[slot] for slot in slots], state, str(number), finished_at=FIVE_MINUTES_AGO
        )
        for number, (user, slots, state) in enumerate(made)
    ]
    found = see(containers, [reservation("dan", [SLOTS[slot] for slot in promised])])
    assert [use.slot for use in found.uses] == list(LAB.slots)
    used = {
        slot for _, slots, state in made if state is not ContainerState.CREATED for slot in slots
    }
    assert {slot.id for slot in found.free()} == set(SLOTS) - used - set(promised)


def test_who_has_a_slot_for_longer_is_told_by_starts_and_not_by_creation() -> None:
    """Made long ago and started late, without a label that says since when it has a GPU."""
    inventory = small_lab()
    slot = inventory.slots[0]
    training = replace(container("bob", [slot]), started_at=EPOCH)
    late = replace(
        container("alice", demand=DeviceDemand(count=-1)),
        created_at=EPOCH - timedelta(days=9),
        started_at=EPOCH + timedelta(minutes=1),
    )

    assert latecomers([late, training], inventory) == {late.id}


@pytest.mark.parametrize(
    ("said", "slots", "expected"),
    [
        pytest.param("0.1429", ("gone",), (0.1429,), id="one"),
        pytest.param("0.2858", ("gone", "gone-too"), (0.1429, 0.1429), id="two"),
        pytest.param("1.143", ("GPU-lab-2", "gone"), (1.0, 0.143), id="beside-one-that-is-there"),
        pytest.param("1", ("GPU-lab-2", "gone"), (1.0, 0.0), id="nothing-left"),
        pytest.param("nan", ("gone",), (0.0,), id="no-number"),
        pytest.param("inf", ("gone",), (1.0,), id="no-more-than-a-card"),
        pytest.param("", ("gone",), (0.0,), id="unsaid"),
    ],
)
def test_a_slot_that_is_not_listed_any_more_is_worth_what_the_labels_leave_for_it(
    said: str, slots: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    marks = {labels.GPU_UUIDS: ",".join(slots), labels.GPU_EQUIVALENTS: said}
    found = see([container("alice", extra=marks)])
    worth = {use.slot.uuid: use.slot.equivalents for use in found.of("alice")}
    assert tuple(worth[uuid] for uuid in slots) == pytest.approx(expected)
