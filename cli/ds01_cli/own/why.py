"""`ds01 why`: the rule behind a refusal, a wait or a stop, where it is set, and what to do."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import completing, guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_spawner.domain.errors import NotFound

if TYPE_CHECKING:
    from ds01_cli.own.reasons import Reason

_EVENTS = 300


def why(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A container; without it, all that waits or went wrong.",
            autocompletion=completing.containers,
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Explain why you wait, were refused, or were stopped."""
    from ds01_cli.own.reasons import Facts, reasons  # noqa: PLC0415 - help does without pydantic

    guide.tell("look")
    with session.connect() as client:
        me = client.me()
        events = tuple(islice(client.events(user=me.user), _EVENTS))
    now = printing.now()
    found = reasons(Facts(me, events, now, printing.here()), name)
    if name is not None and not found:
        raise NotFound(
            f"Nothing is known about {name}: it neither exists, nor waits, nor was refused or"
            " stopped lately.",
            "ds01 container list shows your containers.",
        )
    if as_json:
        printing.print_json({"taken_at": now, "reasons": [asdict(each) for each in found]})
        return
    if not found:
        printing.say("You wait for nothing, and nothing was refused or stopped lately.")
        return
    guide.tell("read")
    _show(found)


def _show(found: "Iterable[Reason]") -> None:
    out = printing.console()
    for place, each in enumerate(found):
        if place:
            out.print()
        out.print(each.what)
        if each.rule is not None:
            value = "" if each.value is None else f" = {each.value}"
            printing.say_below("  rule:   ", f"{each.rule}{value}")
        if each.where is not None:
            printing.say_below("  set by: ", each.where)
        if each.next_step:
            printing.say_below("  next:   ", each.next_step)
