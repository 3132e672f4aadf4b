"""The few answers that a single-user server wants from its hub, and the environment it gets."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jupyterhub import __version__ as hub_version

TOKEN = "token-of-the-test"
PERSON = {
    "name": "alice",
    "kind": "user",
    "admin": False,
    "groups": [],
    "scopes": ["access:servers!server=alice/"],
}


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.headers.get("Authorization", "").endswith(TOKEN)
        asks_user = self.path.endswith("/user")
        self._send(403 if asks_user and not known else 200, PERSON if asks_user else {})

    do_POST = do_GET  # noqa: N815

    def _send(self, status: int, model: dict[str, object]) -> None:
        body = json.dumps(model).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-JupyterHub-Version", hub_version)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing on standard error."""


@contextmanager
def hub_api(address: str) -> Iterator[str]:
    """A hub's API on `address`; its URL."""
    server = http.server.ThreadingHTTPServer((address, 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}/hub/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def single_user_environment(api_url: str) -> dict[str, str]:
    """What the hub puts into the environment of alice's server."""
    access = json.dumps(PERSON["scopes"])
    return {
        "JUPYTERHUB_ACTIVITY_URL": f"{api_url}/users/alice/activity",
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": api_url,
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": access,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/alice/oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": access,
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8888/user/alice/",
        "JUPYTERHUB_USER": "alice",
    }
