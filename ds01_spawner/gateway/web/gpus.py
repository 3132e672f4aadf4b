"""The page *GPUs*: every slot, whether it is free, and how busy it is."""

from collections import Counter
from collections.abc import Iterable, Mapping

from markupsafe import Markup

from ds01_spawner.client import models as m
from ds01_spawner.domain.wording import percent
from ds01_spawner.gateway.web.page import Facts, Page, Section, Visit
from ds01_spawner.gateway.web.sparkline import sparkline

STATES: Mapping[str, str] = {
    "free": "free",
    "reserved": "about to be used",
    "allocated": "in use",
    "held": "kept for whoever had it",
    "foreign": "used by other work",
    "unavailable": "not available",
}
"""A slot's state in words."""


async def _slots(visit: Visit) -> Facts:
    gpus = await visit.ask("listGpus", m.Gpus)
    return {
        "gpus": gpus,
        "sums": _sums(gpus.slots),
        "mine": sum(each.mine for each in gpus.slots),
        "rows": [
            {
                "slot": each,
                "state": STATES.get(each.state, each.state),
                "graph": _graph(visit, each.slot, gpus),
            }
            for each in gpus.slots
        ],
        "since": visit.utilisation.since,
    }


def _graph(visit: Visit, slot: str, gpus: m.Gpus) -> Markup | None:
    lines = visit.utilisation.points(slot, gpus.taken_at)
    if not lines:
        return None
    busy = [high for line in lines for _, high in line]
    words = f"{percent(sum(busy) / len(busy))} busy on average, {percent(max(busy))} at most"
    return Markup(sparkline(lines, words))  # noqa: S704 - figures, and words that it escapes


def _sums(slots: Iterable[m.GpuSlot]) -> list[tuple[str, int, int]]:
    """By size: what it is called, how many are free, and of how many."""
    every = Counter(size_of(each) for each in slots)
    free = Counter(size_of(each) for each in slots if each.state == "free")
    return [(size, free[size], every[size]) for size in sorted(every)]


def size_of(slot: m.GpuSlot) -> str:
    """`whole GPU`, or the profile of an instance."""
    if slot.profile is None:
        return "unknown size"
    return "whole GPU" if slot.profile == "full" else slot.profile


GPUS = Page(
    name="gpus",
    label="GPUs",
    title="GPUs",
    lead="Every GPU of the lab, whole or in parts, one line each.",
    sections=(Section("slots", "Now", _slots),),
)
