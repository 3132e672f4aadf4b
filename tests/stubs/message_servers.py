"""A mail server and a web hook on loopback that keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """What came, and how it is answered.

    Attributes:
        port: Where the server listens.
        mails: Recipients and message, oldest first.
        posts: Path and JSON body, oldest first.
        status: What a web hook is answered with.
        refuse_mail: Whether every recipient is refused.
        silent: Whether nothing is answered until this is set.
    """

    port: int = 0
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    posts: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200
    refuse_mail: bool = False
    silent: threading.Event | None = None


@contextmanager
def mail_server() -> Iterator[Received]:  # noqa: C901 - a protocol in one class
    """An SMTP server (RFC 5321) that takes everything unless it is told otherwise."""
    received = Received()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._to: list[str] = []
            if received.silent is not None:
                received.silent.wait(30)
                return
            self._say("220 stub")
            while line := self.rfile.readline().decode().strip():
                self._answer(line)
                if line.upper() == "QUIT":
                    return

        def _answer(self, line: str) -> None:
            verb = line.upper()
            if verb.startswith("RCPT TO:"):
                self._to.append(line[8:].partition(">")[0].lstrip("< "))
                self._say("550 no such person" if received.refuse_mail else "250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                received.mails.append((self._to, self._message()))
                self._say("250 ok")
            else:
                self._say("250 ok")

        def _message(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            parsed = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            return parsed

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler), received):
        yield received


@contextmanager
def web_hook() -> Iterator[Received]:
    """A web server that takes JSON at any path."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if received.silent is not None:
                received.silent.wait(30)
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.posts.append((self.path, json.loads(body)))
            self.send_response(received.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), received):
        yield received


@contextmanager
def _served(server: socketserver.TCPServer, received: Received) -> Iterator[None]:
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
