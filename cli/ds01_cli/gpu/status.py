"""`ds01 gpu status`: what the GPUs do."""

from typing import Annotated

import typer

from ds01_cli.frame import guide, printing
from ds01_cli.gpu.reading import read_status


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show every GPU slot, and how busy it is."""
    guide.tell("look")
    found = read_status()
    if as_json:
        printing.print_json(found.document)
        return
    from ds01_cli.gpu.tables import print_status  # noqa: PLC0415 - only where it is printed

    print_status(printing.console(), found.document, found.taken_at)
