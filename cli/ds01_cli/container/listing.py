"""`ds01 container list`: what one has, and when each stops."""

import json
from typing import Annotated

import typer
from rich.console import Console

from ds01_cli.admin.caller import caller, only_administrators, open_to_caller, subject
from ds01_cli.admin.forecast import print_forecast
from ds01_cli.frame import guide
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.operations.outlook_text import forecast_facts

_WIDTH = 80


def list_containers(
    *,
    user: Annotated[str | None, typer.Option(help="Whose; for administrators.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody's; for administrators.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show your containers, and when and why each stops."""
    guide.tell("look")
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
    print_forecast(console, found, Moment(platform.clock.now(), platform.zone), owners=everybody)
