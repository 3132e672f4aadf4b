"""A GET that nobody can make longer or larger than it may be.

For servers that belong to other people: no redirect is followed, no proxy is asked, and one that
sends a byte a second costs no more than the deadline. A timeout of `http.client` or `requests` is
for each byte, not for the answer.
"""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEADER_BYTES = 64 * 1024


class NoAnswer(Exception):
    """There was no usable answer; the text says why and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one answer may cost.

    Attributes:
        seconds: From the first packet to the last byte.
        body_bytes: Size of its body.
    """

    seconds: float
    body_bytes: int = 1024**2


def get(address: tuple[str, int], path: str, headers: Mapping[str, str], bounds: Bounds) -> Answer:
    """The answer of the server at `address` (IP address, port), whatever its status.

    Raises:
        NoAnswer: None came within `bounds`, or it is not HTTP.
    """
    try:
        return _get(address, path, headers, bounds)
    except TimeoutError:
        raise NoAnswer("no answer in time") from None
    except OSError as exc:
        raise NoAnswer(exc.strerror or "the connection broke") from None
    except http.client.HTTPException as exc:
        raise NoAnswer(f"no HTTP ({type(exc).__name__})") from None
    except ValueError:  # a header or a path that cannot be sent; the error quotes it
        raise NoAnswer("the request cannot be written") from None


def _get(address: tuple[str, int], path: str, headers: Mapping[str, str], bounds: Bounds) -> Answer:
    host, port = address
    connection = http.client.HTTPConnection(host, port)
    connected = _BoundedSocket(address, bounds)
    connection.sock = connected
    try:
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        response = connection.getresponse()
        body = response.read(bounds.body_bytes + 1)
        if len(body) > bounds.body_bytes:
            raise NoAnswer(f"more than {bounds.body_bytes} bytes")
        return Answer(response.status, body)
    finally:
        connected.disconnect()


class _BoundedSocket:
    """As much of a socket as `http.client` uses."""

    def __init__(self, address: tuple[str, int], bounds: Bounds) -> None:
        self._ends = time.monotonic() + bounds.seconds
        self._bytes_left = bounds.body_bytes + _HEADER_BYTES
        self._socket = socket.create_connection(address, timeout=bounds.seconds)

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(self._seconds_left())
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """`http.client` does this before it has read the body: it is done with `disconnect`."""

    def disconnect(self) -> None:
        self._socket.close()

    def receive_into(self, buffer: Any) -> int:
        if self._bytes_left <= 0:
            raise NoAnswer("more bytes than an answer may have")
        self._socket.settimeout(self._seconds_left())
        size = self._socket.recv_into(buffer)
        self._bytes_left -= size
        return size

    def _seconds_left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    def __init__(self, source: _BoundedSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.receive_into(buffer)
