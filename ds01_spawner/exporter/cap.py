"""A bound on how many people have rows of their own. Pure."""

from collections.abc import Collection, Iterable

from ds01_spawner.exporter.catalogue import CATALOGUE
from ds01_spawner.exporter.points import Distribution, Point

MOST_USERS = 500
OTHER = "other"
_USER, _GROUP = "user", "group"
_LIMIT = "_limit"
_FOLDED = "ds01_series_folded"
_CAPPED = {name: each.labels for name, each in CATALOGUE.items() if _USER in each.labels}


def capped(points: Iterable[Point], users: Collection[str], most: int = MOST_USERS) -> list[Point]:
    """The points, with those of all but the first `most` users summed in one, and how many.

    A limit is nobody's in common: those of the others are left out.

    Args:
        points: Of all parts.
        users: Those who matter most first; who is not among them is shown while there is room.
        most: How many are shown.
    """
    order = dict.fromkeys(users)
    shown = set(list(order)[:most])
    rest = set(list(order)[most:])
    kept: list[Point] = []
    sums: dict[tuple[str, tuple[str, ...]], float] = {}
    folded: dict[str, set[str]] = {name: set() for name in _CAPPED}
    for point in points:
        names = _CAPPED.get(point.name)
        if names is None or isinstance(point.value, Distribution):
            kept.append(point)
            continue
        user = point.labels[names.index(_USER)]
        if user not in shown and user not in rest:
            (shown if len(shown) < most else rest).add(user)
        if user in shown:
            kept.append(point)
            continue
        folded[point.name].add(user)
        if not point.name.endswith(_LIMIT):
            labels = tuple(
                OTHER if name in {_USER, _GROUP} else value
                for name, value in zip(names, point.labels, strict=True)
            )
            key = point.name, labels
            sums[key] = sums.get(key, 0.0) + point.value
    kept += [Point(name, labels, value) for (name, labels), value in sums.items()]
    kept += [Point(_FOLDED, (name,), len(who)) for name, who in folded.items()]
    return kept
