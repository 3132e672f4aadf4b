import pytest

from ds01_spawner.domain.allocator import Granted, decide
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.strategies import STRATEGIES, least_allocated, pack
from fakes.facts import occupied
from fakes.probe import card, machine

TWO_CARDS = machine(card(0, "1g.5gb", "1g.5gb", "1g.5gb"), card(1, "1g.5gb", "1g.5gb", "1g.5gb"))
ASKER = Asker("zoe", "jupyter._.zoe", Limits(max_gpu_slots=9, max_gpu_slots_per_container=9))


def given(strategy: str, count: int, holders: dict[str, str]) -> list[str]:
    verdict = decide(
        GpuRequest.parse("mig", count), ASKER, occupied(TWO_CARDS, holders), STRATEGIES[strategy]
    )
    assert isinstance(verdict, Granted)
    return [slot.id for slot in verdict.slots]


@pytest.mark.parametrize(
    ("strategy", "holders", "expected"),
    [
        ("least_allocated", {}, ["0:0"]),
        ("pack", {}, ["0:0"]),
        ("least_allocated", {"0:0": "amy"}, ["1:0"]),
        ("pack", {"1:2": "amy"}, ["1:0"]),
        ("least_allocated", {"0:0": "amy", "1:0": "bob", "1:1": "cem"}, ["0:1"]),
        ("pack", {"0:0": "amy", "1:0": "bob", "1:1": "cem"}, ["1:2"]),
    ],
)
def test_spreads_or_packs(strategy: str, holders: dict[str, str], expected: list[str]) -> None:
    assert given(strategy, 1, holders) == expected


def test_the_slots_of_one_request_count_among_each_other() -> None:
    assert given("least_allocated", 2, {}) == ["0:0", "1:0"]
    assert given("pack", 2, {}) == ["0:0", "0:1"]
    assert given("least_allocated", 5, {"0:0": "amy"}) == ["0:1", "0:2", "1:0", "1:1", "1:2"]


def test_a_card_that_nothing_is_known_of_counts_as_empty() -> None:
    slot = TWO_CARDS.slots[0]
    assert least_allocated(slot, {}) == pack(slot, {}) == 0.0


def test_the_shipped_strategies_are_there_by_name() -> None:
    assert dict(STRATEGIES).items() >= {"least_allocated": least_allocated, "pack": pack}.items()
