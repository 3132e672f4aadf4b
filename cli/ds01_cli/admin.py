"""`ds01 admin`: look after the platform."""

from typing import Annotated

import typer

from ds01_cli.lifecycle import lifecycle
from ds01_spawner.composition import open_platform
from ds01_spawner.operations.reconcile import Report

app = typer.Typer(
    help="Look after the platform.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def admin() -> None:
    """Look after the platform."""


@app.command()
def reconcile(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
) -> None:
    """Remove containers that a crash left behind.

    The culler does the same all the time. Without the hub's word, servers that run are left alone.
    """
    platform = open_platform(actor="cli")
    typer.echo(
        _told(
            platform.reconciler(hub=None).run(dry_run=dry_run, bookkeeping=False), dry_run=dry_run
        )
    )


app.command()(lifecycle)


def _told(report: Report, *, dry_run: bool) -> str:
    done = "would be removed" if dry_run else "removed"
    lines = [f"{repair.container.name} {done}: {repair.reason}" for repair in report.repairs]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines or ["Nothing to repair."])
