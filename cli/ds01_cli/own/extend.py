"""`ds01 extend`: keep a container running although nobody uses it."""

from datetime import timedelta
from typing import Annotated

import typer

from ds01_cli.admin.caller import caller, open_to_caller, subject
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.domain.wording import span
from ds01_spawner.operations.keep_alive import Kept

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def extend(
    name: Annotated[
        str | None,
        typer.Argument(help="Which container; without it, the only one that runs."),
    ] = None,
    *,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="TIME", help="From now on, such as 6h; by default the most allowed."
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Whose container; for administrators.")] = None,
) -> None:
    """Keep a container running although nobody uses it.

    Never longer than keep_alive_max after it would have been stopped, and never beyond max_runtime
    (ds01 policy explain). A container that computes is not stopped and needs no extension.
    """
    whose, asked = subject(user), _asked(duration)
    platform = open_to_caller()
    kept = platform.keep_alives.ask(whose, name, asked, source="command", by=caller())
    typer.echo(_told(kept, Moment(platform.clock.now(), platform.zone)))


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


def _told(kept: Kept, moment: Moment) -> str:
    until = kept.until
    lines = [
        f"{kept.name} is kept running until {moment.clock(until)} ({span(until - moment.now)})."
    ]
    if kept.ends_anyway is not None:
        lines.append(f"Then it stops, used or not: {kept.ends_anyway.words}.")
    elif kept.shortened:
        lines.append("That is the most that keep_alive_max allows.")
    return "\n".join(lines)
