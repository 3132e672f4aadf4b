"""JupyterLab in the starter image without a hub, with a board as the platform mounts it."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import docker
from docker.models.containers import Container

IMAGE = os.environ.get("DS01_STARTER_TAG", "ds01/starter:latest")
TOKEN = "token-of-the-test"
PATIENCE_SECONDS = 30


class Board:
    """The folder that a server sees at /run/ds01, written as the platform writes it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        for each in (folder, *folder.parents[:3]):
            each.chmod(each.stat().st_mode | 0o055)

    def show(self, *notices: dict[str, Any], text: str = "") -> None:
        self.put("json", json.dumps({"version": 1, "notices": notices}).encode())
        self.put("txt", text.encode())

    def put(self, ending: str, content: bytes) -> None:
        new = self.folder / f".{self.name}.{ending}.new"
        new.write_bytes(content)
        new.chmod(0o644)
        new.rename(self.folder / f"{self.name}.{ending}")


def notice(identity: str, now: datetime, **fields: Any) -> dict[str, Any]:
    """A first warning that ends in a stop twelve minutes after `now`."""
    return {
        "id": identity,
        "kind": "warning",
        "title": "Your server is stopped soon.",
        "text": "Nothing ran on it for a while.",
        "created_at": now.isoformat(),
        "deadline": (now + timedelta(minutes=12, seconds=45)).isoformat(),
        "keep_until": (now + timedelta(hours=24)).isoformat(),
    } | fields


class LabContainer:
    """A running JupyterLab."""

    def __init__(self, container: Container, board: Board) -> None:
        self.container = container
        self.board = board
        container.reload()
        self.address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]

    @property
    def url(self) -> str:
        return f"http://{self.address}:8888"

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body; with the token unless other headers are given."""
        connection = http.client.HTTPConnection(self.address, 8888, timeout=PATIENCE_SECONDS)
        try:
            sent = {"Authorization": f"token {TOKEN}"} if headers is None else headers
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str) -> Any:
        status, _, content = self.ask(method, path)
        assert status == http.HTTPStatus.OK, content
        return json.loads(content)

    def run(self, script: str, user: str = "jovyan") -> str:
        """What a shell script prints in the container."""
        # Not by docker-py: it loses what comes together with the head of the answer.
        done = subprocess.run(
            ["docker", "exec", "--user", user, str(self.container.id), "bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def wait(self) -> Self:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.ask("GET", "/api")
            except OSError:
                assert time.monotonic() < deadline, self.container.logs().decode()
                time.sleep(0.05)
            else:
                return self


@contextmanager
def lab_container(folder: Path, name: str = "jupyter", **settings: Any) -> Iterator[LabContainer]:
    """JupyterLab as somebody calls it `name`, with a board in `folder`, removed afterwards."""
    board = Board(folder, name)
    settings = {"environment": {"DS01_CONTAINER": name, "JUPYTERHUB_USER": "alice"}} | settings
    client = docker.from_env()
    try:
        container = client.containers.run(
            IMAGE,
            ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", f"--IdentityProvider.token={TOKEN}"],
            detach=True,
            init=True,
            hostname=name,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            volumes={str(folder): {"bind": "/run/ds01", "mode": "ro"}},
            labels=["ds01-test-lab"],
            **settings,
        )
        try:
            yield LabContainer(container, board).wait()
        finally:
            container.remove(force=True)
    finally:
        client.close()
