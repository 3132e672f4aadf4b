import secrets
import subprocess
from collections.abc import Iterator

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerSpec


@pytest.fixture
def forging_image(tiny_image: str) -> Iterator[str]:
    """An image that says it holds a GPU and belongs to somebody."""
    reference = f"ds01test/forged-{secrets.token_hex(4)}:latest"
    recipe = (
        f"FROM {tiny_image}\n"
        "LABEL ds01.gpu.uuids=MIG-1 ds01.gpu.equivalents=nan ds01.user=mallory\n"
        "LABEL aime.mlc.USER=mallory maintainer=somebody\n"
    )
    subprocess.run(
        ["docker", "build", "--tag", reference, "-"],
        input=recipe.encode(),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )
    yield reference
    subprocess.run(["docker", "rmi", reference], capture_output=True, check=True)


def test_an_image_cannot_put_the_platforms_labels_on_a_container(
    docker_engine: DockerEngine, forging_image: str
) -> None:
    name = f"ds01test-{secrets.token_hex(4)}"
    spec = ContainerSpec(
        name=name,
        image=forging_image,
        labels={labels.MANAGED: "true", labels.USER: "alice"},
        cgroup_parent="",
        network="none",
        command=("true",),
    )
    try:
        docker_engine.create(spec)
        container = docker_engine.container(name)
    finally:
        docker_engine.remove(name)

    assert container is not None
    assert labels.owner_of(container.labels) == "alice"
    assert labels.gpu_uuids_of(container.labels) == ()
    assert container.labels["aime.mlc.USER"] == ""
    assert container.labels["maintainer"] == "somebody"
