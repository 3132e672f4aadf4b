"""A websocket as a line to a program in a container. Loads `websockets`, which takes a moment."""

import socket
from collections.abc import Iterator, Sequence

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.uri import WebSocketURI

from ds01_cli.ssh.answers import Greeting
from ds01_cli.ssh.pump import MESSAGES

_MOST_BYTES = 1024 * 1024
_SENT = WebSocketURI(secure=False, host="", port=0, path="", query="", username=None, password=None)


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


def answered(
    sock: socket.socket, key: str, name: str
) -> tuple[Response | None, bool, WebSocketLine]:
    """The answer to a handshake, whether it makes the connection a websocket, and that.

    Args:
        sock: Where the handshake was sent.
        key: What it said as `Sec-WebSocket-Key`.
        name: The container.

    Raises:
        OSError: There was none in time.
    """
    # An address is needed for the handshake alone, which has been sent.
    protocol = ClientProtocol(_SENT, max_size=_MOST_BYTES)
    protocol.key = key
    response, rest = _response(sock, protocol)
    is_one = response is not None and protocol.handshake_exc is None
    return response, is_one, WebSocketLine(sock, protocol, name, rest)


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
