"""GPU sizes that somebody may have: what the server has, without what the policy refuses them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import error_of
from ds01_spawner.client.words import wait_words
from ds01_spawner.domain.gpu import FULL_PROFILE, UNKNOWN_PROFILE
from ds01_spawner.domain.wording import size as size_words

NONE = "none"
"""The size of no GPU at all."""

_LARGEST_PART = 8


@dataclass(frozen=True, slots=True)
class GpuOffer:
    """One size.

    Attributes:
        size: As it is asked for: a profile, `full`, or `none`.
        title: For people.
        most: How many of them one server may have.
        refused: Why it cannot be had now; empty where it can, at once or after a wait.
        place: The place in the queue that asking now would give; 0 for none.
        wait: How long one would likely wait, by how many; empty where not, or not known.
    """

    size: str
    title: str
    most: int = 1
    refused: str = ""
    place: int = 0
    wait: str = ""


@dataclass(frozen=True, slots=True)
class Free:
    """How much of one size there is.

    Attributes:
        size: Of the offer.
        title: For people.
        free: How many can be had now.
        total: How many there are.
    """

    size: str
    title: str
    free: int
    total: int


def read_offers(client: Client, gpus: m.Gpus) -> tuple[GpuOffer, ...]:
    """What the person who asks may have: no GPU first, then from the smallest size on.

    Args:
        client: Of whom it is asked.
        gpus: What the server has.
    """
    titles = {size: title_of(same[0]) for size, same in _by_size(gpus).items()}
    titles[NONE] = "No GPU"
    sizes = client.server_options().sizes
    return tuple(_offer(each, titles[each.size]) for each in sizes if each.size in titles)


def free_of(gpus: m.Gpus, offers: Iterable[GpuOffer]) -> tuple[Free, ...]:
    """How much there is of what is offered."""
    slots = _by_size(gpus)
    offered = {each.size for each in offers}
    states = {size: Counter(slot.state for slot in same) for size, same in slots.items()}
    return tuple(
        Free(size, title_of(same[0]), states[size]["free"], len(same))
        for size, same in slots.items()
        if size in offered
    )


def title_of(slot: m.GpuSlot) -> str:
    """What a slot is, for people: `GPU with 5 GB (1g.5gb, 1/7 of a GPU)`."""
    memory = "" if slot.memory_bytes is None else f" with {size_words(slot.memory_bytes)}"
    if slot.profile == FULL_PROFILE:
        return f"Whole GPU{memory}"
    share = "" if slot.equivalents is None else f", {_share(slot.equivalents)} of a GPU"
    return f"GPU{memory} ({slot.profile}{share})"


def _share(equivalents: float) -> str:
    return str(Fraction(equivalents).limit_denominator(_LARGEST_PART))


def _by_size(gpus: m.Gpus) -> dict[str, list[m.GpuSlot]]:
    """Slots that servers may have, by size, the smallest first."""
    found: dict[str, list[m.GpuSlot]] = {}
    for slot in sorted(gpus.slots, key=lambda each: each.equivalents or 0.0):
        if slot.use != "batch" and slot.profile not in {None, UNKNOWN_PROFILE}:
            found.setdefault(str(slot.profile), []).append(slot)
    return found


def _offer(size: m.ServerSize, title: str) -> GpuOffer:
    refused = "" if size.refused is None else str(error_of(size.refused))
    return GpuOffer(size.size, title, size.most, refused, size.place, wait_words(size))
