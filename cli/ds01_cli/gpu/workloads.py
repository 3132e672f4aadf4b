"""`ds01 workloads`: what runs, and whose it is."""

from typing import Annotated

import typer

from ds01_cli.frame import guide, printing
from ds01_cli.frame.flags import Json
from ds01_cli.gpu.reading import read_workloads


def workloads(
    *,
    unmanaged: Annotated[
        bool, typer.Option("--unmanaged", help="Only what was started past the platform.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what runs, and what was started past the platform."""
    guide.tell("look")
    found = read_workloads(unmanaged=unmanaged)
    if as_json:
        printing.print_json(found.document)
        return
    from ds01_cli.gpu.attributed import print_workloads  # noqa: PLC0415 - only where printed

    print_workloads(printing.console(), found.document, found.taken_at)
