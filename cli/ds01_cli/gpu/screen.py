"""The dashboard's screen, from what was seen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ds01_cli.container.outlook import when, when_unused
from ds01_cli.frame.printing import bar
from ds01_cli.gpu.look import Look
from ds01_cli.gpu.tables import (
    ELSEWHERE,
    STYLES,
    is_free,
    left_words,
    memory_words,
    span_words,
    state_words,
)
from ds01_spawner.client import models as m
from ds01_spawner.domain.gpu import FULL_PROFILE, UNKNOWN_PROFILE
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.wording import clean, clock_time, percent

SOON = timedelta(minutes=15)
"""What stops within it is marked."""

_LIVE = {"running", "paused", "restarting"}
_HELD = {SlotState.ALLOCATED, SlotState.HELD, SlotState.RESERVED}
_BAR = 8
_WIDEST = 100
_AIRY = 20
"""Lines of a screen on which parts are set apart."""

_IDLE = "idle_timeout"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Part:
    """A table, and how it is called.

    Attributes:
        title: Its name.
        heads: Of the columns.
        rows: Cells.
        wide: The column that gets what room there is; names are cut in it.
        empty: What is said instead of no rows.
        ranks: Of the rows, where some are more worth the room: the lowest stay.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Text]]
    wide: int
    empty: str
    ranks: Sequence[int] = ()


def whole(look: Look, now: datetime, zone: tzinfo) -> RenderableType:
    """Everything, however long it is."""
    parts = _parts(look, now, zone)
    drawn = [_drawn(each, len(each.rows), [""]) for each in parts]
    return Group(*_head(look, now, zone, None), *drawn)


def fitted(
    look: Look,
    now: datetime,
    zone: tzinfo,
    size: ConsoleDimensions,
    old: str | None = None,
) -> RenderableType:
    """As much as a screen holds; where rows are left out it is said how many.

    Args:
        look: What was seen.
        now: The moment.
        zone: The reader's time zone.
        size: Of the screen.
        old: Why it is old, as `old_words` say it; `None` when it is not.
    """
    parts = _parts(look, now, zone)
    head = _head(look, now, zone, old)
    above = [""] if size.height >= _AIRY else []
    # Each part has its title and the heads of its columns.
    fixed = len(head) + sum(len(above) + 1 + bool(each.rows) for each in parts)
    room = shares(size.height - fixed - 1, [max(len(each.rows), 1) for each in parts])
    width = min(size.width, _WIDEST)
    drawn = [_drawn(each, lines, above, width) for each, lines in zip(parts, room, strict=True)]
    foot = Text("Ctrl-C ends it.", style="dim", no_wrap=True)
    return Group(*head, *drawn, foot)


def shares(room: int, wanted: Sequence[int]) -> list[int]:
    """How many lines each part gets: what it wants, and else as much as the others."""
    given = [0] * len(wanted)
    left = max(room, 0)
    while left:
        hungry = [place for place, want in enumerate(wanted) if given[place] < want]
        if not hungry:
            break
        for place in hungry[:left]:
            given[place] += 1
        left -= len(hungry[:left])
    return given


def old_words(
    look: Look, zone: tzinfo, problem: Exception | None, silent: timedelta | None
) -> str | None:
    """Why it is no picture of this moment; `None` when it is.

    Args:
        look: What was seen.
        zone: The reader's time zone.
        problem: What the last answer was; `None` when nothing was wrong.
        silent: For how long nobody has answered; `None` when they did.
    """
    seen = f"{look.gpus.taken_at.astimezone(zone):%H:%M:%S}"
    if silent is not None:
        return f"No answer for {silent.total_seconds():.0f} s; this is the picture of {seen}."
    if problem is not None:
        return f"This is the picture of {seen}: {clean(str(problem), _LONGEST)}"
    return None


def _busy_words(slots: Sequence[m.GpuSlot]) -> str:
    """How busy they are, and of how many that is the mean: parts of a GPU do not tell."""
    known = [slot.utilisation for slot in slots if slot.utilisation is not None]
    if not known:
        return ""
    mean = percent(sum(known) / len(known))
    if len(known) == len(slots):
        return f", {mean} busy on average"
    return f", {mean} busy on the {len(known)} that {'tell' if len(known) > 1 else 'tells'}"


def _head(look: Look, now: datetime, zone: tzinfo, old: str | None) -> list[Text]:
    slots = look.gpus.slots
    free = sum(1 for slot in slots if is_free(slot.model_dump(mode="json")))
    who = f"{look.me.user} ({look.me.role.value})"
    time = now.astimezone(zone)
    line = f"DS01 {time:%H:%M:%S}  {who}  {free} of {len(slots)} slots free{_busy_words(slots)}"
    found = [Text(line, style="bold", no_wrap=True, overflow="ellipsis")]
    if old is not None:
        found.append(Text(f"! {old}", style="red", no_wrap=True, overflow="ellipsis"))
    if look.gpus.source == "simulated":
        words = "These GPUs are simulated: no real card computes anything."
        found.append(Text(words, style="yellow", no_wrap=True, overflow="ellipsis"))
    for note in (*look.gpus.problems, *look.containers.notes):
        words = f"! {clean(note, _LONGEST)}"
        found.append(Text(words, style="yellow", no_wrap=True, overflow="ellipsis"))
    return found


