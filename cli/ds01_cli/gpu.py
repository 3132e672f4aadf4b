"""`ds01 gpu`: what the GPUs do, and who waits for them."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from ds01_cli.gpu_tables import print_queue, print_status
from ds01_spawner.composition import open_platform
from ds01_spawner.operations.gpu_queue import gpu_queue_json, read_gpu_queue
from ds01_spawner.operations.gpu_status import gpu_status_json, read_gpu_status

app = typer.Typer(
    help="See GPU slots, who holds them, and who waits.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_WIDTH = 80


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show every GPU slot: who has it, since when, and how busy it is."""
    platform = open_platform(actor="cli")
    found = read_gpu_status(platform.admission, platform.gpu_config)
    if as_json:
        typer.echo(json.dumps(gpu_status_json(found), indent=2))
    else:
        print_status(Console(width=_width()), found)


@app.command()
def queue(*, as_json: Json = False) -> None:
    """Show who waits for a GPU, in the order in which they are served."""
    entries = read_gpu_queue(open_platform(actor="cli").admission)
    if as_json:
        typer.echo(json.dumps(gpu_queue_json(entries), indent=2))
    else:
        print_queue(Console(width=_width()), entries, datetime.now(UTC))


def _width() -> int:
    return max(_WIDTH, Console().width)
