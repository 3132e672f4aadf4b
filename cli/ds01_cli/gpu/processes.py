"""`ds01 gpu processes`: what runs on the GPUs."""

from ds01_cli.frame import guide, printing
from ds01_cli.frame.flags import Json
from ds01_cli.gpu.reading import read_processes


def processes(*, as_json: Json = False) -> None:
    """Show what runs on the GPUs, and whose it is."""
    guide.tell("look")
    found = read_processes()
    if as_json:
        printing.print_json(found.document)
        return
    from ds01_cli.gpu.attributed import print_processes  # noqa: PLC0415 - only where printed

    print_processes(printing.console(), found.document, found.taken_at)
