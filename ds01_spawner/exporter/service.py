"""HTTP: `/metrics` for Prometheus, `/-/healthy` for whoever starts the service."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client.exposition import choose_encoder

from ds01_spawner.exporter.collector import Exporter

METRICS, HEALTHY = "/metrics", "/-/healthy"
_REQUEST_SECONDS = 15.0
_POLL_SECONDS = 0.2
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")
_OPENMETRICS = "application/openmetrics-text"
_PAGES = {HEALTHY: "OK\n", "/": f"DS01's figures for Prometheus: {METRICS}\n"}

_log = logging.getLogger("ds01.exporter")


def application(exporter: Exporter) -> WSGIApplication:
    """What answers requests."""

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environment.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            start("405 Method Not Allowed", [_PLAIN, ("Allow", "GET, HEAD")])
            return [b"Only GET.\n"]
        path = environment.get("PATH_INFO", "")
        if path == METRICS:
            _, content_type = choose_encoder(environment.get("HTTP_ACCEPT", ""))
            openmetrics = content_type.startswith(_OPENMETRICS)
            body = exporter.text(openmetrics=openmetrics).encode()
            start("200 OK", [("Content-Type", content_type)])
            return [body]
        said = _PAGES.get(path)
        start("200 OK" if said else "404 Not Found", [_PLAIN])
        return [(said or f"There is {METRICS}.\n").encode()]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    """One thread for each request; none of them keeps the process from ending."""

    daemon_threads = True
    request_queue_size = 16

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
        host: Address to listen on.
        port: Port; 0 is any that is free.
    """

    def __init__(self, exporter: Exporter, host: str, port: int) -> None:
        self._server = make_server(
            host,
            port,
            application(exporter),
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
