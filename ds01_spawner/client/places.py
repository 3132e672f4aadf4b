"""Where the API is: on this machine's socket, or behind a hub."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ds01_spawner.client.logins import Login, read_login
from ds01_spawner.domain.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from ds01_spawner.client.client import Client

SOCKET_VARIABLE = "DS01_GATEWAY_SOCKET"
API_VARIABLE = "DS01_API_URL"
URL_VARIABLE = "DS01_URL"
TOKEN_VARIABLE = "DS01_TOKEN"  # noqa: S105 - the variable's name
HUB_VARIABLE = "JUPYTERHUB_PUBLIC_HUB_URL"
USUAL_SOCKET = "/run/ds01/docker.sock"
SERVICE_PATH = "services/ds01/api/"
LOGIN = "ds01 login"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API is, and what says who asks. Nothing has been connected yet.

    Attributes:
        origin: What named it: a variable, `ds01 login`, or the socket's path.
        address: The API below which its paths are; ends in `/`.
        socket: The Unix socket, where it is one of this machine; the kernel says who asks.
        token: Of the hub, where it is behind one.
    """

    origin: str
    address: str
    socket: str | None = None
    token: str | None = field(default=None, repr=False)


def socket_place(path: str | Path = USUAL_SOCKET, origin: str = "") -> Place:
    """A socket of this machine."""
    return Place(origin or str(path), "http://localhost/ds01/", socket=str(path))


def hub_place(url: str, token: str, origin: str = URL_VARIABLE) -> Place:
    """The API behind a hub.

    Args:
        url: Where people reach the hub: `https://hub.example.org/`.
        token: A token of the hub's.
        origin: What named it.

    Raises:
        InvalidRequest: The address is none, or the token would travel for everybody to read.
    """
    return Place(origin, f"{hub_address(url)}{SERVICE_PATH}", token=token)


def hub_address(url: str) -> str:
    """Where people reach the hub, ending in `/`.

    Raises:
        InvalidRequest: It is no address, or a token would travel to it for everybody to read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise InvalidRequest(f"{url!r} is no address of a hub.", "Try: https://hub.example.org/.")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "A password does not belong into the address of a hub.",
            f"Leave it out: {parts.scheme}://{host}{f':{port}' if port else ''}/.",
        )
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise InvalidRequest(
            f"{url} is not encrypted: everybody on the way could read your token.",
            "Use https.",
        )
    return f"{url.rstrip('/')}/"


def find(
    environment: Mapping[str, str] = os.environ,
    login: Callable[[], Login | None] = read_login,
) -> Place:
    """The API that this process may use; loads nothing of the client.

    In this order: the socket that `DS01_GATEWAY_SOCKET` names; the API at `DS01_API_URL`, which
    the hub gives its servers where it is told `GATEWAY_URL`; the hub at `DS01_URL`; this machine's
    socket; the login that `ds01 login` keeps; the hub that a server belongs to. A token is in
    `DS01_TOKEN`, or as in servers in `JUPYTERHUB_API_TOKEN`.

    Raises:
        InvalidRequest: `DS01_URL` cannot be used.
        Unavailable: There is none, or nothing says who asks.
    """
    if path := environment.get(SOCKET_VARIABLE):
        return socket_place(path, SOCKET_VARIABLE)
    if address := environment.get(API_VARIABLE):
        token = _token(environment, API_VARIABLE)
        return Place(API_VARIABLE, f"{address.rstrip('/')}/", token=token)
    if url := environment.get(URL_VARIABLE):
        return hub_place(url, _token(environment, URL_VARIABLE))
    if Path(USUAL_SOCKET).is_socket():
        return socket_place(USUAL_SOCKET)
    if (kept := login()) is not None:
        return hub_place(kept.url, kept.token, LOGIN)
    if public := environment.get(HUB_VARIABLE):
        url = public.rstrip("/").removesuffix("/hub")
        return hub_place(url, _token(environment, HUB_VARIABLE), HUB_VARIABLE)
    raise Unavailable(
        f"There is no gateway here: {USUAL_SOCKET} does not exist.",
        "Away from the server, log in: ds01 login https://hub.example.org"
        f" (programs set {URL_VARIABLE} and {TOKEN_VARIABLE}).",
    )


def opened(place: Place, agent: str | None = None) -> "Client":
    """The client of a place.

    Args:
        place: Where the API is.
        agent: The program that asks, as `User-Agent`.
    """
    import ssl  # noqa: PLC0415 - what only looks for the place does without

    import httpx  # noqa: PLC0415 - the same

    from ds01_spawner.client.client import Client  # noqa: PLC0415 - it loads httpx and pydantic

    headers = {} if agent is None else {"User-Agent": agent}
    # No TLS: the authorities that others need would take 20 ms of CPU to load.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if place.socket is not None:
        transport = httpx.HTTPTransport(uds=place.socket, verify=nobody)
        # No proxy of the environment is asked: nothing leaves the machine.
        return Client(
            httpx.Client(
                transport=transport, base_url=place.address, headers=headers, trust_env=False
            ),
            socket=place.socket,
        )
    headers["Authorization"] = f"token {place.token}"
    return Client(
        httpx.Client(
            base_url=place.address,
            headers=headers,
            follow_redirects=False,
            verify=nobody if place.address.startswith("http://") else True,
        )
    )


def on_socket(path: str | Path = USUAL_SOCKET) -> "Client":
    """The API of this machine; the kernel says who asks."""
    return opened(socket_place(path))


def behind_hub(url: str, token: str) -> "Client":
    """The API behind a hub; see `hub_place`."""
    return opened(hub_place(url, token))


def from_environment(environment: Mapping[str, str] = os.environ) -> "Client":
    """The API that this process may use; see `find`."""
    return opened(find(environment))


def _token(environment: Mapping[str, str], place: str) -> str:
    token = environment.get(TOKEN_VARIABLE) or environment.get("JUPYTERHUB_API_TOKEN")
    if not token:
        raise Unavailable(
            f"{place} says where the API is, and nothing says who asks.",
            f"Set {TOKEN_VARIABLE} to a token from the hub's page Token.",
        )
    return token
