"""A mail server that keeps what it gets: as much of SMTP as Alertmanager speaks."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

_LINE = 8192


class MailSink(socketserver.ThreadingTCPServer):
    """Listens on loopback; `letters` are what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Letters)
        self.letters: list[EmailMessage] = []

    @property
    def port(self) -> int:
        """Where."""
        return int(self.server_address[1])


class _Letters(socketserver.StreamRequestHandler):
    server: MailSink

    def handle(self) -> None:
        self._say(b"220 sink")
        while line := self.rfile.readline(_LINE):
            match line[:4].upper().strip():
                case b"DATA":
                    self._say(b"354 go on")
                    letter = message_from_bytes(self._letter(), policy=policy.default)
                    assert isinstance(letter, EmailMessage)
                    self.server.letters.append(letter)
                    self._say(b"250 kept")
                case b"QUIT":
                    self._say(b"221 bye")
                    return
                case _:
                    self._say(b"250 ok")

    def _letter(self) -> bytes:
        return b"".join(iter(lambda: self.rfile.readline(_LINE), b".\r\n"))

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """One that listens until the end of the block."""
    with MailSink() as sink:
        thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            thread.join()
