"""`ds01 check-limits`: what somebody may use, what they do use, and what says so."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_spawner.client.limit_words import USAGE, amount, place_of, sentences
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.wording import clean

if TYPE_CHECKING:
    from rich.console import Console

    from ds01_spawner.client.models import LimitValue, Me, Usage

_MUCH = 0.8


def check_limits(
    *,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Every limit, and where it is set.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what you may use, and what you do use."""
    guide.tell("look")
    with session.connect() as client:
        me = client.me()
    if as_json:
        printing.print_json(
            {
                "user": me.user,
                "usage": me.usage,
                "explanation": me.explanation,
                "notes": me.notes,
            }
        )
        return
    if me.explanation is None:
        raise NotFound(
            f"{me.user} is an administrator without limits of their own.",
            "For somebody's: ds01 policy explain NAME.",
        )
    _show(me, me.explanation.limits, verbose=verbose)


def _show(me: "Me", limits: "Mapping[str, LimitValue]", *, verbose: bool) -> None:
    out = printing.console()
    assert me.explanation is not None  # noqa: S101 - the caller has looked
    group = me.explanation.group
    out.print(f"{me.user}, {f'in group {group}' if group else 'in no group'}", style="bold")
    out.print()
    _bars(out, me.usage)
    out.print()
    for sentence in sentences(limits):
        out.print(sentence)
    for note in me.notes:
        printing.note(clean(note, printing.PIPED_WIDTH))
    if not verbose:
        out.print("Where each limit is set: ds01 check-limits -v")
        return
    out.print()
    guide.tell("origins")
    rows = [[key, each.words, place_of(each)] for key, each in limits.items()]
    printing.table(["LIMIT", "VALUE", "SET BY"], rows)
    if me.explanation.reason:
        out.print(f"Why you have limits of your own: {clean(me.explanation.reason, 300)}")


def _bars(out: "Console", usage: "Iterable[Usage]") -> None:
    from rich.text import Text  # noqa: PLC0415 - only where it is printed

    shown = [(USAGE.get(each.limit, each.limit), each) for each in usage]
    width = max((len(title) for title, _ in shown), default=0)
    figures = max((len(amount(each)) for _, each in shown), default=0)
    for title, each in shown:
        line = Text(f"{title:<{width}}  {amount(each):<{figures}}")
        if out.is_terminal and each.used is not None and each.allowed is not None:
            share = each.used / each.allowed if each.allowed else float(each.used > 0)
            style = "red" if share >= 1 else "yellow" if share >= _MUCH else "green"
            line.append("  ").append(printing.bar(each.used, each.allowed), style=style)
        line.rstrip()
        out.print(line, soft_wrap=True)
