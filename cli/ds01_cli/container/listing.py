"""`ds01 container list`: what one has, and when each stops."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.caller import caller, is_root
from ds01_cli.frame.flags import Everybody, Form, Format, UserToSee
from ds01_spawner.client import places

if TYPE_CHECKING:
    from rich.console import Console

    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Containers

_INDENT = 4


def list_containers(
    *,
    user: UserToSee = None,
    everybody: Everybody = False,
    form: Form = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show your containers, and when and why each stops."""
    if everybody and user is not None:
        raise typer.BadParameter("It cannot go with --user.", param_hint="--all")
    guide.tell("look")
    with session.connect() as client:
        found, everybody = _found(client, user, everybody=everybody)
    if as_json or form is Format.JSON:
        printing.print_json(found)
        return
    from ds01_cli.container import outlook  # noqa: PLC0415 - only where it is printed

    if user is None and not everybody:
        reader = found.containers[0].user if found.containers else _reader(found)
    else:
        reader = caller()
    rows = outlook.rows(found, outlook.Moment(printing.now(), printing.here()), reader)
    owner = ["USER"] if everybody else []
    heads = [*owner, *outlook.HEADS]
    cells = [[*([row.user] if owner else []), *row.cells] for row in rows]
    if form is Format.SIMPLE:
        printing.table(heads, cells, style="simple")
    elif not cells:
        printing.say("No containers.")
    else:
        _print(heads, cells, [row.why for row in rows])
    for note in found.notes:
        printing.note(outlook.clean(note, printing.PIPED_WIDTH))


def _found(client: "Client", user: str | None, *, everybody: bool) -> "tuple[Containers, bool]":
    """The containers, and whether they are everybody's: root has none of its own."""
    if user is None and not everybody and _is_root():
        user = os.environ.get("SUDO_USER") or None
        everybody = user is None
    naming.check_everybodys(client, everybody=everybody)
    return client.containers(user=user, everybody=everybody), everybody


def _is_root() -> bool:
    """Whether the gateway's socket takes whoever typed the command for root."""
    return is_root() and places.find().socket is not None


def _reader(found: "Containers") -> str:
    return found.gone[0].user if found.gone else ""


def _print(heads: Sequence[str], cells: Sequence[Sequence[str]], whys: Sequence[str]) -> None:
    """Rows; on a terminal the reason is on lines below, else at the end of the line."""
    out = printing.console()
    if not out.is_terminal:
        printing.table([*heads, ""], [(*row, why) for row, why in zip(cells, whys, strict=True)])
        return
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only on a terminal

    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > out.width:
        printing.table([*heads, "WHY"], [(*r, why) for r, why in zip(cells, whys, strict=True)])
        return

    def line(row: Sequence[str]) -> str:
        sized = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        return "  ".join(sized).rstrip()

    out.print(line(heads), style="bold", soft_wrap=True)
    for row, why in zip(cells, whys, strict=True):
        out.print(line(row), soft_wrap=True)
        _print_below(out, why)


def _print_below(out: "Console", why: str) -> None:
    from rich.text import Text  # noqa: PLC0415 - only on a terminal

    for folded in Text(why).wrap(out, out.width - _INDENT):
        out.print(f"{'':{_INDENT}}{folded.plain.rstrip()}", style="dim", soft_wrap=True)
