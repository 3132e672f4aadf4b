from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.allocation import Ticket, UsageInterval
from ds01_spawner.domain.allocator import Granted, NothingFree, Rejected
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.queue import (
    MAX_OVERTAKEN,
    TICKET_LIFETIME,
    Standing,
    alive,
    overtaken_by,
    ranked,
    recent_usage,
    serve,
)
from ds01_spawner.domain.quota import acceptable
from ds01_spawner.domain.strategies import least_allocated
from fakes.clock import EPOCH
from fakes.facts import occupied, ticket
from fakes.probe import card, machine

ANYTHING = Limits(
    max_gpu_slots=None,
    max_gpu_slots_per_container=None,
    max_gpu_equivalents=None,
    allow_full_gpu=True,
    max_containers_per_user=None,
)
MICRO = timedelta(microseconds=1)
TWO_WHOLE = machine(card(0), card(1))
MIXED = machine(card(0, "1g.5gb", "1g.5gb"), card(1), card(2))


def full_but(inventory: Inventory, *free: str) -> Occupancy:
    holders = {slot.id: f"h{slot.id}" for slot in inventory.slots if slot.id not in free}
    return occupied(inventory, holders)


def standings(
    tickets: Iterable[Ticket],
    occupancy: Occupancy,
    usage: dict[str, float] | None = None,
    limits: dict[str, Limits] | None = None,
) -> tuple[Standing, ...]:
    def limits_of(user: str) -> Limits:
        return (limits or {}).get(user, ANYTHING)

    return serve(tuple(tickets), usage or {}, occupancy, limits_of, least_allocated)


def users(tickets: Iterable[Ticket]) -> list[str]:
    return [entry.user for entry in tickets]


def places(found: Iterable[Standing]) -> dict[str, tuple[int, int]]:
    return {entry.ticket.user: (entry.place, entry.length) for entry in found}


def test_rank_is_by_priority_then_by_recent_use_then_by_arrival() -> None:
    waiting = [
        ticket("late", arrival=9),
        ticket("early", arrival=1),
        ticket("heavy", arrival=0),
        ticket("important", priority=60, arrival=10),
    ]
    assert users(ranked(waiting, {"heavy": 3600.0, "early": 0.2, "important": 1e9})) == [
        "important",
        "early",
        "late",
        "heavy",
    ]


def test_who_was_passed_over_often_enough_goes_to_the_front_by_arrival() -> None:
    waiting = [
        ticket("important", priority=90),
        ticket("second", overtaken=MAX_OVERTAKEN + 2, arrival=5),
        ticket("first", overtaken=MAX_OVERTAKEN, arrival=4),
        ticket("nearly", overtaken=MAX_OVERTAKEN - 1, arrival=0),
    ]
    assert users(ranked(waiting, {})) == ["first", "second", "important", "nearly"]


def test_the_order_does_not_depend_on_the_order_of_the_ledger() -> None:
    waiting = [ticket(name, arrival=1) for name in "cab"]
    assert users(ranked(waiting, {})) == users(ranked(waiting[::-1], {})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (timedelta(hours=1), timedelta(0), 3600 * 0.98568),
        (timedelta(days=1), None, 86400 * 0.72135),
        (timedelta(days=2), timedelta(days=1), 86400 * 0.36067),
        (timedelta(hours=-1), None, 0.0),
        (timedelta(hours=1), timedelta(hours=2), 0.0),
    ],
    ids=["the last hour", "still going", "a day ago", "in the future", "backwards"],
)
def test_use_is_halved_for_each_day_of_age(
    since: timedelta, until: timedelta | None, expected: float
) -> None:
    end = None if until is None else EPOCH - until
    interval = UsageInterval("c", "GPU", "amy", 1.0, EPOCH - since, end)
    assert recent_usage([interval], EPOCH)["amy"] == pytest.approx(expected, rel=1e-4)


def test_use_is_added_up_per_person_by_share_of_a_gpu() -> None:
    hour = EPOCH - timedelta(hours=1)
    whole = UsageInterval("c", "GPU", "amy", 1.0, hour)
    part = UsageInterval("d", "MIG", "amy", 0.5, hour)
    other = UsageInterval("e", "MIG", "bob", 0.5, hour)
    usage = recent_usage([whole, part, other], EPOCH)
    assert usage["amy"] == pytest.approx(3 * usage["bob"])


