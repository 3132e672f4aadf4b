"""`ds01 admin doors`: ways past the platform, and how to close them."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Annotated

import typer

from ds01_cli.admin.administrator import open_to_administrator
from ds01_cli.frame import guide
from ds01_cli.frame.caller import caller
from ds01_spawner.domain.door import Finding
from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.operations.doors.doors import Doors

_INDENT = "           "


def doors(
    *,
    fix: Annotated[str, typer.Option("--fix", metavar="NAME", help="Close this door.")] = "",
    undo: Annotated[
        str, typer.Option("--undo", metavar="NAME", help="Make it as it was before --fix.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: only say what would change.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Find ways past the platform, and close them.

    What --fix changes is said first, written to the audit log, and undone by --undo.
    """
    if fix and undo:
        raise typer.BadParameter("Name a door to close or one to undo, not both.")
    if os.geteuid() != 0:
        raise Forbidden("The machine's doors are for root.", "Try it with sudo.")
    platform = open_to_administrator()
    found, is_demo = platform.doors, platform.directories.is_demo
    if fix and is_demo:
        raise InvalidRequest(
            "This is a demo: the machine is not changed for it.",
            f"The machine's own installation closes {fix}.",
        )
    guide.tell("look")
    if fix:
        _fix(found, fix, dry_run=dry_run)
    elif undo:
        typer.echo("\n".join(found.undo(undo, caller())) or "Nothing had to be done.")
    elif as_json:
        listed = [asdict(each) for each in _shown(found, is_demo=is_demo)]
        typer.echo(json.dumps({"doors": listed}, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_told(_shown(found, is_demo=is_demo))))
        if is_demo:
            typer.echo("This is a demo: the machine is not changed for it.")


def _shown(found: Doors, *, is_demo: bool) -> list[Finding]:
    """Every door; for a demo, which goes away again, without what would change the machine."""
    return [replace(each, changes=(), by_hand="") if is_demo else each for each in found.look()]


def _fix(found: Doors, name: str, *, dry_run: bool) -> None:
    before = found.find(name)
    for change in before.changes:
        typer.echo(f"{'would change' if dry_run else 'changes'}: {change}")
    guide.tell("close")
    if dry_run:
        typer.echo(before.by_hand or "Nothing else is to be done.")
        return
    after = found.fix(name, caller())
    typer.echo(f"{after.what} To undo: ds01 admin doors --undo {name}")
    if after.by_hand:
        typer.echo(f"note: {after.by_hand}")


def _told(findings: Iterable[Finding]) -> Iterable[str]:
    for each in sorted(findings, key=lambda each: not each.is_open):
        yield f"{'OPEN' if each.is_open else 'closed':<7}    {each.name}: {each.what}"
        if each.is_open:
            yield from _advice(each)
        if each.closed_at:
            yield (
                f"{_INDENT}Closed from here {each.closed_at}; undo: ds01 admin doors --undo"
                f" {each.name}"
            )


def _advice(finding: Finding) -> Iterable[str]:
    if finding.why:
        yield f"{_INDENT}{finding.why}"
    if finding.changes:
        yield f"{_INDENT}ds01 admin doors --fix {finding.name}"
        yield from (f"{_INDENT}  {change}" for change in finding.changes)
    if finding.by_hand:
        yield f"{_INDENT}{finding.by_hand}"
