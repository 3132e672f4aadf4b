"""`ds01 admin bare-metal`: the GPUs outside of containers, for one person and for a time."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

import typer

from ds01_cli.admin.administrator import open_to_root
from ds01_cli.frame import guide, printing
from ds01_cli.frame.caller import caller
from ds01_cli.frame.flags import Json
from ds01_cli.frame.printing import counted
from ds01_spawner.domain.bare_metal import BareMetalGrant, NodeHolder
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.domain.wording import clean, length
from ds01_spawner.operations.doors.bare_metal_rules import Overview, Standing

ABOUT = "Access to the GPUs' device files is"

_HEADS = ("NAME", "UNTIL", "FILES", "BY", "REASON")
_User = Annotated[str, typer.Argument(metavar="NAME", help="Login name.", show_default=False)]


def grant(
    user: _User,
    *,
    duration: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="For how long, such as 8h.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a few words.")],
    as_json: Json = False,
) -> None:
    """Let somebody use the GPUs outside of containers.

    It ends by itself. Typed again, the new time takes the place of the one before.
    """
    span = _span(duration)
    platform = open_to_root(ABOUT)
    guide.tell("check")
    made = platform.bare_metal.grant(user, span, reason, caller())
    guide.tell("open")
    if as_json:
        printing.print_json(_facts(made))
        return
    printing.say(
        f"{made.user} may use the GPUs outside of containers until {printing.clock(made.until)}. "
        f"To take it back: ds01 admin bare-metal revoke {made.user}"
    )
    for sentence in _strays(platform.bare_metal.overview()):
        printing.note(sentence)


def revoke(user: _User, *, as_json: Json = False) -> None:
    """Take that back now."""
    platform = open_to_root(ABOUT)
    guide.tell("close")
    taken, holders = platform.bare_metal.revoke(user, caller())
    if as_json:
        printing.print_json({**_facts(taken), "still_open": [_holder(each) for each in holders]})
        return
    printing.say(f"{taken.user} gets no GPU outside of containers any more.")
    for each in holders:
        printing.note(
            f"Process {each.pid} ({clean(each.name or '?')}) still has one open: kill {each.pid}"
        )


def list_grants(*, as_json: Json = False) -> None:
    """List who may, until when, and why."""
    platform = open_to_root(ABOUT)
    guide.tell("look")
    found = platform.bare_metal.overview()
    if as_json:
        printing.print_json(_overview(found))
        return
    rows = (_row(each, found) for each in found.standings)
    printing.table(_HEADS, rows, empty="Nobody may use the GPUs outside of containers now.")
    for sentence in _strays(found):
        printing.note(sentence)


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--for") from exc


def _row(standing: Standing, found: Overview) -> tuple[str, ...]:
    given = standing.grant
    until = "over" if standing.is_over else printing.clock(given.until)
    nodes = f"{len(standing.nodes)} of {len(found.nodes)}"
    return given.user, until, nodes, clean(given.granted_by), clean(given.reason)


def _strays(found: Overview) -> Iterable[str]:
    if found.everybodys:
        yield (
            f"Everybody may open {', '.join(found.everybodys)}, so that this changes nothing: "
            "ds01 admin doors"
        )
    for uid, nodes in found.strays.items():
        yield (
            f"The user {uid} may open {counted(len(nodes), 'device file')} and has no access by "
            f"this installation: setfacl -x u:{uid} {' '.join(nodes)}"
        )


def _overview(found: Overview) -> dict[str, Any]:
    return {
        "grants": [
            {**_facts(each.grant), "over": each.is_over, "nodes": list(each.nodes)}
            for each in found.standings
        ],
        "without_grant": [
            {"uid": uid, "nodes": list(nodes)} for uid, nodes in found.strays.items()
        ],
        "nodes": list(found.nodes),
        "open_to_everybody": list(found.everybodys),
    }


def _facts(given: BareMetalGrant) -> dict[str, Any]:
    return {
        "user": given.user,
        "uid": given.uid,
        "reason": given.reason,
        "granted_by": given.granted_by,
        "granted_at": format_timestamp(given.granted_at),
        "until": format_timestamp(given.until),
        "for": length(given.duration),
        "warned_at": None if given.warned_at is None else format_timestamp(given.warned_at),
    }


def _holder(each: NodeHolder) -> dict[str, Any]:
    return {"pid": each.pid, "name": each.name, "nodes": list(each.nodes)}
