"""`ds01 admin reconcile`: what a crash left behind."""

import time
from collections.abc import Iterable
from typing import Annotated

import typer

from ds01_cli.admin.administrator import open_to_administrator
from ds01_cli.frame import guide
from ds01_spawner.composition import open_hub
from ds01_spawner.operations.repair.reconcile import Report

LOOK_SECONDS = 5.0
"""Between the two looks that must find what may be at work, or on its way back."""


def reconcile(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
) -> None:
    """Remove what a crash left behind, at once.

    It looks twice, five seconds apart. Without the hub's word, nothing of the hub is touched.
    """
    platform = open_to_administrator()
    guide.tell("look")
    hub = open_hub(platform.directories)
    if hub is None:
        typer.echo("note: The hub is not asked, so nothing of the hub is touched.", err=True)
    report = platform.reconciler(hub).by_hand(lambda: time.sleep(LOOK_SECONDS), dry_run=dry_run)
    typer.echo("\n".join(_told(report, dry_run=dry_run)))


def _told(report: Report, *, dry_run: bool) -> Iterable[str]:
    done = "would be removed" if dry_run else "removed"
    lines = [f"{each.container.name} {done}: {each.reason}" for each in report.repairs]
    lines += [f"{each} {done}: {each.reason}" for each in report.leftovers]
    lines += [f"note: {note}" for note in report.notes]
    return lines or ["Nothing to repair."]
