"""`ds01 gpu queue`: who waits for a GPU."""

from typing import Annotated

import typer

from ds01_cli.frame import guide, printing
from ds01_cli.gpu.reading import read_queue


def queue(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show who waits for a GPU, in the order of their turn."""
    guide.tell("look")
    found = read_queue()
    if as_json:
        printing.print_json(found.document)
        return
    from ds01_cli.gpu.tables import print_queue  # noqa: PLC0415 - only where it is printed

    print_queue(printing.console(), found.document["queue"], found.taken_at)
