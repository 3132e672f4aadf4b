"""Where the API is: on this machine's socket, or behind a hub."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ds01_spawner.client.client import Client
from ds01_spawner.domain.errors import InvalidRequest, Unavailable

SOCKET_VARIABLE = "DS01_GATEWAY_SOCKET"
API_VARIABLE = "DS01_API_URL"
URL_VARIABLE = "DS01_URL"
TOKEN_VARIABLE = "DS01_TOKEN"  # noqa: S105 - the variable's name
USUAL_SOCKET = "/run/ds01/docker.sock"
SERVICE_PATH = "services/ds01/api/"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def on_socket(path: str | Path = USUAL_SOCKET) -> Client:
    """The API of this machine; the kernel says who asks."""
    transport = httpx.HTTPTransport(uds=str(path))
    # No proxy of the environment is asked: nothing leaves the machine.
    return Client(
        httpx.Client(transport=transport, base_url="http://localhost/ds01/", trust_env=False)
    )


def behind_hub(url: str, token: str) -> Client:
    """The API behind a hub.

    Args:
        url: Where people reach the hub: `https://hub.example.org/`.
        token: A token of the hub's.

    Raises:
        InvalidRequest: The address is none, or the token would travel for everybody to read.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidRequest(f"{url!r} is no address of a hub.", "Try: https://hub.example.org/.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise InvalidRequest(
            f"{url} is not encrypted: everybody on the way could read your token.",
            "Use https.",
        )
    return _with_token(f"{url.rstrip('/')}/{SERVICE_PATH}", token)


def from_environment(environment: Mapping[str, str] = os.environ) -> Client:
    """The API that this process may use.

    In this order: the socket that `DS01_GATEWAY_SOCKET` names; the API at `DS01_API_URL`, which
    the hub gives its servers where it is told `GATEWAY_URL`; the hub at `DS01_URL`; the hub that a
    server belongs to; this machine's socket. A token is in `DS01_TOKEN`, or as in servers in
    `JUPYTERHUB_API_TOKEN`.

    Raises:
        InvalidRequest: `DS01_URL` cannot be used.
        Unavailable: There is none, or nothing says who asks.
    """
    if path := environment.get(SOCKET_VARIABLE):
        return on_socket(path)
    if address := environment.get(API_VARIABLE):
        return _with_token(f"{address.rstrip('/')}/", _token(environment, API_VARIABLE))
    if url := environment.get(URL_VARIABLE):
        return behind_hub(url, _token(environment, URL_VARIABLE))
    if public := environment.get("JUPYTERHUB_PUBLIC_HUB_URL"):
        url = public.rstrip("/").removesuffix("/hub")
        return behind_hub(url, _token(environment, "JUPYTERHUB_PUBLIC_HUB_URL"))
    if Path(USUAL_SOCKET).is_socket():
        return on_socket()
    raise Unavailable(
        f"There is no gateway here: {USUAL_SOCKET} does not exist.",
        f"Away from the server, set {URL_VARIABLE} and {TOKEN_VARIABLE}.",
    )


def _token(environment: Mapping[str, str], place: str) -> str:
    token = environment.get(TOKEN_VARIABLE) or environment.get("JUPYTERHUB_API_TOKEN")
    if not token:
        raise Unavailable(
            f"{place} says where the API is, and nothing says who asks.",
            f"Set {TOKEN_VARIABLE} to a token from the hub's page Token.",
        )
    return token


def _with_token(address: str, token: str) -> Client:
    headers = {"Authorization": f"token {token}"}
    return Client(httpx.Client(base_url=address, headers=headers, follow_redirects=False))
