"""What lies ahead of containers, in cells of a table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ds01_cli.container import naming
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.wording import clean, length

if TYPE_CHECKING:
    from ds01_spawner.client.models import Container, Containers, End, StoppedByRule

__all__ = ["HEADS", "Moment", "Row", "clean", "rows", "stops", "when", "when_unused"]

HEADS = ("NAME", "STATE", "GPU", "STARTED", "STOPS")
_LONGEST = 300
_IDLE = "idle_timeout"


@dataclass(frozen=True, slots=True)
class Row:
    """One container.

    Attributes:
        user: Owner.
        cells: As in `HEADS`.
        why: The rule behind its stop; may be empty.
    """

    user: str
    cells: tuple[str, ...]
    why: str


def rows(found: "Containers", moment: Moment, reader: str) -> Sequence[Row]:
    """Those that are there, and those that were removed lately by a rule.

    Args:
        found: What the API tells.
        moment: When it is read, and where.
        reader: Who reads it; their own entry in the policy is called theirs.
    """
    there = [_there(each, moment, reader) for each in found.containers]
    gone = [
        Row(
            clean(each.user),
            (clean(each.name), "removed", "", "", moment.clock(each.stopped_by.at)),
            _past(each.stopped_by, reader),
        )
        for each in found.gone
    ]
    return [*there, *gone]


def stops(container: "Container", moment: Moment, reader: str) -> tuple[str, str]:
    """When it stops or stopped, and why."""
    if container.stopped_by is not None:
        return moment.clock(container.stopped_by.at), _past(container.stopped_by, reader)
    if container.state not in naming.LIVE:
        return "", clean(" ".join(container.sentences), _LONGEST)
    seconds = container.idle_timeout_seconds
    unused = None if seconds is None else timedelta(seconds=seconds)
    if not container.ends:
        return when_unused(unused) or "never", ""
    nearest = container.ends[0]
    is_idle = nearest.rule.endswith(_IDLE)
    return when(moment.clock(nearest.at), unused, is_idle=is_idle), _rule(nearest, reader)


def when(clock: str, unused: timedelta | None, *, is_idle: bool) -> str:
    """`14:30 unless used`; `14:30, or when unused for 2 hours`.

    Args:
        clock: When it stops at the latest.
        unused: For how long nobody may use it; `None` is for as long as they like.
        is_idle: Whether it stops then because nobody uses it.
    """
    if is_idle:
        return f"{clock} unless used"
    return ", or ".join(filter(None, (clock, when_unused(unused))))


def when_unused(unused: timedelta | None) -> str:
    """`when unused for 2 hours`; empty where nothing says so."""
    return "" if unused is None else f"when unused for {length(unused)}"


def _there(container: "Container", moment: Moment, reader: str) -> Row:
    when, why = stops(container, moment, reader)
    if container.ssh_sessions:
        many = "s" if container.ssh_sessions > 1 else ""
        why = f"{container.ssh_sessions} SSH session{many} open. {why}".rstrip()
    cells = (
        clean(container.name),
        state_words(container.state),
        clean(",".join(container.gpu_slots)),
        "" if container.state == "created" else moment.clock(container.started_at),
        when,
    )
    return Row(clean(container.user), cells, why)


def _past(stop: "StoppedByRule", reader: str) -> str:
    return f"{clean(stop.reason, _LONGEST)} {_rule(stop, reader)}"


def _rule(limit: "End | StoppedByRule", reader: str) -> str:
    return str(Limit(limit.rule, limit.value, limit.origin).read_by(reader))
