"""HTTP: `/metrics` for Prometheus, `/-/healthy` for whoever starts the service."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client.exposition import choose_encoder

from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.entry import Admission, Entry

METRICS, HEALTHY = "/metrics", "/-/healthy"
MOST_UNHEARD = 16
"""Connections that have not yet said what they want."""

_REQUEST_SECONDS = 15.0
_POLL_SECONDS = 0.2
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")
_OPENMETRICS = "application/openmetrics-text"
_PAGES = {HEALTHY: "OK\n", "/": f"DS01's figures for Prometheus: {METRICS}\n"}
_REFUSALS = {
    Admission.WRONG: "The figures name people: they are for those who have the token.\n",
    Admission.CLOSED: "There is no token yet, so nobody is told: docs/monitoring.md.\n",
}

_log = logging.getLogger("ds01.exporter")


def application(exporter: Exporter, entry: Entry) -> WSGIApplication:
    """What answers requests: everybody that it is there, and with figures whom `entry` lets in."""

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environment.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            start("405 Method Not Allowed", [_PLAIN, ("Allow", "GET, HEAD")])
            return [b"Only GET.\n"]
        path = environment.get("PATH_INFO", "")
        if path == METRICS:
            admission = entry(environment.get("HTTP_AUTHORIZATION", ""))
            if admission is not Admission.GIVEN:
                start("401 Unauthorized", [_PLAIN, ("WWW-Authenticate", "Bearer")])
                return [_REFUSALS[admission].encode()]
            _, content_type = choose_encoder(environment.get("HTTP_ACCEPT", ""))
            openmetrics = content_type.startswith(_OPENMETRICS)
            body = exporter.text(openmetrics=openmetrics).encode(errors="replace")
            start("200 OK", [("Content-Type", content_type)])
            return [body]
        said = _PAGES.get(path)
        start("200 OK" if said else "404 Not Found", [_PLAIN])
        return [(said or f"There is {METRICS}.\n").encode()]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    """One thread for each request; none of them keeps the process from ending.

    Who connects and says nothing is sent away when others come: Prometheus asks at once.
    """

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unheard: dict[int, socket.socket] = {}
        self._unheard_lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for it, in place of the one that has been silent longest."""
        with self._unheard_lock:
            if len(self._unheard) >= MOST_UNHEARD:
                oldest = self._unheard.pop(next(iter(self._unheard)))
                with suppress(OSError):  # it went by itself
                    oldest.shutdown(socket.SHUT_RDWR)
            self._unheard[id(request)] = request
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        self.heard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as it is called
        """Who goes in the middle of a request is no news."""
        _log.debug("A request of %s broke off", client_address, exc_info=True)

    def heard(self, request: Any) -> None:
        """It has said what it wants."""
        with self._unheard_lock:
            self._unheard.pop(id(request), None)

    def server_bind(self) -> None:
        """Without the name of the address: a name server that hangs holds nobody up."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()


class _Server6(_Server):
    """The same on an IPv6 address."""

    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """Waits for nobody for ever, and logs nothing: a scrape comes every few seconds."""

    timeout = _REQUEST_SECONDS
    server: _Server

    def parse_request(self) -> bool:
        """Read the headers; from there on it is answered."""
        parsed = super().parse_request()
        self.server.heard(self.connection)
        return parsed

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has
        """Nothing."""
        _log.debug(format, *args)

    def address_string(self) -> str:
        """The address itself: a name server that hangs holds nobody up."""
        return str(self.client_address[0])


class Service:
    """Listens, and answers until it is ended.

    Args:
        exporter: Says what there is to say.
        entry: Decides to whom.
        host: Address to listen on.
        port: Port; 0 is any that is free.
    """

    def __init__(self, exporter: Exporter, entry: Entry, host: str, port: int) -> None:
        self._server = make_server(
            host,
            port,
            application(exporter, entry),
            server_class=_Server6 if ":" in host else _Server,
            handler_class=_Handler,
        )
        self.port = int(self._server.server_port)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until `end` is called, or the thread is interrupted."""
        try:
            ready()
            self._server.serve_forever(_POLL_SECONDS)
        finally:
            self._server.server_close()

    def end(self) -> None:
        """Answer nobody any more; from another thread than `run`."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()
