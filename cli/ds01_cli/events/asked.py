"""Events asked for through the API: one's own, or for managers everybody's."""

import json
from itertools import islice

import typer

from ds01_cli.events.selection import Selection, in_columns
from ds01_cli.frame import session
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import format_timestamp

MOST = 500


def show_asked(selection: Selection, *, follow: bool, as_json: bool) -> None:
    """Print the latest of what is wanted, the newest last.

    Raises:
        Forbidden: The log cannot be followed from here.
    """
    if follow:
        raise Forbidden(
            "Only administrators can follow the log, on the server.", "Leave --follow out."
        )
    since, until = selection.since, selection.until
    with session.connect() as client:
        events = client.events(
            user=selection.user,
            action=selection.action,
            since=None if since is None else format_timestamp(since),
            until=None if until is None else format_timestamp(until),
        )
        found = [each.model_dump(mode="json") for each in islice(events, MOST)]
    for fields in reversed(found):
        typer.echo(json.dumps(fields, ensure_ascii=False) if as_json else in_columns(fields))
    if not found and not as_json:
        typer.echo("Nothing is in the log about that.", err=True)
    if len(found) == MOST:
        typer.echo(f"Only the last {MOST} are shown; --since and --until choose.", err=True)
