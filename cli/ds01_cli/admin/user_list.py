"""`ds01 admin user list`: everybody."""

from typing import Annotated, Any

import typer

from ds01_cli.admin.administrator import open_to_root
from ds01_cli.frame import guide, printing
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.people import AccountEntry
from ds01_spawner.domain.wording import size
from ds01_spawner.operations.people.register import KnownPerson

_HEADS = ("NAME", "FULL NAME", "ACCOUNT", "GROUP", "FROM", "CONTAINERS", "STORAGE")


def list_people(
    *,
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="Only people of this group.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List everybody known here."""
    platform = open_to_root("The list of everybody is")
    guide.tell("look")
    groups = platform.policy.current().groups
    if group and group not in groups:
        raise NotFound(f"The policy has no group {group!r}.", f"Its groups: {', '.join(groups)}.")
    found = platform.register.everybody(group or None)
    if as_json:
        printing.print_json({"people": [_facts(each) for each in found]})
        return
    printing.table(_HEADS, map(_row, found), right=("CONTAINERS",), empty="Nobody.")


def _row(person: KnownPerson) -> tuple[str, ...]:
    account = person.account
    running = f" ({person.running} run)" if person.running else ""
    used = "" if person.storage_bytes is None else size(person.storage_bytes)
    limit = person.storage_limit_bytes
    return (
        person.name,
        "" if account is None else account.full_name,
        _kind(account) + (", closed" if account is not None and account.is_closed else ""),
        person.group or "",
        "" if person.membership is None else str(person.membership),
        f"{person.containers}{running}",
        f"{used} of {size(limit)}" if used and limit is not None else used,
    )


def _facts(person: KnownPerson) -> dict[str, Any]:
    account, membership = person.account, person.membership
    return {
        "name": person.name,
        "full_name": None if account is None else account.full_name,
        "account": _kind(account),
        "closed": account is not None and account.is_closed,
        "uid": None if account is None else account.uid,
        "home": None if account is None else account.home,
        "group": person.group,
        "group_source": None if membership is None else membership.source.value,
        "group_place": None if membership is None else membership.place or None,
        "containers": person.containers,
        "running": person.running,
        "storage_bytes": person.storage_bytes,
        "storage_limit_bytes": person.storage_limit_bytes,
    }


def _kind(account: AccountEntry | None) -> str:
    if account is None:
        return "none"
    return "local" if account.is_local else "directory"
