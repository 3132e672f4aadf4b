"""`ds01 dashboard`: the lab on one screen, again and again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import timedelta
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
            metavar="SECONDS",
            min=SHORTEST_SECONDS,
            max=3600,
            help="Seconds between two looks; 3 if not given.",
            show_default=False,
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

    from ds01_cli.gpu.screen import fitted, old_words  # noqa: PLC0415 - only where it is drawn

    here = printing.here()
    problem: DS01Error | None = None

    def draw(silent: timedelta | None = None) -> None:
        old = old_words(look, here, problem, silent)
        screen = fitted(look, look.now(), here, out.size, old)
        live.update(screen, refresh=True)

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            waited = 0.0
            while waited < every:
                draw()
                tick = min(_TICK_SECONDS, every - waited)
                sleep(tick)
                waited += tick
            asked, begun = _asked(again), time.monotonic()
            while not _is_answered(asked, _TICK_SECONDS):
                silent = time.monotonic() - begun
                draw(timedelta(seconds=silent) if silent >= every else None)
            try:
                look, problem = asked.result(), None
            except DS01Error as exc:
                problem = exc


def _asked(again: Callable[[], Look]) -> "Future[Look]":
    """Ask in a thread of its own: a gateway that hangs keeps neither screen nor Ctrl-C waiting."""
    asked: Future[Look] = Future()

    def ask() -> None:
        try:
            asked.set_result(again())
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is waited for
            asked.set_exception(exc)

    threading.Thread(target=ask, name="look", daemon=True).start()
    return asked


def _is_answered(asked: "Future[Look]", seconds: float) -> bool:
    return bool(wait([asked], seconds).done)
