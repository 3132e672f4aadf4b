"""`ds01 notices`: what the platform told somebody."""

from itertools import islice
from typing import Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json, UserToSee
from ds01_spawner.domain.wording import clean, date_and_time

_LONGEST = 1000


def notices(
    *,
    number: Annotated[
        int, typer.Option("-n", "--number", metavar="N", min=1, max=1000, help="How many at most.")
    ] = 20,
    user: UserToSee = None,
    as_json: Json = False,
) -> None:
    """Show what the platform told you.

    Warnings before a stop, and why something was stopped; the newest last.
    """
    guide.tell("look")
    with session.connect() as client:
        found = list(islice(client.notices(user), number))
    if as_json:
        printing.print_json({"notices": found})
        return
    if not found:
        printing.say("Nothing has been told yet.")
        return
    out = printing.console()
    for each in reversed(found):
        when = date_and_time(each.created_at, printing.here())
        out.print(f"{when}: {clean(each.title, _LONGEST)}", style="bold")
        for line in each.text.splitlines():
            out.print(f"  {clean(line, _LONGEST)}" if line.strip() else "")
