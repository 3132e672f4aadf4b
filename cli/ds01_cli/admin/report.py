"""`ds01 admin report`: a month of the lab as one HTML file."""

import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_spawner.domain.errors import Conflict, Forbidden, Unavailable

if TYPE_CHECKING:
    from ds01_cli.admin.report_page import Month
    from ds01_spawner.client import Client

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def report(
    *,
    month: Annotated[
        str,
        typer.Option(metavar="YYYY-MM", help="Which; the last whole one.", show_default=False),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to; usage-YYYY-MM.html. - is standard output.",
            show_default=False,
            allow_dash=True,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Write what was used in a month as one HTML file, with graphs."""
    begin, end = month_of(month, printing.now())
    path = output or Path(f"usage-{begin:%Y-%m}.html")
    to_file = str(path) != "-"
    if to_file and not force and path.exists():
        raise Conflict(f"{path} is there already.", "Give --force to write over it, or -o FILE.")
    guide.tell("read")
    with session.connect() as client:
        found = _read(client, begin, end)
    from ds01_cli.admin.report_page import page  # noqa: PLC0415 - only where it is written

    html = page(found)
    if not to_file:
        typer.echo(html, nl=False)
        return
    _write(path, html)
    typer.echo(f"{path}: written. Open it with a browser; it needs no other file.")


def month_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Begin and end of a month (UTC); of the last whole one where none is named."""
    if not text:
        end = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return (end - timedelta(days=1)).replace(day=1), end
    said = _MONTH.fullmatch(text)
    if said is None or not int(said[1]):
        raise typer.BadParameter(f"{text!r} is no month: write it as 2026-10.")
    begin = datetime(int(said[1]), int(said[2]), 1, tzinfo=UTC)
    if begin > now:
        raise typer.BadParameter(f"{text} has not begun.")
    return begin, (begin + timedelta(days=31)).replace(day=1)


def _read(client: "Client", begin: datetime, end: datetime) -> "Month":
    from ds01_cli.admin.report_page import Month  # noqa: PLC0415 - it loads the graphs
    from ds01_spawner.client.models import Role  # noqa: PLC0415 - help does without pydantic

    if not client.me().role.includes(Role.MANAGER):
        raise Forbidden(
            "The report is about everybody: it is for lab managers and administrators.",
            "ds01 usage --month shows what you used yourself.",
        )
    # A month that lasts ends now.
    days = {"since": begin.isoformat(), "until": min(end, printing.now()).isoformat()}
    return Month(
        begin=begin,
        end=end,
        series=client.usage_series(step="day", **days),
        groups=client.usage(by="group", **days),
        projects=client.usage(by="project", **days),
        people=client.usage(by="user", **days),
        gpus=client.gpus(),
    )


def _write(path: Path, html: str) -> None:
    """The whole file, or none. It names people: others on the machine do not read it."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        # Never through a link that somebody left there.
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        fresh.replace(path)
    except OSError as exc:
        fresh.unlink(missing_ok=True)
        raise Unavailable(
            f"{path} cannot be written: {exc.strerror}.", "Say where it can: -o FILE."
        ) from exc
