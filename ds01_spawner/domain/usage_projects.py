"""How many names of projects the books keep for ever. Pure.

Anybody may call a container's project anything, and days are kept for ever. So of one person's
month of days only so many names are kept; what is beyond them is added up under `OTHER`. No total
of a person, a group, a door or a size of slot changes by it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ds01_spawner.domain.usage import Booking, Grain, Holder

MOST_PROJECTS = 50
"""Names of one person in a month of days: more than anybody works on, and so few that a person who
makes up a name for each container adds no more to the books than fifty who do not."""

OTHER = "(other)"
"""What is kept without its name; no project can be called so, because of the brackets."""

Place = tuple[str, datetime]
"""A person, and when a month began."""

Names = Mapping[Place, Collection[str]]


def month_of(moment: datetime) -> datetime:
    """When the month of `moment` began, by UTC."""
    return Grain.DAY.begin_of(moment).replace(day=1)


def with_few_names(
    bookings: Iterable[Booking], known: Names, most: int = MOST_PROJECTS
) -> tuple[Booking, ...]:
    """The same amounts; what is beyond the names that are kept is `OTHER`'s.

    Names that a month has already stay. Of new ones those that held slots for longest are kept.

    Args:
        bookings: What is about to be kept as days.
        known: The names that are kept as days already.
        most: How many a person has in a month.
    """
    every = tuple(bookings)
    held: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in every:
        held[_place(each)][each.holder.project] += each.amount.held_microseconds
    kept = {place: _kept(names, known.get(place, ()), most) for place, names in held.items()}
    return tuple(
        each
        if each.holder.project in kept[_place(each)]
        else replace(each, holder=replace(each.holder, project=OTHER))
        for each in every
    )


def together(holders: Iterable[Holder]) -> Iterable[str]:
    """What a reader of projects has to know of them."""
    if any(each.project == OTHER for each in holders):
        yield (
            f"{OTHER} is no project: where somebody has more than {MOST_PROJECTS} in a month, "
            "what the rest of them used is kept together."
        )


def _place(booking: Booking) -> Place:
    return booking.holder.user, month_of(booking.begin)


def _kept(held: Mapping[str, int], known: Collection[str], most: int) -> set[str]:
    """Names that are kept: to say none is no name, and `OTHER` neither."""
    unnamed = {"", OTHER}
    names = set(known) - unnamed
    new = sorted(set(held) - names - unnamed, key=lambda name: (-held[name], name))
    return unnamed | names | set(new[: max(most - len(names), 0)])
