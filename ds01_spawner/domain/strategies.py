"""Which of several equally good slots is given: the one file to change for another strategy.

A strategy is a function from a free slot and the state of the cards to a sort key; the slot with
the smallest key is given. Slots are compared only with slots of the same size: the smallest size
that satisfies a request is chosen before any strategy is asked. To add one, write the function,
name it in `STRATEGIES`, and test it in `tests/unit/domain/test_strategies.py`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ds01_spawner.domain.gpu import Slot

GpuLoad = Mapping[str, float]
"""GPU-equivalents in use on each card, by GPU UUID."""

Strategy = Callable[[Slot, GpuLoad], float]


def least_allocated(slot: Slot, load: GpuLoad) -> float:
    """Prefers the card with the least in use, so that work is spread over cards."""
    return load.get(slot.gpu_uuid, 0.0)


def pack(slot: Slot, load: GpuLoad) -> float:
    """Prefers the card with the most in use, so that other cards stay whole."""
    return -load.get(slot.gpu_uuid, 0.0)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {"least_allocated": least_allocated, "pack": pack}
)
