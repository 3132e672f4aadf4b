"""A hub that knows whose a token is, and nothing else."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jupyterhub import __version__ as hub_version

ACCESS = "access:services!service=ds01"
BROKEN = "broken"
"""The hub fails when it is asked whose this token is."""


def model(name: str = "alice", **more: Any) -> dict[str, Any]:
    """What the hub says of a person's token."""
    known = {"kind": "user", "name": name, "admin": False, "groups": [], "scopes": [ACCESS]}
    return {**known, **more}


@contextmanager
def hub_users(tokens: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The URL of its API; `tokens` is what it says of each token."""

    class Hub(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("token ")
            status = 500 if token == BROKEN else 200 if token in tokens else 403
            body = json.dumps(tokens.get(token, {})).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-JupyterHub-Version", hub_version)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing on standard error."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hub/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
