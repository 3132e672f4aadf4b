"""A registry of a test's own, on loopback."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REGISTRY = shutil.which("docker-registry")

needs_registry = pytest.mark.skipif(
    REGISTRY is None, reason="docker-registry is not installed (apt-get install docker-registry)"
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    assert REGISTRY is not None
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [REGISTRY, "serve", str(settings)], stdout=log, stderr=subprocess.STDOUT
        )
    bound = time.monotonic() + 20
    host, port = address.split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < bound, (tmp_path / "log").read_text()
            time.sleep(0.05)
    yield address
    process.kill()
    process.wait()
