"""A session with the API: found, opened, and its failures in a sentence that says what next."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ds01_spawner import __version__
from ds01_spawner.client.places import (
    API_VARIABLE,
    HUB_VARIABLE,
    LOGIN,
    SERVICE_PATH,
    TOKEN_VARIABLE,
    Place,
    find,
    opened,
)
from ds01_spawner.domain.errors import DS01Error, Unavailable

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.problems import NotTheApi

_LOOK_AFTER_GATEWAY = "systemctl status ds01-gateway; journalctl -u ds01-gateway says why."
AGENT = f"ds01-cli/{__version__}"


@contextmanager
def connect(
    place: Callable[[], Place] = find, open_client: "Callable[[Place, str], Client]" = opened
) -> "Iterator[Client]":
    """The client of the API that this process may use, to be used in a `with`.

    In this order: `DS01_GATEWAY_SOCKET`, `DS01_API_URL`, `DS01_URL` (and `DS01_TOKEN`), this
    machine's socket, the login that `ds01 login` keeps, the hub that a server belongs to.

    Raises:
        Unavailable: There is no API, or it does not answer; says what to do.
        Unauthenticated: The token does not count any more; says how to get another.
    """
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        NotTheApi,
        Unauthenticated,
        Unreachable,
    )

    found = place()
    with open_client(found, AGENT) as client:
        try:
            yield client
        except (Unauthenticated, Unreachable, NotTheApi) as exc:
            raise explained(exc, found) from exc


def explained(error: DS01Error, place: Place) -> DS01Error:
    """What `error` means for somebody who typed a command, and what they can do."""
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        NotTheApi,
        Unauthenticated,
        Unreachable,
    )

    if isinstance(error, Unauthenticated):
        return Unauthenticated(
            f"{_hub(place)} does not accept your token: it has expired, or was revoked.",
            _new_token(place),
        )
    if isinstance(error, NotTheApi):
        return _not_the_api(error, place)
    if place.socket is not None:
        return Unavailable(
            f"The gateway does not answer on {place.socket}.",
            _LOOK_AFTER_GATEWAY
            if os.geteuid() == 0
            else "Try again in a minute; if it stays so, tell your administrator:"
            " systemctl status ds01-gateway.",
        )
    if isinstance(error, Unreachable) and error.too_slow:
        return Unavailable(f"{_hub(place)} does not answer in time.", "Try again in a minute.")
    return Unavailable(
        f"{_hub(place)} cannot be reached.",
        "Are you online, and in the university's network or VPN if it needs one?"
        " If so, the hub is down: try again in a minute.",
    )


def _not_the_api(error: "NotTheApi", place: Place) -> DS01Error:
    if error.status in {502, 503, 504}:
        return Unavailable(
            f"{_hub(place)} answers, but its gateway does not.",
            "Try again in a minute; if it stays so, tell your administrator:"
            " systemctl status ds01-gateway.",
        )
    return Unavailable(
        f"{_hub(place)} answers {error.status}: there is no DS01 at this address.",
        "Check it: it is what your browser shows when you log in to the hub, up to /hub.",
    )


def _hub(place: Place) -> str:
    address = place.address.removesuffix(SERVICE_PATH)
    return f"The gateway at {address}" if place.origin == API_VARIABLE else f"The hub {address}"


def _new_token(place: Place) -> str:
    address = place.address.removesuffix(SERVICE_PATH)
    if place.origin == LOGIN:
        return f"Log in again: ds01 login {address}"
    if place.origin in {API_VARIABLE, HUB_VARIABLE}:
        return f"Restart your JupyterLab on the hub, or set {TOKEN_VARIABLE} to a fresh token."
    return f"Get another on {address}hub/token and set {TOKEN_VARIABLE} to it."
