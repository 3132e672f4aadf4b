"""Why the API is not reached, and what to do: the same words however it was asked.

Loads nothing of the client: `ssh-proxy` says them too.
"""

import os

from ds01_spawner.client.places import (
    API_VARIABLE,
    HUB_VARIABLE,
    LOGIN,
    SERVICE_PATH,
    TOKEN_VARIABLE,
    Place,
)
from ds01_spawner.domain.errors import Unavailable

_LATER = "Try again in a minute; if it stays so, tell your administrator:"
_STATUS = "systemctl status ds01-gateway"
_DEMO_SOCKET = ("/run/ds01-demo-", "/docker.sock")


def silent(socket: str) -> Unavailable:
    """Nobody answers on a socket of this server."""
    demo = _demo(socket)
    if os.geteuid() == 0:
        next_step = demo or f"{_STATUS}; journalctl -u ds01-gateway says why."
    else:
        next_step = f"{_LATER} {demo or _STATUS}."
    return Unavailable(f"The gateway does not answer on {socket}.", next_step)


def gateway_down(place: Place) -> Unavailable:
    """The hub answers, and says that the gateway does not."""
    return Unavailable(f"{hub(place)} answers, but its gateway does not.", f"{_LATER} {_STATUS}.")


def no_ds01(place: Place, status: int) -> Unavailable:
    """Somebody else answers."""
    return Unavailable(
        f"{hub(place)} answers {status}: there is no DS01 at this address.",
        "Check it: it is what your browser shows when you log in to the hub, up to /hub.",
    )


def out_of_reach(place: Place) -> Unavailable:
    """Nobody answers."""
    return Unavailable(
        f"{hub(place)} cannot be reached.",
        "Are you online, and in the university's network or VPN if it needs one?"
        " If so, the hub is down: try again in a minute.",
    )


def late(place: Place) -> Unavailable:
    """The answer takes too long."""
    return Unavailable(f"{hub(place)} does not answer in time.", "Try again in a minute.")


def token_refused(place: Place) -> tuple[str, str]:
    """That the token does not count, and how to get another."""
    said = f"{hub(place)} does not accept your token: it has expired, or was revoked."
    return said, _new_token(place)


def hub(place: Place) -> str:
    """What a place away from this server's socket is called, at the begin of a sentence."""
    address = place.address.removesuffix(SERVICE_PATH)
    return f"The gateway at {address}" if place.origin == API_VARIABLE else f"The hub {address}"


def _new_token(place: Place) -> str:
    address = place.address.removesuffix(SERVICE_PATH)
    if place.origin == LOGIN:
        return f"Log in again: ds01 login {address}"
    if place.origin in {API_VARIABLE, HUB_VARIABLE}:
        return f"Restart your JupyterLab on the hub, or set {TOKEN_VARIABLE} to a fresh token."
    return f"Get another on {address}hub/token and set {TOKEN_VARIABLE} to it."


def _demo(socket: str) -> str:
    """What starts the gateway of a demo; empty where the socket is no demo's."""
    before, behind = _DEMO_SOCKET
    port = socket.removeprefix(before).removesuffix(behind)
    is_demo = port.isdecimal() and socket == f"{before}{port}{behind}"
    return f"script/demo --port {port}" if is_demo else ""
