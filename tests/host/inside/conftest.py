"""What the checks that run inside the host share."""

from collections.abc import Iterator

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET, DockerEngine


@pytest.fixture(scope="session")
def tiny_image() -> str:
    return "ds01test/busybox:latest"


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    engine = DockerEngine(DEFAULT_SOCKET)
    yield engine
    engine.close()
