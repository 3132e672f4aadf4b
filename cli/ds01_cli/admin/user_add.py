"""`ds01 admin user add`: somebody new."""

from typing import Annotated

import typer

from ds01_cli.admin.administrator import open_to_root
from ds01_cli.frame import guide, printing
from ds01_cli.frame.caller import caller
from ds01_spawner.domain.people import Newcomer
from ds01_spawner.operations.people.people import Plan

ABOUT = "People's accounts are"


def add(  # noqa: PLR0913 - what is said of somebody
    name: Annotated[str, typer.Argument(help="Login name, such as alice.", show_default=False)],
    *,
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="Their group in the policy.")
    ] = "",
    full_name: Annotated[
        str, typer.Option("--full-name", metavar="TEXT", help="Such as 'Alice Liddell'.")
    ] = "",
    notify: Annotated[
        str,
        typer.Option("--notify", metavar="ADDRESS", help="For notices: mailto:…, CHANNEL:ADDRESS."),
    ] = "",
    no_create_home: Annotated[
        bool, typer.Option("--no-create-home", help="Make no home and no folders in it.")
    ] = False,
    hub_only: Annotated[
        bool, typer.Option("--hub-only", help="Make no Unix account: the hub logs them in.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
) -> None:
    """Add somebody: account, home, group, address."""
    people = open_to_root(ABOUT).people
    guide.tell("look")
    plan = people.plan(
        Newcomer(
            name=name,
            full_name=full_name,
            group=group or None,
            notify=notify,
            hub_only=hub_only,
            create_home=not no_create_home,
        )
    )
    if not dry_run:
        guide.tell("make")
        people.carry_out(plan, caller())
    printing.say(told(plan, dry_run=dry_run))
    for note in plan.notes:
        printing.note(note)


def told(plan: Plan, *, dry_run: bool) -> str:
    """What was done for somebody, or would be."""
    name = plan.newcomer.name
    if not plan.steps:
        return f"{name}: nothing is missing."
    words = "; ".join(each.words for each in plan.steps)
    return f"{name} {'would be added' if dry_run else 'added'}: {words}."
