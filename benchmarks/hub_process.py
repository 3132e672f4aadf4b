"""A JupyterHub in a folder of its own, for benchmarks: ours, or one with stock DockerSpawner."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
PATIENCE_SECONDS = 90
POLL_SECONDS = 0.02

_COMMON = """
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_ip = "{bridge}"
c.JupyterHub.hub_port = {api_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.auth_token = "{token}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.log_level = "WARN"
c.JupyterHub.services = [dict(name="bench", api_token="{token}")]
c.JupyterHub.load_roles = [
    dict(name="bench", services=["bench"], scopes=["admin:users", "admin:servers", "read:hub"])
]
"""

STOCK = """
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.allowed_images = "*"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.name_template = "stock-{prefix}-{username}"
c.DockerSpawner.prefix = "bench"
"""

DS01 = """
c.JupyterHub.spawner_class = "ds01"
"""


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub."""

    url: str
    proxy_url: str
    token: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that the hub's API answers."""
        return self._call(method, f"{self.url}/hub/api{path}", body)

    def ready(self) -> set[str]:
        """Whose default servers are ready: the hub's last deed for a start is the proxy's route.

        Asking the proxy costs the hub nothing, so it can be done often.
        """
        routes = self._call("GET", f"{self.proxy_url}/api/routes", None)
        return {path.split("/")[2] for path in routes if path.startswith("/user/")}

    def _call(self, method: str, url: str, body: object) -> Any:
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            text = response.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def start(self, user: str, options: Mapping[str, object]) -> None:
        """Ask for a server; returns when the hub has taken note."""
        self.call("POST", f"/users/{user}/server", dict(options))

    def seconds_to_ready(self, user: str, options: Mapping[str, object]) -> float:
        """From the request to a ready server."""
        begin = time.perf_counter()
        self.start(user, options)
        while user not in self.ready():
            if time.perf_counter() - begin > PATIENCE_SECONDS:
                raise RuntimeError(f"{user}'s server is not ready after {PATIENCE_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - begin

    def stop(self, user: str) -> None:
        """Stop the person's server and wait until it has gone."""
        try:
            self.call("DELETE", f"/users/{user}/server")
        except urllib.error.HTTPError:
            return
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while self.call("GET", f"/users/{user}")["servers"]:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{user}'s server does not stop")
            time.sleep(POLL_SECONDS)


@contextmanager
def running_hub(folder: Path, spawner: str, environment: Mapping[str, str]) -> Iterator[Hub]:
    """A hub with this spawner's configuration, stopped at the end of the block."""
    folder.mkdir(parents=True)
    port, api_port, proxy_port = (_free_port() for _ in range(3))
    hub = Hub(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{proxy_port}", secrets.token_hex(16))
    common = _COMMON.format(
        port=port,
        api_port=api_port,
        proxy_port=proxy_port,
        bridge=bridge_address(),
        folder=folder,
        token=hub.token,
    )
    (folder / "config.py").write_text(common + spawner)
    with (folder / "hub.log").open("w") as log:
        process = subprocess.Popen(
            [BIN / "jupyterhub", "--config", folder / "config.py"],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
            cwd=folder,
            start_new_session=True,
        )
        try:
            _wait_until_healthy(hub, process, folder)
            yield hub
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def ds01_environment(folder: Path, extra_images: Mapping[str, str]) -> dict[str, str]:
    """Folders for our platform: the shipped configuration, more images, no student limits."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    images = config / "images.yaml"
    entries = "".join(
        f"  {key}: {{reference: '{reference}', title: {key}}}\n"
        for key, reference in extra_images.items()
    )
    images.write_text(images.read_text().replace("images:\n", f"images:\n{entries}", 1))
    return {"DS01_CONFIG_DIR": str(config), "DS01_STATE_DIR": str(folder / "state")}


def bridge_address() -> str:
    """The host's address on Docker's default bridge."""
    found = subprocess.run(
        ["docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return found or "172.17.0.1"


def remove_containers(prefix: str) -> None:
    """Remove containers whose names hold `prefix`, one at a time."""
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"name={prefix}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    for container in listed:
        subprocess.run(["docker", "rm", "-fv", container], check=False, capture_output=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_healthy(hub: Hub, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            hub.call("GET", "/users")
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit(f"The hub did not start: {(folder / 'hub.log').read_text()[-2000:]}")
