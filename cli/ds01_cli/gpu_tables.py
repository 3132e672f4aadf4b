"""GPU slots and the queue as tables that fit 80 columns."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_spawner.domain.gpu import FULL_PROFILE, UNKNOWN_PROFILE
from ds01_spawner.domain.occupancy import SlotState, SlotUse
from ds01_spawner.operations.gpu_queue import QueueEntry
from ds01_spawner.operations.gpu_status import GpuStatus, SlotStatus

_GIB = 1024**3
_SHORTEST_NAME = 8
_HOUR = 60
_DAY = 24 * _HOUR
_COLUMNS = ("SLOT", "SIZE", "MEMORY", "STATE", "WHO", "BUSY", "SINCE")
_STYLES = {
    SlotState.FREE: "green",
    SlotState.RESERVED: "cyan",
    SlotState.ALLOCATED: "bold",
    SlotState.HELD: "yellow",
    SlotState.FOREIGN: "magenta",
    SlotState.UNAVAILABLE: "red",
}


def print_status(console: Console, found: GpuStatus) -> None:
    """Write the table that people read."""
    rows = [_row(slot, found.taken_at) for slot in found.slots]
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
    free = sum(1 for slot in found.slots if _is_free(slot))
    console.print(f"\n{free} of {len(found.slots)} slots are free.")
    if found.source == "simulated":
        console.print("These GPUs are simulated: no real card computes anything.", style="yellow")
    for problem in found.problems:
        console.print(Text(f"! {problem}", style="red"), soft_wrap=False)


def print_queue(console: Console, entries: Sequence[QueueEntry], now: datetime) -> None:
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
        place = f"{entry.place} of {entry.length}" if entry.place else "next"
        words = f"{entry.gpu}. {entry.reason}"
        table.add_row(place, Text(entry.user), _ago(entry.since, now), Text(words))
    console.print(table)


def _room(rows: Sequence[tuple[Text, ...]], place: int, width: int) -> int:
    """Characters that the other columns leave: a name is cut before a time is."""
    others = [index for index in range(len(_COLUMNS)) if index != place]
    taken = sum(max([cell_len(_COLUMNS[i]), *(row[i].cell_len for row in rows)]) for i in others)
    return max(_SHORTEST_NAME, width - taken - len(others))


def _row(status: SlotStatus, now: datetime) -> tuple[Text, ...]:
    slot = status.use.slot
    used = status.activity.memory_used_bytes if status.activity else None
    memory = "" if slot.profile == UNKNOWN_PROFILE else f"{slot.memory_bytes / _GIB:.1f} GB"
    if used and memory:
        memory = f"{used / _GIB:.1f} of {memory}"
    return (
        Text(slot.id),
        Text("whole GPU" if slot.profile == FULL_PROFILE else slot.profile),
        Text(memory),
        Text(_state(status, now), style=_STYLES[status.use.state]),
        Text(_who(status.use)),
        Text(_busy(status)),
        Text(_ago(status.since, now)),
    )


def _state(status: SlotStatus, now: datetime) -> str:
    match status.use.state:
        case SlotState.FREE:
            return "for batch" if status.is_batch else "free"
        case SlotState.RESERVED:
            return "starting"
        case SlotState.ALLOCATED:
            return "in use"
        case SlotState.HELD:
            until = status.use.until
            return "kept" if until is None else f"kept {_span(until - now)}"
        case SlotState.FOREIGN:
            return "other work"
        case SlotState.UNAVAILABLE:
            return "out of order"


def _who(use: SlotUse) -> str:
    name = (use.container or "").partition("._.")[0]
    if use.user is None:
        return name
    return f"{use.user} ({name})" if name else use.user


def _busy(status: SlotStatus) -> str:
    activity = status.activity
    if activity is None:
        return ""
    if activity.utilisation is not None:
        return f"{activity.utilisation:.0%}"
    return "yes" if activity.pids else ""


def _is_free(status: SlotStatus) -> bool:
    return status.use.state is SlotState.FREE and not status.is_batch


def _ago(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else _span(now - moment)


def _span(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds()) // 60)
    if minutes < _HOUR:
        return f"{minutes} min"
    return f"{minutes // _HOUR} h" if minutes < 2 * _DAY else f"{minutes // _DAY} d"
