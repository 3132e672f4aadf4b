"""Tells when the other side of a connection has gone for good, whatever is left to read."""

import asyncio
import select
import socket
from collections.abc import Callable


class Hangups:
    """Watches sockets for a hang-up in both directions (`EPOLLHUP`, unix(7)).

    A client that has only ended its input (`echo x | docker run -i …`) still waits for the answer;
    one that has gone leaves nothing to read but the same end of input. Only the hang-up tells them
    apart, and it is asked of an epoll of its own, because the event loop's would report the end of
    input, or the next request, over and over.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._notice)

    def watch(self, sock: socket.socket, gone: Callable[[], None]) -> None:
        """Call `gone`, once, when the other side has gone; at most one watch for each socket."""
        self._watched[sock.fileno()] = gone
        self._epoll.register(sock.fileno(), select.EPOLLHUP | select.EPOLLONESHOT)

    def leave(self, sock: socket.socket) -> None:
        """Watch it no longer; before it is closed."""
        if self._watched.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        """Watch nothing any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._watched.clear()

    def _notice(self) -> None:
        for number, _event in self._epoll.poll(0):
            gone = self._watched.get(number)
            if gone is not None:
                gone()
