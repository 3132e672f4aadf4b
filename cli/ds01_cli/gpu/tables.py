"""GPU slots and the queue as tables that fit 80 columns, from what `--json` prints."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_spawner.domain.gpu import FULL_PROFILE, UNKNOWN_PROFILE
from ds01_spawner.domain.labels import parse_timestamp
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.wording import clean, percent, size

Facts = Mapping[str, Any]
"""A slot or a place in the queue, as `--json` prints it."""

ELSEWHERE = "another installation"
_GIB = 1024**3
_SHORTEST_NAME = 8
_LINE = 400
_HOUR = 60
_DAY = 24 * _HOUR
_COLUMNS = ("SLOT", "SIZE", "MEMORY", "STATE", "WHO", "BUSY", "SINCE")
STYLES = {
    SlotState.FREE: "green",
    SlotState.RESERVED: "cyan",
    SlotState.ALLOCATED: "bold",
    SlotState.HELD: "yellow",
    SlotState.FOREIGN: "magenta",
    SlotState.UNAVAILABLE: "red",
}


_IN_HOURS = 2 * _HOUR
"""Minutes ahead that are counted in hours; below, half an hour more or less matters."""


def print_status(console: Console, found: Facts, now: datetime) -> None:
    """Write the table that people read."""
    slots: Sequence[Facts] = found["slots"]
    rows = [_row(slot, now) for slot in slots]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(_COLUMNS):
        table.add_column(
            name,
            no_wrap=True,
            justify="right" if name in {"MEMORY", "BUSY"} else "left",
            max_width=_room(rows, place, console.width) if name == "WHO" else None,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    free = sum(1 for slot in slots if is_free(slot))
    console.print(f"\n{free} of {len(slots)} slots are free.")
    if found["source"] == "simulated":
        console.print("These GPUs are simulated: no real GPU computes anything.", style="yellow")
    for problem in found["problems"]:
        console.print(Text(f"! {clean(problem, _LINE)}", style="red"), soft_wrap=False)


def print_queue(console: Console, entries: Sequence[Facts], now: datetime) -> None:
    """Write the queue that people read."""
    if not entries:
        console.print("Nobody waits for a GPU.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("PLACE", no_wrap=True)
    table.add_column("WHO", no_wrap=True, overflow="ellipsis")
    table.add_column("WAITS", no_wrap=True)
    table.add_column("FOR AND WHY", overflow="fold")
    for entry in entries:
        place = f"{entry['place']} of {entry['length']}" if entry["place"] else "next"
        words = f"{entry['gpu']}. {entry['reason']}"
        who = Text(clean(entry["user"]))
        table.add_row(place, who, ago(entry["since"], now), Text(clean(words, _LINE)))
    console.print(table)


def _room(rows: Sequence[tuple[Text, ...]], place: int, width: int) -> int:
    """Characters that the other columns leave: a name is cut before a time is."""
    others = [index for index in range(len(_COLUMNS)) if index != place]
    taken = sum(max([cell_len(_COLUMNS[i]), *(row[i].cell_len for row in rows)]) for i in others)
    return max(_SHORTEST_NAME, width - taken - len(others))


def _row(slot: Facts, now: datetime) -> tuple[Text, ...]:
    profile = slot["profile"]
    return (
        Text(slot["slot"]),
        Text("whole GPU" if profile == FULL_PROFILE else profile or UNKNOWN_PROFILE),
        Text(memory_words(slot["memory_used_bytes"], slot["memory_bytes"])),
        Text(state_words(slot, now), style=STYLES[SlotState(slot["state"])]),
        Text(clean(_who(slot), _LINE)),
        Text(_busy(slot)),
        Text(ago(slot["since"], now)),
    )


def state_words(slot: Facts, now: datetime) -> str:
    """What a slot is doing, in a word or two."""
    match SlotState(slot["state"]):
        case SlotState.FREE:
            return "for batch" if slot["use"] == "batch" else "free"
        case SlotState.RESERVED:
            return "starting"
        case SlotState.ALLOCATED:
            return "in use"
        case SlotState.HELD:
            until = parse_timestamp(slot["until"] or "")
            return "kept" if until is None else f"kept {left_words(until - now)}"
        case SlotState.FOREIGN:
            return "other work"
        case SlotState.UNAVAILABLE:
            return "out of order"


def memory_words(used: int | None, of: int | None) -> str:
    """`4.9 of 9.8 GB`, `9.8 GB`: what a slot's work takes, of what it has."""
    if not of:
        return ""
    return f"{used / _GIB:.1f} of {size(of)}" if used else size(of)


def _who(slot: Facts) -> str:
    name = (slot["container"] or "").partition(SEPARATOR)[0]
    if slot.get("mine"):
        return f"you ({name})" if name else "you"
    if slot.get("elsewhere"):
        return ELSEWHERE
    if slot["user"] is None:
        return ", ".join(slot.get("others", ())) or name
    return f"{slot['user']} ({name})" if name else str(slot["user"])


def _busy(slot: Facts) -> str:
    if slot["utilisation"] is not None:
        return percent(slot["utilisation"])
    return "yes" if slot["processes"] else ""


def is_free(slot: Facts) -> bool:
    """Whether somebody could get it now."""
    return SlotState(slot["state"]) is SlotState.FREE and str(slot["use"]) != "batch"


def ago(text: str | None, now: datetime) -> str:
    """How long ago a time was, in one unit; empty where it is not known."""
    moment = parse_timestamp(text or "")
    return "" if moment is None else span_words(now - moment)


def span_words(span: timedelta) -> str:
    """A time in one unit: `5 min`, `3 h`, `2 d`."""
    minutes = max(0, int(span.total_seconds()) // 60)
    if minutes < _HOUR:
        return f"{minutes} min"
    return f"{minutes // _HOUR} h" if minutes < 2 * _DAY else f"{minutes // _DAY} d"


def left_words(span: timedelta) -> str:
    """How long something still takes: `119 min`, `24 h`, `3 d`, each to the nearest."""
    minutes = max(0, round(span / timedelta(minutes=1)))
    if minutes < _IN_HOURS:
        return f"{minutes} min"
    hours = round(minutes / _HOUR)
    return f"{hours} h" if minutes < 2 * _DAY else f"{round(minutes / _DAY)} d"
