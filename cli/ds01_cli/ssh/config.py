"""`ds01 ssh-config`: makes this computer's own SSH client find one's containers."""

from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session, waiting
from ds01_cli.ssh import setup
from ds01_spawner.recipes.ssh_config import host_of

_QUESTION = "Add one line to {}, so that ssh and editors find your containers?"


def ssh_config(
    *,
    identity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use this private key of yours, not one made for this."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Add the line without asking.")] = False,
    no_include: Annotated[
        bool, typer.Option("--no-include", help="Leave your own SSH configuration as it is.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take it all back; keys stay registered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Let ssh, scp, rsync and editors find your containers."""
    if remove:
        _remove(as_json=as_json)
        return
    guide.tell("key")
    with waiting.status("Asking for your containers' key …"), session.connect() as client:
        where, is_new = setup.prepare(client, identity)
        names = [each.name for each in client.containers().containers]
    guide.tell("include")
    included = setup.is_included(where)
    if not included and not no_include:
        included = yes or asking.confirm(_QUESTION.format(where.own_config), default=True)
        if included:
            setup.include(where)
    if as_json:
        facts = {"config": str(where.config), "included": included, "key_added": is_new}
        printing.print_json({**facts, "hosts": [host_of(name) for name in names]})
        return
    _tell(where, names, included=included, is_new=is_new)


def _tell(where: setup.Files, names: list[str], *, included: bool, is_new: bool) -> None:
    if is_new:
        printing.say("Your containers know the key of this computer now.")
    example = host_of(names[0] if names else "NAME")
    if included:
        printing.say(f"Each container is a host that ends in .ds01: ssh {example}")
        printing.say("Editors show them, too: ds01 vscode")
    else:
        printing.say(f"Use it with: ssh -F {where.config} {example}")


def _remove(*, as_json: bool) -> None:
    where = setup.files()
    had = setup.leave_out(where)
    for file in (where.config, where.known_hosts):
        file.unlink(missing_ok=True)
    if as_json:
        printing.print_json(
            {"config": str(where.config), "removed": had, "identity": str(where.identity)}
        )
        return
    printing.say(
        f"{where.own_config} is as it was before." if had else "There was nothing to take back.",
        f"The key stays: {where.identity}. ds01 ssh makes the rest anew.",
    )
