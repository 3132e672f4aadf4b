"""`ds01 login`: use a server from one's own computer."""

import re
import sys
from dataclasses import replace
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session, waiting
from ds01_spawner.client import places
from ds01_spawner.client.logins import Login, keep_login
from ds01_spawner.domain.errors import InvalidRequest

_PAGES = re.compile(r"/(hub|user|services)(/.*)?$")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LONGEST_TOKEN = 4096


def login(
    url: Annotated[str, typer.Argument(help="The hub's address: https://hub.example.org")],
    *,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input.")
    ] = False,
) -> None:
    """Use the server from your own computer.

    You need a token of the hub; the command says where to get it.
    """
    address = places.hub_address(hub_of(url))
    guide.tell("token")
    token = _token(address, from_stdin=token_stdin)
    guide.tell("check")
    user = _checked(address, token)
    path = keep_login(Login(address, token, user))
    printing.say(f"You are logged in to {address} as {user}. The token is kept in {path}.")
    printing.say("Try: ds01 container list. To forget the token: ds01 logout.")
    if (used := places.find().origin) != places.LOGIN:
        printing.note(f"Here {used} goes before your login, and is used instead.")


def hub_of(text: str) -> str:
    """The address of the hub, from what somebody copied out of a browser."""
    text = text.strip().split("#")[0].split("?")[0]
    text = text if _SCHEME.match(text) else f"https://{text}"
    return _PAGES.sub("", text.rstrip("/"))


def _token(address: str, *, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.readline(_LONGEST_TOKEN + 2).strip()
    else:
        if asking.can_ask():
            printing.console(stderr=True).print(
                f"Open {address}hub/token in your browser, press Request new API token,"
                " and copy what it shows."
            )
        token = asking.secret("Token (it is not shown while you paste it)", flag="--token-stdin")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidRequest(
            "That is no token: it is one word of letters and figures.",
            f"Copy it again from {address}hub/token.",
        )
    return token


def _checked(address: str, token: str) -> str:
    """Whose token it is.

    Raises:
        Unauthenticated: Nobody's.
        Unavailable: The hub or its gateway does not answer.
    """
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        Unauthenticated,
    )

    place = replace(places.hub_place(address, token), origin=places.LOGIN)
    try:
        with waiting.status("Asking the hub …"), session.connect(lambda: place) as client:
            return client.me().user
    except Unauthenticated as exc:
        raise Unauthenticated(
            f"The hub {address} does not know this token.",
            f"Copy it again, or request another: {address}hub/token",
        ) from exc
