from dataclasses import replace

import pytest

from ds01_spawner.domain.allocator import NothingFree
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState, SlotUse
from ds01_spawner.domain.offer import Offer, SizeOffer, make_offer
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.quota import Asker
from fakes.facts import occupied, ticket
from fakes.probe import card, machine, small_lab

LAB = small_lab()
STUDENT = Limits(max_gpu_slots=2, max_gpu_slots_per_container=2, max_gpu_equivalents=None)


def offer(occupancy: Occupancy, limits: Limits = STUDENT, *waiting: Standing) -> Offer:
    return make_offer(Asker("zoe", "jupyter._.zoe", limits), occupancy, waiting)


def size(found: Offer, name: str) -> SizeOffer:
    return next(each for each in found.sizes if each.size == name)


def test_every_size_is_there_without_a_gpu_first_then_the_smallest() -> None:
    found = offer(occupied(LAB))
    assert [(each.size, each.free, each.total) for each in found.sizes] == [
        ("none", 0, 0),
        ("1g.5gb", 7, 7),
        ("2g.10gb", 2, 2),
        ("3g.20gb", 1, 1),
        ("full", 2, 2),
    ]


def test_what_is_not_allowed_says_why_and_what_to_do() -> None:
    whole = size(offer(occupied(LAB)), "full")
    assert whole.refusal == "Whole GPUs are not part of your limits (allow_full_gpu is false)."
    assert whole.next_step == "Choose a MIG slot, or ask an administrator."
    assert size(offer(occupied(LAB)), "1g.5gb").refusal == ""


def test_what_is_used_up_says_by_which_containers() -> None:
    occupancy = occupied(LAB, {"0:2": "zoe/thesis", "0:3": "zoe/notes"})
    found = offer(occupancy)
    assert (found.slots_used, found.containers_used) == (2, 2)
    assert size(found, "1g.5gb").refusal == "2 of 2 GPU slots in use (thesis, notes)."
    assert size(found, "none").refusal == ""


@pytest.mark.parametrize(
    ("state", "free"),
    [
        (SlotState.HELD, 7),
        (SlotState.RESERVED, 7),
        (SlotState.ALLOCATED, 7),
    ],
)
def test_what_the_server_itself_has_is_free_for_its_restart(state: SlotState, free: int) -> None:
    found = offer(occupied(LAB, {"0:2": "zoe"}, states={"0:2": state}))
    assert size(found, "1g.5gb").free == free
    assert found.slots_used == 0


def test_what_others_have_is_not_free() -> None:
    states = {"0:2": SlotState.HELD, "0:3": SlotState.FOREIGN, "0:4": SlotState.UNAVAILABLE}
    found = offer(occupied(LAB, dict.fromkeys(states, "amy"), states=states))
    assert size(found, "1g.5gb").free == 4
    assert size(found, "1g.5gb").total == 7


def test_those_who_wait_are_counted_at_every_size_that_would_do_for_them() -> None:
    waiting = [
        Standing(ticket("amy", "mig"), NothingFree(""), 1, 2),
        Standing(ticket("bob", "full"), NothingFree(""), 1, 1),
        Standing(ticket("cem", "2g.10gb"), NothingFree(""), 0, 0),
    ]
    found = offer(occupied(LAB), STUDENT, *waiting)
    assert {each.size: each.waiting for each in found.sizes} == {
        "none": 0,
        "1g.5gb": 1,
        "2g.10gb": 1,
        "3g.20gb": 1,
        "full": 1,
    }


@pytest.mark.parametrize(
    ("limits", "holders", "count"),
    [
        (Limits(max_gpu_slots=1), {}, 1),
        (Limits(max_gpu_slots=4, max_gpu_slots_per_container=3), {}, 3),
        (Limits(max_gpu_slots=4, max_gpu_slots_per_container=None), {"0:2": "zoe/thesis"}, 3),
        (Limits(max_gpu_slots=0), {}, 1),
        (Limits(max_gpu_slots=None, max_gpu_slots_per_container=None), {}, 8),
    ],
    ids=["one", "per container", "what is left", "none left", "unlimited"],
)
def test_the_form_offers_no_more_slots_than_may_be_had(
    limits: Limits, holders: dict[str, str], count: int
) -> None:
    assert offer(occupied(LAB, holders), limits).max_count == count


def test_the_count_of_a_size_is_bounded_by_how_many_there_are() -> None:
    limits = Limits(max_gpu_slots=4, max_gpu_slots_per_container=4, max_gpu_equivalents=None)
    found = offer(occupied(LAB), limits)
    assert size(found, "2g.10gb").max_count == 2
    assert size(found, "1g.5gb").max_count == 4


def test_cards_for_batch_work_and_cards_never_read_are_not_offered() -> None:
    inventory = machine(card(0, "1g.5gb"), card(1))
    unknown = SlotUse(Slot("4", "", "", 4, "unknown", 0, 0.0), SlotState.UNAVAILABLE)
    occupancy = occupied(inventory, excluded=["GPU-lab-1"])
    found = offer(replace(occupancy, uses=(*occupancy.uses, unknown)))
    assert [each.size for each in found.sizes] == ["none", "1g.5gb"]
