"""What an action has done, told once: on the page that the browser goes to next."""

import json
from dataclasses import dataclass

from jupyterhub.utils import get_browser_protocol
from tornado.web import RequestHandler

COOKIE = "ds01-said"
SECONDS = 60
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Flash:
    """A sentence for one person.

    Attributes:
        text: What was done.
    """

    text: str


def keep(handler: RequestHandler, prefix: str, user: str, text: str) -> None:
    """Have it told by the next page."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    value = json.dumps([user, cut])
    secure = get_browser_protocol(handler.request) == "https"  # behind the hub's proxy, too
    handler.set_signed_cookie(
        COOKIE, value, path=prefix, max_age=SECONDS, httponly=True, samesite="Lax", secure=secure
    )


def take(handler: RequestHandler, prefix: str, user: str) -> Flash | None:
    """What is to be told, once; not to somebody else at the same browser."""
    if handler.get_cookie(COOKIE) is None:
        return None
    handler.clear_cookie(COOKIE, path=prefix)
    signed = handler.get_signed_cookie(COOKIE, max_age_days=SECONDS / 86_400)
    try:
        whose, text = json.loads(signed or b"[]")
    except ValueError:
        return None
    return Flash(str(text)) if whose == user else None
