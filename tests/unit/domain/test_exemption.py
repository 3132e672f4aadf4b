from datetime import timedelta
from itertools import permutations

import pytest

from ds01_spawner.domain.exemption import Exemption, exempted
from ds01_spawner.domain.work import Rule
from fakes.clock import EPOCH

DAY = timedelta(days=1)
BOTH = frozenset({Rule.IDLE, Rule.RUNTIME})


def entry(
    user: str = "alice",
    container: str | None = None,
    rules: frozenset[Rule] = BOTH,
    until: timedelta = DAY,
) -> Exemption:
    return Exemption(user, container, rules, EPOCH + until, "thesis", "exemptions.yaml:3")


@pytest.mark.parametrize(
    ("exemption", "is_in_force"),
    [
        (entry(), True),
        (entry(container="thesis"), True),
        (entry(container="jupyter"), False),
        (entry(user="bob"), False),
        (entry(user="Alice"), False),
        (entry(rules=frozenset({Rule.IDLE})), True),
        (entry(rules=frozenset({Rule.RUNTIME})), False),
        (entry(rules=frozenset()), False),
        (entry(until=timedelta(microseconds=1)), True),
        (entry(until=timedelta(0)), False),
        (entry(until=-DAY), False),
    ],
    ids=[
        "all of theirs",
        "this one",
        "another of theirs",
        "somebody else",
        "another spelling",
        "this limit",
        "another limit",
        "no limit",
        "about to end",
        "ends now",
        "over",
    ],
)
def test_an_exemption_is_for_a_person_a_container_a_limit_and_a_time(
    exemption: Exemption, is_in_force: bool
) -> None:
    found = exempted([exemption], "alice", "thesis", Rule.IDLE, EPOCH)
    assert found == (exemption if is_in_force else None)


def test_nobody_is_exempted_by_no_entry() -> None:
    assert exempted([], "alice", "thesis", Rule.IDLE, EPOCH) is None


def test_the_one_that_lasts_longest_holds_in_whatever_order() -> None:
    entries = [entry(), entry(container="thesis", until=3 * DAY), entry(until=2 * DAY)]
    for order in permutations(entries):
        assert exempted(order, "alice", "thesis", Rule.RUNTIME, EPOCH) == entries[1]
        assert exempted(order, "alice", "jupyter", Rule.RUNTIME, EPOCH) == entries[2]
