"""`ds01 admin user remove`: somebody leaves."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ds01_cli.admin.administrator import open_to_root
from ds01_cli.admin.user_add import ABOUT
from ds01_cli.frame import asking, guide, printing
from ds01_cli.frame.caller import caller
from ds01_cli.frame.printing import counted
from ds01_spawner.composition import Platform, open_hub, open_hub_people
from ds01_spawner.domain import labels
from ds01_spawner.domain.people import Thing, ThingKind
from ds01_spawner.domain.wording import size
from ds01_spawner.operations.people.removal import Departure
from ds01_spawner.policy.resolution import MemberSource


def remove(
    name: Annotated[str, typer.Argument(help="Login name.", show_default=False)],
    *,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete home, volumes and images as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go and what would stay.")
    ] = False,
) -> None:
    """Remove somebody; their files stay unless you say otherwise."""
    platform = open_to_root(ABOUT)
    guide.tell("look")
    departures = platform.departures(
        open_hub(platform.directories), open_hub_people(platform.directories)
    )
    found = departures.look(name, delete_data=delete_data)
    by_hand = list(_by_hand(platform, found))
    if found.is_nothing:
        printing.say(f"{name}: nothing of them is left to remove.")
        _note(by_hand)
        return
    printing.say("This goes:", *(f"  - {each}" for each in _going(found)))
    printing.say("This stays:", *(f"  - {each}" for each in _staying(found)))
    _note(by_hand)
    if dry_run:
        return
    if not yes and not asking.confirm(f"Remove {name}?"):
        printing.say("Nothing was removed.")
        return
    guide.tell("remove")
    departures.carry_out(found, caller(), lambda words: printing.note(f"{words} …"))
    printing.say(f"{name} is removed.")


def _note(sentences: Iterable[str]) -> None:
    for each in sentences:
        printing.note(each)


def _going(found: Departure) -> Iterable[str]:
    account = found.account
    if account is not None and account.is_local:
        if found.delete_data:
            yield f"the Unix account (uid {account.uid}) and the home {account.home}{_size(found)}"
        elif not account.is_closed:
            yield f"the way in: nobody can log in as {found.user} any more"
    if found.containers:
        names = _joined(labels.name_of(each.labels, each.name) for each in found.containers)
        running = sum(each.state.is_live for each in found.containers)
        runs = f", {running} of which {'runs' if running == 1 else 'run'}" if running else ""
        yield f"{counted(len(found.containers), 'container')}{runs}: {names}"
    if found.tickets:
        yield f"{counted(len(found.tickets), 'place')} in the queue for a GPU"
    if found.keys:
        yield counted(len(found.keys), "SSH key")
    yield from _lists(found)
    yield from _things(found.going)


def _lists(found: Departure) -> Iterable[str]:
    """Where their name goes."""
    for place in (found.groups or {}).values():
        yield f"the line {place}"
    for channel, address in (found.addresses or {}).items():
        yield f"the address {address} ({channel})"
    if found.unix_groups:
        yield f"membership of the Unix groups {_joined(found.unix_groups)}"
    if found.hub.goes:
        yield "their entry in the hub, with all of their tokens"


def _staying(found: Departure) -> Iterable[str]:
    account = found.account
    if account is not None and not account.is_local:
        yield f"the account and the home {account.home}{_size(found)}: they are a directory's"
    elif account is not None and not found.delete_data:
        yield (
            f"the home {account.home}{_size(found)}, and the uid {account.uid}, so that nobody"
            " else gets those files"
        )
    yield from _things([each for each in found.things if each not in found.going])
    yield "what the audit log says of them"


def _by_hand(platform: Platform, found: Departure) -> Iterable[str]:
    """What the command leaves to the administrator."""
    policy, user = platform.policy.current(), found.user
    account = found.account
    if account is not None and not account.is_local:
        yield f"The account {user} is a directory's: close it there."
    elif found.closes and not found.delete_data:
        yield f"Whoever is logged in now stays so: end it with loginctl terminate-user {user}."
    for each in policy.memberships(user):
        if each.source is MemberSource.POLICY:
            yield f"Take {user} out of the group {each.group} by hand: {each.place}."
    if own := [each for each in policy.explain(user).limits.values() if each.origin == "user"]:
        yield f"Take their own limits out of the policy by hand: {own[0].source}."
    for exemption in policy.exemptions:
        if exemption.user == user:
            yield f"Take their exemption out by hand: {exemption.source}."
    yield from _in_hub(found)
    yield (
        "If the hub logs people in otherwise than by their Unix accounts, take them out there too."
    )


def _in_hub(found: Departure) -> Iterable[str]:
    entry, user = found.hub, found.user
    if entry.is_known is False or entry.goes:
        return
    if entry.is_known:
        yield (
            f"The hub lists {user}, and their tokens stay valid there: delete them on its admin "
            "page. With a token that may, this command does it: docs/people.md."
        )
        return
    why = f" ({entry.trouble})" if entry.trouble else ""
    yield (
        f"The hub was not asked{why}. If it lists {user}, delete them on its admin page: until "
        "then their tokens stay valid there."
    )


def _things(things: Sequence[Thing]) -> Iterable[str]:
    for kind in ThingKind:
        if names := [each.name for each in things if each.kind is kind]:
            yield f"{counted(len(names), kind.value)}: {_joined(names)}"


def _size(found: Departure) -> str:
    return "" if found.storage is None else f" ({size(found.storage.size_bytes)})"


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
