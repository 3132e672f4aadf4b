"""A bound on how many people have rows of their own. Pure."""

from collections.abc import Iterable

from ds01_spawner.exporter.catalogue import CATALOGUE
from ds01_spawner.exporter.points import Distribution, Point
from ds01_spawner.exporter.words import OTHER, UNKNOWN

MOST_USERS = 500
_USER, _GROUP = "user", "group"
_LIMIT = "_limit"
_MOMENT = "_timestamp_seconds"
_FOLDED = "ds01_series_folded"
_CAPPED = {
    name: each.labels.index(_USER) for name, each in CATALOGUE.items() if _USER in each.labels
}
"""Where the user is among the labels."""


def capped(points: Iterable[Point], users: Iterable[str], most: int = MOST_USERS) -> list[Point]:
    """The points, with those of all but the first `most` users summed in one, and how many.

    A limit is nobody's in common: those of the others are left out. Of moments the earliest is
    told. What is nobody's (`unknown`) stays so.

    Args:
        points: Of all parts.
        users: Those who matter most first, as they are labelled; who is not among them is shown
            while there is room.
        most: How many are shown.
    """
    order = dict.fromkeys(users)
    shown = set(list(order)[:most])
    rest = set(list(order)[most:])
    room = most - len(shown)
    shown.add(UNKNOWN)
    kept: list[Point] = []
    sums: dict[tuple[str, tuple[str, ...]], float] = {}
    folded: dict[str, set[str]] = {name: set() for name in _CAPPED}
    for point in points:
        name, labels, value = point
        place = _CAPPED.get(name)
        if place is None or labels[place] in shown or isinstance(value, Distribution):
            kept.append(point)
            continue
        user = labels[place]
        if user != OTHER:  # what another installation has is nobody's here
            if user not in rest and room > 0:
                room -= 1
                shown.add(user)
                kept.append(point)
                continue
            rest.add(user)
            folded[name].add(user)
        if not name.endswith(_LIMIT):
            key = name, _of_others(name, labels)
            sums[key] = _together(name, sums[key], value) if key in sums else value
    kept += [(name, labels, value) for (name, labels), value in sums.items()]
    kept += [(_FOLDED, (name,), len(who)) for name, who in folded.items()]
    return kept


def _together(name: str, one: float, other: float) -> float:
    return min(one, other) if name.endswith(_MOMENT) else one + other


def _of_others(name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        OTHER if label in {_USER, _GROUP} else value
        for label, value in zip(CATALOGUE[name].labels, labels, strict=True)
    )
