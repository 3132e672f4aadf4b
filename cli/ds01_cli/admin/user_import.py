"""`ds01 admin user import`: a class at once."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.admin.administrator import open_to_root
from ds01_cli.admin.user_add import ABOUT, told
from ds01_cli.frame import guide, printing
from ds01_cli.frame.caller import caller
from ds01_cli.frame.printing import counted
from ds01_spawner.domain.errors import DS01Error, NotFound, Unavailable
from ds01_spawner.operations.people.people import People, Plan
from ds01_spawner.operations.people.roster import FaultyList, Row, fault_of, read_roster

_MOST_BYTES = 16 * 1024**2


def import_list(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV; - is standard input.", show_default=False, allow_dash=True
        ),
    ],
    *,
    hub_only: Annotated[
        bool, typer.Option("--hub-only", help="Make no Unix accounts: the hub logs them in.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
) -> None:
    """Add everybody in a list, such as a class.

    Every line is checked first; when one is wrong, nothing is made.
    """
    people = open_to_root(ABOUT).people
    guide.tell("check")
    plans = _plans(people, read_roster(_read(file), str(file), hub_only=hub_only), str(file))
    missing = [each for each in plans if each.steps]
    if not dry_run:
        guide.tell("make")
    by = caller()
    for plan in missing:
        if not dry_run:
            people.carry_out(plan, by)
        printing.say(told(plan, dry_run=dry_run))
    for note in dict.fromkeys(note for each in plans for note in each.notes):
        printing.note(note)
    done = "would be added or completed" if dry_run else "added or completed"
    there = len(plans) - len(missing)
    printing.say(
        f"{counted(len(missing), 'person', 'people')} {done}; of {there} nothing is missing."
    )


def _plans(people: People, rows: Sequence[Row], path: str) -> list[Plan]:
    plans, faults = [], []
    for row in rows:
        try:
            plans.append(people.plan(row.newcomer))
        except Unavailable:
            raise
        except DS01Error as exc:
            faults.append((row.line, fault_of(exc)))
    if faults:
        raise FaultyList(path, faults)
    return plans


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(_MOST_BYTES)
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except FileNotFoundError as exc:
        raise NotFound(f"There is no file {file}.") from exc
    except OSError as exc:
        raise Unavailable(f"{file} cannot be read: {exc.strerror}.") from exc
