"""A refusal on its way through the hub, which passes sentences on and no figures. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PlatformFault,
    PolicyError,
    QuotaExceeded,
    SettingsFault,
    Unavailable,
)

HEADER = "DS01-Refusal"
"""Of the hub's answer to a start that is refused at once."""

KEY = "refusal"
"""Of the last event of a start that is refused later."""

_KINDS: Mapping[str, type[DS01Error]] = {
    "quota": QuotaExceeded,
    "capacity": NoCapacity,
    "forbidden": Forbidden,
    "invalid": InvalidRequest,
    "not-found": NotFound,
    "conflict": Conflict,
    "unavailable": Unavailable,
    "fault": PlatformFault,
    "settings": SettingsFault,
}
_LONGEST = 4000
"""Of a header, in characters; what is longer goes without figures."""


def facts_of(error: DS01Error) -> dict[str, object] | None:
    """What `error` says, as JSON; `None` for what is of no kind that is passed on."""
    if isinstance(error, PolicyError):
        error = SettingsFault(str(error))
    kind = next((name for name, each in _KINDS.items() if type(error) is each), None)
    if kind is None:
        return None
    facts: dict[str, object] = {
        "kind": kind,
        "message": error.message,
        "next_step": error.next_step,
    }
    if isinstance(error, QuotaExceeded):
        facts |= {
            "limit": error.limit,
            "used": error.used,
            "asked": error.asked,
            "allowed": error.allowed,
            "holders": list(error.holders),
        }
    if isinstance(error, NoCapacity):
        facts["place"] = error.place
    return facts


def header_of(error: DS01Error) -> dict[str, str]:
    """The same as a header: one line of ASCII."""
    facts = facts_of(error)
    text = "" if facts is None else json.dumps(facts)
    return {HEADER: text} if 0 < len(text) <= _LONGEST else {}


def error_in_header(text: str | None) -> DS01Error | None:
    """The error that a header was made from; `None` where it is not there, or is another's."""
    try:
        return error_from(json.loads(text)) if text else None
    except ValueError:
        return None


def error_from(facts: object) -> DS01Error | None:
    """The error that facts were made from; `None` where they are none."""
    if not isinstance(facts, dict):
        return None
    kind = _KINDS.get(str(facts.get("kind")))
    message, next_step = facts.get("message"), facts.get("next_step")
    if kind is None or not isinstance(message, str) or not isinstance(next_step, str):
        return None
    try:
        return _made(kind, message, next_step, facts)
    except (KeyError, TypeError, ValueError):
        return None


def _made(
    kind: type[DS01Error], message: str, next_step: str, facts: Mapping[str, Any]
) -> DS01Error:
    if kind is QuotaExceeded:
        return QuotaExceeded(
            message,
            next_step,
            limit=str(facts["limit"]),
            used=float(facts["used"]),
            asked=float(facts["asked"]),
            allowed=float(facts["allowed"]),
            holders=tuple(map(str, facts["holders"])),
        )
    if kind is NoCapacity:
        return NoCapacity(message, next_step, place=int(facts["place"]))
    return kind(message, next_step)
