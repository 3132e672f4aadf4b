"""`ds01 policy explain`: what somebody may use, and what says so."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_cli.frame import guide
from ds01_cli.frame.platform_files import policy_file
from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.policy_files import read_policy
from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.names import check_user
from ds01_spawner.policy.exemptions import rules_in_words, until_in_words
from ds01_spawner.policy.resolution import Explanation
from ds01_spawner.policy.wording import explanation_to_json, in_words


def explain(
    user: Annotated[str, typer.Argument(help="Whose limits.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: seconds, bytes, null for unlimited.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Policy file.", show_default=False),
    ] = None,
    hub_group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP",
            help="A JupyterHub group of theirs; only the hub knows them. Repeatable.",
        ),
    ] = None,
) -> None:
    """Show what somebody may use, and what says so."""
    guide.tell("look")
    check_user(user)
    path = policy or policy_file()
    loaded = read_policy(path).load()
    explanation = loaded.policy.explain(user, hub_group or (), _unix_groups(user))
    if as_json:
        typer.echo(json.dumps(explanation_to_json(explanation), indent=2, ensure_ascii=False))
    else:
        _show(explanation, path)


def _unix_groups(user: str) -> Sequence[str]:
    try:
        account = UnixAccounts().lookup(user)
    except (Forbidden, Unavailable) as exc:
        typer.echo(f"note: Unix groups are left out: {exc}", err=True)
        return ()
    return account.groups if account else ()


def _show(explanation: Explanation, path: Path) -> None:
    console = Console(highlight=False)
    console.print(Text(explanation.user, style="bold"), soft_wrap=True)
    for place, membership in enumerate(explanation.memberships):
        rank = "in group" if place == 0 else "and in  "
        console.print(Text(f"  {rank} {membership.group}: {membership}"), soft_wrap=True)
    if not explanation.memberships:
        console.print("  in no group: the defaults apply")
    if explanation.reason:
        console.print(
            Text(f"  reason for limits of their own: {explanation.reason}"), soft_wrap=True
        )
    for exemption in explanation.exemptions:
        console.print(Text(f"  {_exemption(exemption)}"), soft_wrap=True)
    console.print(Text(f"  as {path} says"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("limit", no_wrap=True)
    table.add_column("value", no_wrap=True)
    table.add_column("from", overflow="fold")
    table.add_column("line", justify="right", style="dim")
    section = ""
    for key, resolved in explanation.limits.items():
        if (here := key.partition(".")[0] if "." in key else "") != section:
            section = here
            table.add_row()
        table.add_row(
            Text(key),
            Text(in_words(key, resolved.value)),
            Text(resolved.origin.replace("group:", "group ").replace("builtin", "built in")),
            Text((resolved.source or "").rpartition(":")[2]),
        )
    console.print()
    console.print(table)


def _exemption(exemption: Exemption) -> str:
    """`exempt from idle_timeout (thesis-run) until the end of 2026-12-31: thesis (line 7)`."""
    held = "exempt" if exemption.until > datetime.now(UTC) else "was exempt"
    which = "" if exemption.container is None else f" ({exemption.container})"
    until = until_in_words(exemption.until, SystemZone())
    return (
        f"{held} from {rules_in_words(exemption)}{which} until {until}: {exemption.reason} "
        f"({exemption.source})"
    )
