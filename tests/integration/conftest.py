"""What tests against the real engine share."""

from collections.abc import Iterator

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET, DockerEngine
from stubs.tiny_image import make_tiny_image


@pytest.fixture(scope="session")
def tiny_image() -> str:
    """An image of 2 MB with a shell and the usual tools, made from Debian's busybox-static."""
    return make_tiny_image()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """The adapter on this machine's engine."""
    engine = DockerEngine(DEFAULT_SOCKET)
    yield engine
    engine.close()
