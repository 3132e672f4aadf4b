"""What pages say to people who know neither policy keys nor slots nor containers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import groupby
from operator import itemgetter

from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    Refused,
)
from ds01_spawner.domain.gpu import FULL_PROFILE, MigProfile
from ds01_spawner.domain.names import DEFAULT_SERVER
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.wording import about

UNNAMED = "My server"
"""As JupyterHub's own pages call it, too."""

_GIB = 1024**3
_STATES = {
    SlotState.ALLOCATED: "in use",
    SlotState.RESERVED: "being given out just now",
    SlotState.HELD: "kept for a stopped server",
    SlotState.FOREIGN: "used by other work",
    SlotState.UNAVAILABLE: "out of order",
    SlotState.FREE: "free, but too few or kept for somebody who waits longer",
}
_ASK = "Ask your administrator if you need one."


def refusal(error: DS01Error) -> str:
    """Why the hub says no, and what to do about it."""
    match error:
        case QuotaExceeded():
            return _quota(error)
        case NoCapacity() if error.place:
            return (
                f"Nothing of this size is free now. {queue_place(error.place)} "
                "Tick the box to wait, or choose another size."
            )
        case Refused() | Conflict() | NotFound():
            return str(error)
        case _:
            text = str(error)
            end = "" if text.endswith((".", "!", "?")) else "."
            return f"{text}{end} If trying again does not help, show this to your administrator."


def size_refusal(error: Refused) -> str:
    """Why a GPU size is greyed out."""
    if isinstance(error, Forbidden):
        return f"Whole GPUs are for other groups. {_ASK}"
    return refusal(error)


def _quota(error: QuotaExceeded) -> str:
    match error.limit:
        case "max_containers_per_user":
            return _servers(error)
        case "max_gpu_slots" | "max_gpu_slots_per_container":
            return _gpus(error)
        case "max_gpu_equivalents":
            left = share(error.allowed - error.used)
            used = f" ({listed(error.holders)} has the rest)" if error.holders else ""
            return f"Too large: you may have {left} of a GPU{used}. Choose a smaller one."
        case _:
            return str(error)


def _servers(error: QuotaExceeded) -> str:
    if not error.holders:
        return "Your group may not start servers here. Ask your administrator."
    return (
        f"You may run {counted(error.allowed, 'server')} at a time, and "
        f"{listed(error.holders)} {'runs' if len(error.holders) == 1 else 'run'} already. "
        "Stop one first."
    )


def _gpus(error: QuotaExceeded) -> str:
    if not error.allowed:
        return f"Your group has no GPUs. {_ASK}"
    if error.limit == "max_gpu_slots_per_container":
        return f"One server may have {counted(error.allowed, 'GPU')}."
    if not error.holders:
        return f"You may have {counted(error.allowed, 'GPU')} at a time."
    return (
        f"You may have {counted(error.allowed, 'GPU')} at a time, and {listed(error.holders)} "
        f"{'has' if len(error.holders) == 1 else 'have'} {error.used:g}. "
        "Stop one of your servers first."
    )


def busy(states: Mapping[SlotState, int]) -> str:
    """Why nothing is free: `5 in use, 2 kept for a stopped server.` Empty when nothing is known."""
    found = ", ".join(f"{states[state]} {_STATES[state]}" for state in _STATES if states.get(state))
    return f"{found}." if found else ""


def memory(size: int) -> str:
    """`16 GB`, `1.5 TB`, `512 MB`: binary units by the names that people use."""
    for unit, name in ((1024**4, "TB"), (_GIB, "GB"), (1024**2, "MB")):
        if size >= unit:
            return f"{round(size / unit, 1):g} {name}"
    return f"{size} bytes"


def gpu_memory(profile: str, size: int) -> str:
    """A slot's memory as NVIDIA names it: `10 GB` for `2g.10gb`, which has 9.75 GiB."""
    parsed = MigProfile.parse(profile)
    return f"{parsed.memory_gb if parsed else round(size / _GIB)} GB"


def gpu_title(profile: str, size: int) -> str:
    """What the slot is, for somebody who never heard of MIG."""
    whole = profile == FULL_PROFILE
    return f"{'Whole GPU' if whole else 'Part of a GPU'}, {gpu_memory(profile, size)} memory"


def age(duration: timedelta) -> str:
    """`built today`, `built yesterday`, `built 3 weeks ago`: as exact as it matters."""
    days = duration // timedelta(days=1)
    if days < 1:
        return "built today"
    if days == 1:
        return "built yesterday"
    for length, noun in ((365, "year"), (30, "month"), (7, "week")):
        if days >= 2 * length:
            return f"built {days // length} {noun}s ago"
    return f"built {days} days ago"


def share(equivalents: float) -> str:
    """`3/7`; `no part` for nothing."""
    fraction = Fraction(max(equivalents, 0.0)).limit_denominator(16)
    return str(fraction) if fraction else "no part"


def titled(name: str) -> str:
    """What its owner calls a server or a container: the unnamed server is `My server`."""
    return UNNAMED if name == DEFAULT_SERVER else name


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`, in alphabetical order."""
    *rest, last = map(titled, sorted(names) or ("",))
    return f"{', '.join(rest)} and {last}" if rest else last


def queue_place(place: int) -> str:
    """Where somebody who asks now would stand, as a sentence."""
    if place == 1:
        return "You would be first in the queue."
    before = counted_people(place - 1)
    return f"You would be number {place} in the queue, with {before} before you."


def waits(waits: Sequence[timedelta | None]) -> str:
    """How long one waits for so many GPUs: `about 2 hours`, `none for 1, about 1 hour for 2 or 3`.

    Empty where nobody waits, and where nothing is known.

    Args:
        waits: For one, for two and so on: 0 is at once, `None` is not known.
    """
    if not any(waits):
        return ""
    said = ["not known" if each is None else about(each) if each else "none" for each in waits]
    if len(set(said)) == 1:
        return said[0]
    groups = [
        (words, [count for count, _ in found])
        for words, found in groupby(enumerate(said, 1), key=itemgetter(1))
    ]
    return ", ".join(f"{words} for {_from_to(counts)}" for words, counts in groups)


def _from_to(counts: Sequence[int]) -> str:
    first, last = counts[0], counts[-1]
    if first == last:
        return str(first)
    return f"{first} {'or' if last == first + 1 else 'to'} {last}"


def people_wait(count: int) -> str:
    """`1 person waits`, `3 people wait`."""
    return f"{counted_people(count)} {'waits' if count == 1 else 'wait'}"


def counted_people(count: int) -> str:
    """`1 person`, `3 people`."""
    return "1 person" if count == 1 else f"{count} people"


def counted(number: float, noun: str) -> str:
    """`1 server`, `3 servers`."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"
