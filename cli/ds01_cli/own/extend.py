"""`ds01 extend`: keep a container running although nobody uses it."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.frame import completing, guide, printing, session
from ds01_cli.frame.flags import Json, User
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.domain.wording import span

if TYPE_CHECKING:
    from ds01_spawner.client.models import Extended


def extend(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which container; without it, the only one that runs.",
            autocompletion=completing.running_containers,
        ),
    ] = None,
    *,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="TIME", help="From now on, such as 6h; by default the most allowed."
        ),
    ] = None,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Keep a container running although nobody uses it."""
    asked = _asked(duration)
    with session.connect() as client:
        chosen = naming.only(client, name, user=user, none=_none(user))
        guide.tell("extend")
        kept = client.extend(chosen, asked, user=user)
    if as_json:
        printing.print_json(kept)
    else:
        printing.say(*_told(kept, printing.now()))


def _asked(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        duration = parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{exc}.", param_hint="--for") from exc
    if not duration:
        raise typer.BadParameter("0 is no time. Try 6h.", param_hint="--for")
    return duration


def _none(user: str | None) -> str:
    return "None of your containers runs." if user is None else f"No container of {user} runs."


def _told(kept: "Extended", now: datetime) -> list[str]:
    until = f"{printing.clock(kept.until)} ({span(kept.until - now)})"
    lines = [f"{kept.name} is kept running until {until}."]
    if kept.ends_anyway is not None:
        lines.append(f"Then it stops, used or not: {kept.ends_anyway}.")
    elif kept.shortened:
        lines.append("That is the longest that your limits allow (keep_alive_max).")
    return lines
