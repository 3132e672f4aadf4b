"""`ds01 events`: who did what, from the audit log."""

import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from ds01_spawner.adapters.event_history import Line, follow_events, read_events
from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.domain.labels import parse_timestamp
from ds01_spawner.domain.units import parse_duration

LINES_BEFORE_FOLLOWING = 10
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted; `None` is all.

    Attributes:
        user: Whom they concern.
        action: Pattern of the action, such as `cleanup.*`.
        since: Not before this moment.
        until: Before this moment.
    """

    user: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, fields: dict[str, object]) -> bool:
        """Whether an event is one of them."""
        if self.user is not None and fields.get("user") != self.user:
            return False
        if self.action is not None and not fnmatchcase(str(fields.get("action")), self.action):
            return False
        if self.since is None and self.until is None:
            return True
        moment = parse_timestamp(str(fields.get("ts")))
        if moment is None:
            return False
        return not (
            (self.since is not None and moment < self.since)
            or (self.until is not None and moment >= self.until)
        )


@app.command()
def events(  # noqa: PLR0913 - one parameter for each option
    *,
    user: Annotated[str | None, typer.Option(help="Only events about this person.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action; `cleanup.*` is all that begin so.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="The same; a date includes that day. Times are UTC.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The log's own lines.")] = False,
    file: Annotated[
        Path | None, typer.Option(help="Another log; by default this installation's.")
    ] = None,
) -> None:
    """Show the audit log: who did what, when, through which door, and how it ended."""
    now = datetime.now(UTC)
    selection = Selection(
        user=user,
        action=action,
        since=_moment("--since", since, now, end_of_day=False),
        until=_moment("--until", until, now, end_of_day=True),
    )
    path = file or _default_path()
    shown = Shown(selection, _as_written if as_json else _for_people)
    try:
        if follow:
            shown.follow(path, everything=since is not None)
        else:
            shown.history(path)
    except BrokenPipeError:
        raise
    except (OSError, EOFError) as exc:
        raise Unavailable(
            f"The event log {path} cannot be read: {getattr(exc, 'strerror', None) or exc}.",
            "Administrators can read it.",
        ) from exc
    finally:
        shown.report_broken()


class Shown:
    """Prints the selected lines and counts the broken ones."""

    def __init__(self, selection: Selection, render: Callable[[Line], str]) -> None:
        self._selection = selection
        self._render = render
        self._broken = 0

    def history(self, path: Path) -> None:
        """Print what there is."""
        empty = True
        for line in read_events(path):
            empty = False
            if self._is_selected(line):
                typer.echo(self._render(line))
        if empty and not path.exists():
            raise NotFound(f"There is no event log at {path}.")

    def follow(self, path: Path, *, everything: bool) -> None:
        """Print the last few lines, or `everything`, and what comes, until interrupted."""
        before: deque[Line] | None = deque(maxlen=None if everything else LINES_BEFORE_FOLLOWING)

        def caught_up() -> bool:
            nonlocal before
            for line in before or ():
                typer.echo(self._render(line))
            before = None
            sys.stdout.flush()
            return True

        for line in self._selected(follow_events(path, caught_up=caught_up)):
            if before is None:
                typer.echo(self._render(line))
            else:
                before.append(line)

    def report_broken(self) -> None:
        """Say how many lines could not be read, if any."""
        if self._broken:
            lines = "line is" if self._broken == 1 else "lines are"
            typer.echo(f"{self._broken} {lines} broken and left out.", err=True)

    def _selected(self, lines: Iterator[Line]) -> Iterator[Line]:
        return (line for line in lines if self._is_selected(line))

    def _is_selected(self, line: Line) -> bool:
        if line.fields is None:
            self._broken += 1
            return False
        return self._selection.wants(line.fields)


def _as_written(line: Line) -> str:
    return line.text


def _for_people(line: Line) -> str:
    fields = line.fields or {}
    moment = parse_timestamp(str(fields.get("ts")))
    when = moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else "-"
    door = f"{fields.get('interface') or '-'} by {fields.get('actor') or '-'}"
    columns = [
        when,
        f"{fields.get('user') or '-'!s:<12}",
        f"{fields.get('action')!s:<18}",
        f"{fields.get('outcome')!s:<8}",
        f"{fields.get('resource') or '-'}",
        f"({door})",
        f"{fields.get('reason') or ''}",
    ]
    return _printable("  ".join(columns)).rstrip()


def _printable(text: str) -> str:
    """Without control characters: part of it was typed by people."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _moment(option: str, text: str | None, now: datetime, *, end_of_day: bool) -> datetime | None:
    if text is None:
        return None
    if _DATE.match(text) and (day := parse_timestamp(text)) is not None:
        midnight = datetime.combine(day.date(), time(tzinfo=UTC))
        return midnight + timedelta(days=1) if end_of_day else midnight
    if (moment := parse_timestamp(text)) is not None:
        return moment
    try:
        return now - parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(
            f"{text!r} is neither a duration (2h, 7d), a date (2026-01-31) nor a time"
            " (2026-01-31T12:00:00Z).",
            param_hint=option,
        ) from exc


def _default_path() -> Path:
    from ds01_spawner.composition import Directories  # noqa: PLC0415 - it loads every adapter

    return Directories.from_environment().events