def _parts(look: Look, now: datetime, zone: tzinfo) -> list[_Part]:
    whose = "" if look.of_all else "your "
    running = [each for each in look.containers.containers if each.state in _LIVE]
    running.sort(key=lambda each: (each.stops_at is None, each.stops_at or now, each.name))
    return [
        _Part(
            "GPUs",
            ("SLOT", "SIZE", "STATE", "WHO", "BUSY", "MEMORY", "FOR"),
            [_slot(each, now) for each in look.gpus.slots],
            3,
            "This server has no GPUs.",
            [0 if each.mine else 1 + (each.state == "free") for each in look.gpus.slots],
        ),
        _Part(
            f"{whose}containers that run".capitalize(),
            ("WHO", "NAME", "GPU", "LEFT", "STOPS"),
            [_container(each, look, now, zone) for each in running],
            1,
            "None.",
        ),
        _Part(
            "Queue" if look.of_all else "Your places in the queue",
            ("PLACE", "WHO", "FOR", "WAITS"),
            [_ticket(each, look, now) for each in look.queue.tickets],
            2,
            "Nobody waits for a GPU." if look.of_all else "You wait for no GPU.",
        ),
    ]


def _drawn(
    part: _Part, lines: int, above: Sequence[str], width: int | None = None
) -> RenderableType:
    title = Text(part.title, style="bold underline", no_wrap=True)
    if not part.rows:
        return Group(*above, title, Text(part.empty, style="dim", no_wrap=True))
    count = lines if lines >= len(part.rows) else max(lines - 1, 0)
    ranks = part.ranks or [0] * len(part.rows)
    shown = sorted(sorted(range(len(ranks)), key=lambda place: ranks[place])[:count])
    table = Table(box=None, pad_edge=False, header_style="dim", width=width)
    for place, head in enumerate(part.heads):
        is_wide = place == part.wide
        table.add_column(
            head,
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if is_wide and width else None,
            min_width=3,
        )
    for place in shown:
        table.add_row(*part.rows[place])
    left = len(part.rows) - len(shown)
    more = [Text(f"and {left} more", style="dim", no_wrap=True)] if left else []
    return Group(*above, title, table, *more)


def _slot(slot: m.GpuSlot, now: datetime) -> Sequence[Text]:
    facts = slot.model_dump(mode="json")
    state = SlotState(slot.state)
    profile = slot.profile
    return (
        Text(slot.slot),
        Text("whole GPU" if profile == FULL_PROFILE else profile or UNKNOWN_PROFILE),
        Text(state_words(facts, now), style=STYLES[state]),
        _holder(slot, state),
        _busy(slot),
        Text(memory_words(slot.memory_used_bytes, slot.memory_bytes)),
        Text("" if slot.since is None else span_words(now - slot.since)),
    )


def _holder(slot: m.GpuSlot, state: SlotState) -> Text:
    name = f" ({clean(slot.container.partition('._.')[0])})" if slot.container else ""
    if slot.mine:
        return Text(f"you{name}", style="bold")
    if slot.user is not None:
        return Text(f"{clean(slot.user)}{name}")
    if slot.elsewhere:
        return Text(ELSEWHERE, style="dim")
    if slot.others:
        return Text(clean(", ".join(slot.others), _LONGEST))
    return Text("somebody", style="dim") if state in _HELD else Text(name.strip(" ()"))


def _busy(slot: m.GpuSlot) -> Text:
    if slot.utilisation is not None:
        return Text(f"{bar(slot.utilisation, 1.0, _BAR)} {percent(slot.utilisation):>5}")
    return Text("does work" if slot.processes else "")


def _container(each: m.Container, look: Look, now: datetime, zone: tzinfo) -> Sequence[Text]:
    who = "you" if each.user == look.me.user else clean(each.user)
    end = each.ends[0] if each.ends else None
    ahead = Text("")
    if end is not None:
        left = end.at - now
        style = "red" if end.warned else "yellow" if left <= SOON else ""
        ahead = Text("none" if left <= timedelta(0) else left_words(left), style=style)
    return (
        Text(who),
        Text(clean(each.name)),
        Text(",".join(each.gpu_slots)),
        ahead,
        Text(_stops(each, now, zone)),
    )


def _stops(each: m.Container, now: datetime, zone: tzinfo) -> str:
    """When it stops, as `container list` says it."""
    seconds = each.idle_timeout_seconds
    unused = None if seconds is None else timedelta(seconds=seconds)
    if not each.ends:
        return when_unused(unused) or "never"
    end = each.ends[0]
    rule = end.rule.rpartition(".")[2]
    return when(clock_time(end.at, now, zone), unused, is_idle=rule == _IDLE)


def _ticket(each: m.Ticket, look: Look, now: datetime) -> Sequence[Text]:
    place = f"{each.place} of {each.length}" if each.place else "next"
    who = "you" if each.user == look.me.user else clean(each.user)
    return (
        Text(place),
        Text(who),
        Text(f"{clean(each.name)}: {clean(each.gpu)}"),
        Text(span_words(now - each.since)),
    )
