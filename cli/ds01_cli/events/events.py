"""`ds01 events`: who did what, from the audit log."""

import os
import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.events.selection import Selection
from ds01_cli.frame import guide
from ds01_cli.frame.platform_files import event_log, platform_is_open
from ds01_spawner.domain.labels import parse_timestamp
from ds01_spawner.domain.units import parse_duration

_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def events(  # noqa: PLR0913 - one parameter for each option
    *,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only events about this person.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(metavar="ACTION", help="Only this action; `cleanup.*` is all that begin so."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The same; a date includes that day. Times are UTC."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The log's own lines.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Another log; by default this installation's."),
    ] = None,
) -> None:
    """Show who did what, from the audit log."""
    guide.tell("look")
    now = datetime.now(UTC)
    selection = Selection(
        user=user,
        action=action,
        since=_moment("--since", since, now, end_of_day=False),
        until=_moment("--until", until, now, end_of_day=True),
    )
    if file is None and not (platform_is_open() or os.access(event_log(), os.R_OK)):
        from ds01_cli.events.asked import show_asked  # noqa: PLC0415 - it loads the client

        show_asked(selection, follow=follow, as_json=as_json)
    else:
        from ds01_cli.events.log import show_file  # noqa: PLC0415 - it loads the log's reader

        show_file(
            file or event_log(),
            selection,
            follow=follow,
            everything=since is not None,
            as_json=as_json,
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