@pytest.mark.parametrize(
    ("seen_before", "lives"),
    [
        (timedelta(0), True),
        (TICKET_LIFETIME - MICRO, True),
        (TICKET_LIFETIME, False),
        (timedelta(hours=-1), False),
        (timedelta(seconds=-1), True),
    ],
    ids=["now", "just", "too long ago", "clock was set back", "clock was set back a little"],
)
def test_a_ticket_lives_as_long_as_its_process_says_that_it_waits(
    seen_before: timedelta, lives: bool
) -> None:
    entry = ticket("amy")
    assert (alive([entry], EPOCH + seen_before) == (entry,)) is lives


def test_the_first_in_rank_is_served_and_the_next_told_why_not() -> None:
    found = standings(
        [ticket("bob", "full", arrival=2), ticket("amy", "full", arrival=1)],
        full_but(TWO_WHOLE, "1"),
    )
    assert found[0].ticket.user == "amy"
    assert found[0].verdict == Granted((TWO_WHOLE.slots[1],))
    assert (found[0].place, found[0].length) == (0, 0)
    assert found[1].verdict == NothingFree(
        "Of 2 slots that would do: 1 in use, 1 just being given."
    )
    assert (found[1].place, found[1].length) == (1, 1)


def test_places_are_among_those_who_compete_for_the_same_slots() -> None:
    waiting = [
        ticket("amy", "full", arrival=1),
        ticket("bob", "1g.5gb", arrival=2),
        ticket("cem", "full", arrival=3),
        ticket("dan", "5gb", arrival=4),
        ticket("eve", "1g.5gb", arrival=5),
    ]
    assert places(standings(waiting, full_but(MIXED))) == {
        "amy": (1, 3),
        "bob": (1, 3),
        "cem": (2, 3),
        "dan": (4, 5),
        "eve": (3, 3),
    }


def test_somebody_behind_is_served_first_with_what_does_not_help_those_ahead() -> None:
    waiting = [ticket("big", "full", 2, arrival=1), ticket("small", "1g.5gb", arrival=2)]
    found = {entry.ticket.user: entry for entry in standings(waiting, full_but(MIXED, "0:0", "1"))}
    assert isinstance(found["big"].verdict, NothingFree)
    assert found["small"].verdict == Granted((MIXED.slots[0],))


def test_slots_are_kept_for_who_was_passed_over_often_enough() -> None:
    waiting = [
        ticket("big", "full", 2, overtaken=MAX_OVERTAKEN),
        ticket("small", "full", priority=90),
        ticket("other", "1g.5gb"),
    ]
    found = {entry.ticket.user: entry for entry in standings(waiting, full_but(MIXED, "0:0", "1"))}
    assert isinstance(found["small"].verdict, NothingFree)
    assert "kept for somebody who waits longer" in found["small"].verdict.reason
    assert isinstance(found["other"].verdict, Granted)


def test_whose_quota_was_used_up_meanwhile_is_told_and_holds_up_nobody() -> None:
    one = Limits(max_gpu_slots=1, allow_full_gpu=True, max_gpu_equivalents=None)
    occupancy = occupied(TWO_WHOLE, {"0": "amy/thesis"})
    found = standings(
        [ticket("amy", "full", arrival=1), ticket("bob", "full", arrival=2)],
        occupancy,
        limits={"amy": one},
    )
    assert isinstance(found[0].verdict, Rejected)
    assert found[1].verdict == Granted((TWO_WHOLE.slots[1],))


def test_who_restarts_is_served_from_their_own_hold_though_others_wait() -> None:
    occupancy = occupied(TWO_WHOLE, {"0": "amy", "1": "bob"}, states={"0": SlotState.HELD})
    waiting = [ticket("cem", "full", overtaken=MAX_OVERTAKEN), ticket("amy", "full", arrival=9)]
    found = {entry.ticket.user: entry for entry in standings(waiting, occupancy)}
    assert isinstance(found["cem"].verdict, NothingFree)
    assert found["amy"].verdict == Granted((TWO_WHOLE.slots[0],))


def test_those_who_were_there_earlier_or_rank_higher_are_passed() -> None:
    served = ticket("served", "full", arrival=5)
    waiting = [
        ticket("higher", "full", 2, priority=90, arrival=9),
        ticket("earlier", "full", 2, priority=1, arrival=1),
        ticket("later", "full", 2, priority=1, arrival=9),
        ticket("unsuited", "1g.5gb", priority=90, arrival=1),
        served,
    ]
    found = standings(waiting, full_but(MIXED, "1"))
    slots = (MIXED.slots[2],)
    passed = overtaken_by(served, slots, found, lambda _user: ANYTHING)
    assert {entry.user: entry.overtaken for entry in passed} == {"higher": 1, "earlier": 1}
    assert overtaken_by(served, (), found, lambda _user: ANYTHING) == ()


