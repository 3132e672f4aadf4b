"""What somebody used since there are books: counters that never fall. Pure.

Whole numbers are added up by the size of slots, and each sum is weighed once. So a total is the
same however finely it is kept, and none falls because something was put together.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ds01_spawner.domain.usage import Holder


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What somebody used since there are books.

    Attributes:
        user: Who.
        group: Their policy group then; empty where nobody said.
        held_microseconds: Slots were held.
        equivalent_microseconds: The same, each slot as its share of a whole GPU.
        measured_microseconds: The driver told how busy they were.
        busy_microseconds: Of that, they computed.
        energy_millijoules: What the cards took meanwhile, as far as they told.
        measured_millijoules: Of that, what was taken by slots of sizes that tell how busy they are.
        rated_millijoules: Of the energy, for how much it was known what it emits.
        co2e_micrograms: And that is what it emitted.
    """

    user: str
    group: str
    held_microseconds: int = 0
    equivalent_microseconds: int = 0
    measured_microseconds: int = 0
    busy_microseconds: int = 0
    energy_millijoules: int = 0
    measured_millijoules: int = 0
    rated_millijoules: int = 0
    co2e_micrograms: int = 0


TotalPart = tuple[Holder, Sequence[int]]
"""Amounts of a holder, in the order of `TOTALLED`."""

TOTALLED = (
    "held_microseconds",
    "measured_microseconds",
    "busy_microseconds",
    "energy_millijoules",
    "rated_millijoules",
    "co2e_micrograms",
)
"""The amounts that totals are made of."""


def totals(parts: Iterable[TotalPart]) -> tuple[UsageTotal, ...]:
    """What everybody used: one for each person and group.

    Args:
        parts: A holder may come several times.
    """
    by_size: dict[tuple[str, str], dict[tuple[str, float], list[int]]] = defaultdict(dict)
    for holder, amounts in parts:
        sizes = by_size[holder.user, holder.group]
        size = holder.profile, holder.gpu_equivalents
        before = sizes.get(size)
        both = amounts if before is None else map(sum, zip(before, amounts, strict=True))
        sizes[size] = [*both]
    return tuple(_total(*who, sizes) for who, sizes in by_size.items())


def _total(user: str, group: str, sizes: dict[tuple[str, float], list[int]]) -> UsageTotal:
    held: dict[float, int] = defaultdict(int)
    told = 0
    for (_, equivalents), (held_here, measured_here, _, energy_here, *_) in sizes.items():
        held[equivalents] += held_here
        told += energy_here if measured_here else 0
    weighed = sum(round(amount * Fraction(weight)) for weight, amount in held.items())
    whole, measured, busy, energy, rated, co2e = map(sum, zip(*sizes.values(), strict=True))
    return UsageTotal(user, group, whole, weighed, measured, busy, energy, told, rated, co2e)
