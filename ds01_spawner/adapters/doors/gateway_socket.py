"""Asks the gateway's socket whether anybody is there."""

import socket

_SECONDS = 5.0


class HttpSocket:
    """The `GatewaySocket` port: a Unix socket that should speak Docker's API.

    Args:
        path: Where it is.
        seconds: How long it may take.
    """

    def __init__(self, path: str, seconds: float = _SECONDS) -> None:
        self._path = path
        self._seconds = seconds

    @property
    def path(self) -> str:
        """Where it is."""
        return self._path

    def answers(self) -> bool:
        """Whether a gateway answers there."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(self._seconds)
                client.connect(self._path)
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: ds01\r\nConnection: close\r\n\r\n")
                return client.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
