"""`ds01 container`: see containers, when they stop, and why those that stopped did."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_cli.caller import caller, only_administrators, open_to_caller, subject
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.wording import clean
from ds01_spawner.operations.outlook import ContainerOutlook, Forecast
from ds01_spawner.operations.outlook_text import (
    end_rule,
    forecast_facts,
    name_of_stop,
    sentences,
    stop_rule,
    stop_sentence,
)

app = typer.Typer(
    help="See containers, when they stop, and why those that stopped did.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_WIDTH = 80


@app.callback()
def container() -> None:
    """See containers, when they stop, and why those that stopped did."""


@app.command("list")
def list_containers(
    *,
    user: Annotated[str | None, typer.Option(help="Whose; for administrators.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody's; for administrators.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show your containers: state, GPU, when each stops, by which rule, and where that is set."""
    everybody = everybody or (user is None and caller() == "root")
    whose = None if everybody else subject(user)
    if everybody:
        only_administrators()
    platform = open_to_caller()
    found = platform.outlook.read()
    if whose is not None:
        found = found.of(whose)
    if as_json:
        typer.echo(json.dumps(forecast_facts(found), indent=2, ensure_ascii=False))
        return
    console = Console(width=max(_WIDTH, Console().width))
    _print(console, found, Moment(platform.clock.now(), platform.zone), owners=everybody)


def _print(console: Console, found: Forecast, moment: Moment, *, owners: bool) -> None:
    if not found.containers and not found.gone:
        console.print("No containers.")
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in (*(["USER"] if owners else []), "NAME", "STATE", "GPU", "STARTED"):
            table.add_column(name, overflow="fold")
        table.add_column("STOPS, AND WHY", overflow="fold")
        for row in _rows(found, moment):
            user, *cells = map(Text, row)
            table.add_row(*([user] if owners else []), *cells)
        console.print(table)
    for note in found.notes:
        console.print(Text(f"! {note}", style="red"))


def _rows(found: Forecast, moment: Moment) -> Iterable[tuple[str, ...]]:
    for view in found.containers:
        yield (
            clean(view.user),
            clean(view.name),
            view.state.value,
            clean(",".join(view.gpu_slots)),
            moment.clock(view.started_at),
            "\n".join(_words(view, moment)),
        )
    for stop in found.gone:
        words = f"{stop_sentence(stop, moment)}\n{stop_rule(stop)}"
        yield clean(stop.user), clean(name_of_stop(stop)), "removed", "", "", words


def _words(view: ContainerOutlook, moment: Moment) -> Iterable[str]:
    if view.stopped_by is not None:
        yield stop_sentence(view.stopped_by, moment)
        yield stop_rule(view.stopped_by)
    yield from sentences(view, moment)
    yield from map(end_rule, view.ends)
