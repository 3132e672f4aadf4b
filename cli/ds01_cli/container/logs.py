"""`ds01 container logs`: what a container's own program printed."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.container.naming import LIVE, STOPPED, AnyName
from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json, User

if TYPE_CHECKING:
    from ds01_spawner.client import Client

_UNSAFE = dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0)], "\ufffd")
_KEPT = {ord(kept): kept for kept in "\n\t\r\x1b"}
"""Programs colour what they print; the owner of the container reads it."""


def logs(
    name: AnyName = None,
    *,
    number: Annotated[
        int, typer.Option("-n", "--lines", min=1, max=5000, help="How many lines at most.")
    ] = 200,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until it ends, or you press Ctrl-C.")
    ] = False,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Show what a container's own program printed."""
    if follow and as_json:
        raise typer.BadParameter("It cannot go with --json.", param_hint="--follow")
    guide.tell("look")
    with session.connect() as client:
        states = LIVE | STOPPED
        chosen = naming.only(client, name, states, user=user, none="You have no container.")
        if follow:
            _follow(client, chosen, number, user)
            return
        found = client.logs(chosen, number, user=user)
    if as_json:
        printing.print_json(found)
        return
    for line in found.lines:
        sys.stdout.write(f"{_shown(line)}\n")
    if not found.lines:
        printing.note(f"{chosen} printed nothing.")


def _follow(client: "Client", name: str, number: int, user: str | None) -> None:
    from ds01_spawner.client.models import LogText  # noqa: PLC0415 - help does without pydantic

    code: int | None = None
    for event in client.follow_logs(name, number, user=user):
        if isinstance(event, LogText):
            sys.stdout.write(_shown(event.text))
            sys.stdout.flush()
        else:
            code = event.exit_code
    if code is not None:
        printing.note(f"{name} has ended, with exit code {code}.")


def _shown(text: str) -> str:
    """Colours stay for a terminal; a file gets what was printed."""
    return text.translate(_UNSAFE | _KEPT) if sys.stdout.isatty() else text
