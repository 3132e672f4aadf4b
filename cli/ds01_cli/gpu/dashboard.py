"""`ds01 dashboard`: the lab on one screen, again and again."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import guide, printing
from ds01_cli.frame.flags import Json
from ds01_cli.gpu.look import Look, looked
from ds01_spawner.domain.errors import DS01Error

if TYPE_CHECKING:
    from rich.console import Console

SHORTEST_SECONDS = 2.0
"""Who asks more often is told the same: the gateway shares its readings for that long."""

_TICK_SECONDS = 1.0
"""So often it is drawn anew: countdowns run, and the screen may have another size."""


def dashboard(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print it once.")] = False,
    every: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=SHORTEST_SECONDS, max=3600, help="Look so often; 2 at least."
        ),
    ] = 3.0,
    as_json: Json = False,
) -> None:
    """Follow GPUs, containers and the queue on one screen."""
    guide.tell("look")
    first = looked()
    if as_json:
        printing.print_json(first.document)
        return
    from ds01_cli.gpu.screen import whole  # noqa: PLC0415 - only where it is drawn

    out = printing.console()
    if once or not out.is_terminal or out.is_dumb_terminal:
        out.print(whole(first, first.now(), printing.here()))
        return
    follow(out, first, every)


def follow(
    out: "Console",
    look: Look,
    every: float,
    *,
    again: Callable[[], Look] = looked,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Draw until Ctrl-C; while nobody answers, what was seen last and since when it is old.

    Args:
        out: Where.
        look: The first one.
        every: Seconds between two looks.
        again: Looks again.
        sleep: Waits.
    """
    from rich.live import Live  # noqa: PLC0415 - only where it is drawn

    from ds01_cli.gpu.screen import fitted  # noqa: PLC0415 - only where it is drawn

    here = printing.here()
    problem: DS01Error | None = None
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            waited = 0.0
            while waited < every:
                screen = fitted(look, look.now(), here, out.size, problem)
                live.update(screen, refresh=True)
                tick = min(_TICK_SECONDS, every - waited)
                sleep(tick)
                waited += tick
            try:
                look, problem = again(), None
            except DS01Error as exc:
                problem = exc
