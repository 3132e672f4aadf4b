"""The way into a container from elsewhere: a websocket through the hub, with one's token."""

import os
import socket
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ds01_cli.frame import no_api
from ds01_cli.ssh.answers import refusal
from ds01_cli.ssh.pump import Opened
from ds01_spawner.client.places import SERVICE_PATH, Place
from ds01_spawner.domain.errors import DS01Error, Forbidden, Unavailable

if TYPE_CHECKING:
    from websockets.http11 import Response

_CONNECT_SECONDS = 20.0
_ANSWER_SECONDS = 120.0
"""A container that is stopped is started before there is an answer."""

_SWITCHED, _UNAUTHENTICATED = 101, 401
_GATEWAY_DOWN = frozenset({502, 503, 504})


def opened(place: Place, name: str) -> Opened:
    """A connection to the SSH server of one's own container.

    Raises:
        DS01Error: There is none; says why.
    """
    sock = _connected(place)
    key = b64encode(os.urandom(16)).decode()
    try:
        sock.settimeout(_ANSWER_SECONDS)
        sock.sendall(_handshake(place, name, key))
        # Loaded while the server works: it takes as long.
        from ds01_cli.ssh.websocket_line import answered  # noqa: PLC0415

        response, is_one, line = answered(sock, key, name)
    except TimeoutError as exc:
        raise no_api.late(place) from exc
    except OSError as exc:
        raise no_api.out_of_reach(place) from exc
    if response is None or not is_one:
        raise _refused(place, response)
    keys = tuple(response.headers.get_all("DS01-SSH-Host-Key"))
    return Opened(line, keys, response.headers.get("DS01-SSH-Started") == "1")


def _handshake(place: Place, name: str, key: str) -> bytes:
    """RFC 6455, section 4.1."""
    parts = urlsplit(place.address)
    lines = (
        f"GET {parts.path}ssh/tunnel/{quote(name, safe='')} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: token {place.token}",
        "User-Agent: ds01-cli",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _connected(place: Place) -> socket.socket:
    parts = urlsplit(place.address)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    try:
        sock = socket.create_connection((host, port), _CONNECT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(sock, host) if secure else sock
    except OSError as exc:
        raise no_api.out_of_reach(place) from exc


def _secured(sock: socket.socket, host: str) -> socket.socket:
    import ssl  # noqa: PLC0415 - only where it is needed

    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as exc:
        raise Unavailable(
            f"The certificate of {host} is not valid here: {exc.verify_message}.",
            "Is it the right address? If so, tell your administrator.",
        ) from exc


def _refused(place: Place, response: "Response | None") -> DS01Error:
    if response is None:
        return no_api.gateway_down(place)
    status = response.status_code
    if status == _SWITCHED:
        return Unavailable(
            f"Something between here and {place.address.removesuffix(SERVICE_PATH)} does not pass"
            " websockets on.",
            "Is there a proxy? Ask who runs it to let websockets through.",
        )
    if status == _UNAUTHENTICATED:
        return Forbidden(*no_api.token_refused(place))
    known = refusal(status, bytes(response.body or b""))
    if known is not None:
        return known
    down = status in _GATEWAY_DOWN
    return no_api.gateway_down(place) if down else no_api.no_ds01(place, status)