class Hall:
    """A machine, a queue, and nothing else: whoever asks is answered as admission would."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.holders: dict[str, str] = {}
        self.tickets: dict[str, Ticket] = {}
        self.arrivals = 0
        self.passed: dict[str, int] = {}

    @property
    def occupancy(self) -> Occupancy:
        return occupied(self.inventory, self.holders)

    def arrive(self, gpu: str, count: int, priority: int) -> None:
        self.arrivals += 1
        user = f"p{self.arrivals:03}"
        self.tickets[user] = ticket(user, gpu, count, priority, self.arrivals)
        self.passed[user] = 0
        self.ask(user)

    def ask(self, user: str) -> None:
        found = standings(self.tickets.values(), self.occupancy)
        mine = next(entry for entry in found if entry.ticket.user == user)
        if not isinstance(mine.verdict, Granted):
            return
        slots = mine.verdict.slots
        for entry in overtaken_by(mine.ticket, slots, found, lambda _user: ANYTHING):
            self.tickets[entry.user] = entry
        for standing in found:
            other = standing.ticket
            is_earlier = other.created_at < mine.ticket.created_at
            # Who could have had slots at this moment, and did not ask, was not passed over.
            is_stuck = isinstance(standing.verdict, NothingFree)
            if is_earlier and is_stuck and acceptable(other.gpu, ANYTHING, slots):
                self.passed[other.user] += 1
        del self.tickets[user]
        self.holders |= {slot.id: user for slot in slots}

    def leave(self, user: str) -> None:
        self.holders = {slot: who for slot, who in self.holders.items() if who != user}


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("arrive"),
            st.sampled_from(["full", "1g.5gb", "5gb", "mig"]),
            st.integers(1, 2),
            st.sampled_from([0, 50, 100]),
        ),
        st.tuples(st.just("leave"), st.integers(0, 3)),
        st.tuples(st.just("ask"), st.integers(0, 30)),
    ),
    min_size=40,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_nobody_is_passed_by_later_arrivals_more_often_than_promised(
    moves: list[tuple[object, ...]],
) -> None:
    hall = Hall(MIXED)
    for move in moves:
        match move:
            case ("arrive", str(gpu), int(count), int(priority)):
                hall.arrive(gpu, count, priority)
            case ("leave", int(number)):
                present = sorted(set(hall.holders.values()))
                if number < len(present):
                    hall.leave(present[number])
            case ("ask", int(number)):
                waiting = sorted(hall.tickets)
                if number < len(waiting):
                    hall.ask(waiting[number])
        assert not [
            user
            for user, entry in hall.tickets.items()
            if hall.passed[user] > MAX_OVERTAKEN and not isinstance(_verdict(hall, entry), Granted)
        ]


def _verdict(hall: Hall, entry: Ticket) -> object:
    found = standings(hall.tickets.values(), hall.occupancy)
    return next(each.verdict for each in found if each.ticket.id == entry.id)


@pytest.mark.parametrize("priority", [0, 100])
def test_a_large_request_is_served_after_a_bounded_number_of_small_ones(priority: int) -> None:
    hall = Hall(TWO_WHOLE)
    hall.arrive("full", 1, 50)
    hall.arrive("full", 1, 50)
    hall.arrive("full", 2, priority)
    large = "p003"
    for _ in range(3 * MAX_OVERTAKEN):
        if large not in hall.tickets:
            break
        hall.arrive("full", 1, 90)
        hall.leave(min(hall.holders.values()))
        for user in sorted(hall.tickets, reverse=True):
            if user in hall.tickets:
                hall.ask(user)
    assert large not in hall.tickets
    assert set(hall.holders.values()) == {large}
    assert hall.passed[large] <= MAX_OVERTAKEN


def test_who_goes_first_is_served_as_soon_as_their_slots_are_free() -> None:
    hall = Hall(TWO_WHOLE)
    hall.arrive("full", 1, 50)
    hall.arrive("full", 1, 50)
    hall.tickets["big"] = ticket("big", "full", 2, arrival=3, overtaken=MAX_OVERTAKEN)
    hall.passed["big"] = 0
    hall.leave("p001")
    hall.ask("big")
    assert "big" in hall.tickets
    hall.arrive("full", 1, 100)
    hall.leave("p002")
    hall.ask("big")
    assert set(hall.holders.values()) == {"big"}
