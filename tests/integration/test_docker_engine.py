import secrets
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from contracts.engine import EngineContract
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.labels import MANAGED


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def network(docker_engine: DockerEngine) -> Iterator[str]:
    name = f"ds01test-{secrets.token_hex(4)}"
    docker_engine.ensure_network(name, {MANAGED: "true"})
    yield name
    docker("network", "rm", name)


class TestDockerEngine(EngineContract):
    @pytest.fixture
    def engine(self, docker_engine: DockerEngine) -> DockerEngine:
        return docker_engine

    @pytest.fixture
    def image(self, tiny_image: str) -> str:
        return tiny_image

    @pytest.fixture
    def end_process(self, engine: DockerEngine) -> Callable[[str], None]:
        def end(container_id: str) -> None:
            docker("kill", container_id)
            bound = time.monotonic() + 10
            while (container := engine.container(container_id)) and container.state.is_live:
                assert time.monotonic() < bound

        return end
