"""The way into a container from elsewhere: a websocket through the hub, with one's token."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from ds01_cli.ssh.answers import Greeting, refusal
from ds01_cli.ssh.pump import MESSAGES, Opened
from ds01_spawner.client.places import LOGIN, SERVICE_PATH, Place
from ds01_spawner.domain.errors import DS01Error, Forbidden, Unavailable

_CONNECT_SECONDS = 20.0
_ANSWER_SECONDS = 120.0
_MOST_BYTES = 1024 * 1024
_UNAUTHENTICATED = 401
_GATEWAY_DOWN = frozenset({502, 503, 504})
_SECURE = {"http": "ws", "https": "wss"}


def opened(place: Place, name: str) -> Opened:
    """A connection to the SSH server of one's own container.

    Raises:
        DS01Error: There is none; says why.
    """
    scheme, _, below = place.address.partition("://")
    address = f"{_SECURE[scheme]}://{below}ssh/tunnel/{quote(name, safe='')}"
    sock = _connected(place)
    sock.settimeout(_ANSWER_SECONDS)
    protocol = ClientProtocol(parse_uri(address), max_size=_MOST_BYTES)
    request = protocol.connect()
    request.headers["Authorization"] = f"token {place.token}"
    request.headers["User-Agent"] = "ds01-cli"
    protocol.send_request(request)
    try:
        for data in protocol.data_to_send():
            sock.sendall(data)
        response, rest = _response(sock, protocol)
    except OSError as exc:
        raise _unreachable(place) from exc
    error = protocol.handshake_exc
    if error is not None or response is None:
        raise _refused(place, error, response) from error
    keys = tuple(response.headers.get_all("DS01-SSH-Host-Key"))
    started = response.headers.get("DS01-SSH-Started") == "1"
    sock.settimeout(None)
    return Opened(WebSocketLine(sock, protocol, name, rest), keys, started)


class WebSocketLine:
    """Binary messages are what the server says and hears; a text message is its last words."""

    def __init__(
        self, sock: socket.socket, protocol: ClientProtocol, name: str, received: Sequence[Event]
    ) -> None:
        self.sock = sock
        self._received = received
        self._greeting = Greeting(name)
        self._protocol = protocol
        self._kind = Opcode.BINARY

    @property
    def is_over(self) -> bool:
        """Whether the connection has been closed."""
        return self._protocol.state is State.CLOSED

    def said(self, data: bytes) -> bytes:
        """One message."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
        return self.answer()

    def heard(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What the messages hold."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        yield from self._of_all(self._protocol.events_received())

    def early(self) -> Iterator[tuple[int, bytes]]:
        """What came with the answer that made it a websocket."""
        return self._of_all(self._received)

    def _of_all(self, events: Sequence[Event]) -> Iterator[tuple[int, bytes]]:
        for event in events:
            if isinstance(event, Frame):
                yield from self._of(event)

    def _of(self, frame: Frame) -> Iterator[tuple[int, bytes]]:
        if frame.opcode in {Opcode.BINARY, Opcode.TEXT}:
            self._kind = frame.opcode
        if frame.opcode in {Opcode.BINARY, Opcode.TEXT, Opcode.CONT}:
            is_words = self._kind is Opcode.TEXT
            content = bytes(frame.data)
            if is_words:
                yield MESSAGES, content.rstrip() + b"\n"
                return
            yield self._greeting.checked(content)
        elif frame.opcode is Opcode.CLOSE:
            close = self._protocol.close_rcvd
            if close is not None and close.code != CloseCode.NORMAL_CLOSURE and close.reason:
                yield MESSAGES, f"ds01: {close.reason}\n".encode()

    def answer(self) -> bytes:
        """Pongs, and the close."""
        return b"".join(self._protocol.data_to_send())

    def end(self) -> bytes:
        """The close: SSH has ended when nothing more is said."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        return self.answer()


def _connected(place: Place) -> socket.socket:
    parts = urlsplit(place.address)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    try:
        sock = socket.create_connection((host, port), _CONNECT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as exc:
        raise Unavailable(
            f"The certificate of {host} is not valid here: {exc.verify_message}.",
            "Is it the right address? If so, tell your administrator.",
        ) from exc
    except OSError as exc:
        raise _unreachable(place) from exc
    return sock


def _response(
    sock: socket.socket, protocol: ClientProtocol
) -> tuple[Response | None, Sequence[Event]]:
    """The answer to the handshake, if there is one, and what came behind it."""
    while True:
        data = sock.recv(4096)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        events = protocol.events_received()
        if events and isinstance(events[0], Response):
            return events[0], events[1:]
        if not data:
            return None, ()


def _refused(place: Place, error: Exception | None, response: Response | None) -> DS01Error:
    hub = place.address.removesuffix(SERVICE_PATH)
    if response is None:
        return Unavailable(
            f"The hub {hub} answers, but its gateway does not.", "Try again in a minute."
        )
    if not isinstance(error, InvalidStatus):
        return Unavailable(
            f"Something between here and {hub} does not pass websockets on.",
            "Is there a proxy? Ask who runs it to let websockets through.",
        )
    status = response.status_code
    if status == _UNAUTHENTICATED:
        return Forbidden(
            f"The hub {hub} does not accept your token: it has expired, or was revoked.",
            f"Log in again: ds01 login {hub}"
            if place.origin == LOGIN
            else f"Get another on {hub}hub/token.",
        )
    known = refusal(status, bytes(response.body or b""))
    if known is not None:
        return known
    if status in _GATEWAY_DOWN:
        return Unavailable(
            f"The hub {hub} answers, but its gateway does not.", "Try again in a minute."
        )
    return Unavailable(
        f"{hub} answers {status}: there is no DS01 at this address.", "Check it: ds01 login URL."
    )


def _unreachable(place: Place) -> Unavailable:
    return Unavailable(
        f"The hub {place.address.removesuffix(SERVICE_PATH)} cannot be reached.",
        "Are you online, and in the university's network or VPN if it needs one?"
        " If so, the hub is down: try again in a minute.",
    )
