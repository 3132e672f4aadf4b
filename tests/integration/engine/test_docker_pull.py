import secrets
import subprocess
from collections.abc import Iterator

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.errors import NotFound, Unavailable
from integration.registry import needs_registry, registry

__all__ = ["registry"]  # a fixture

pytestmark = needs_registry


@pytest.fixture
def pushed(registry: str, tiny_image: str) -> Iterator[str]:
    reference = f"{registry}/ds01test/{secrets.token_hex(4)}:1"
    for command in (["tag", tiny_image, reference], ["push", reference], ["rmi", reference]):
        subprocess.run(["docker", *command], check=True, capture_output=True)
    yield reference
    subprocess.run(["docker", "rmi", reference], check=False, capture_output=True)


def test_an_image_is_fetched(docker_engine: DockerEngine, pushed: str) -> None:
    assert not docker_engine.has_image(pushed)
    docker_engine.pull(pushed)

    assert docker_engine.has_image(pushed)


def test_an_image_that_the_registry_does_not_have_is_said(
    docker_engine: DockerEngine, registry: str
) -> None:
    with pytest.raises(NotFound, match="The registry has no image"):
        docker_engine.pull(f"{registry}/ds01test/absent:1")


def test_a_registry_that_is_down_is_no_missing_image(docker_engine: DockerEngine) -> None:
    with pytest.raises(Unavailable, match="could not be fetched"):
        docker_engine.pull("127.0.0.1:1/ds01test/absent:1")
