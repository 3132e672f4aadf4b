"""Volumes that an image brings along where nothing may be mounted."""

from collections.abc import Iterator

import pytest

from integration.gateway.gateway_process import Gateway, engine_docker
from integration.gateway.people import Person
from integration.unix_people import own_folder

EVERY_DEVICE = "/var/run/nvidia-container-devices/all"


@pytest.fixture(params=[EVERY_DEVICE, "/etc", "/sys/x"])
def greedy(alice: Person, tiny_image: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = alice.named("greedy")
    with own_folder(alice.account) as context:
        alice.shell(
            f"printf 'FROM {tiny_image}\\nVOLUME {request.param}\\n' > {context}/Dockerfile"
        )
        alice.docker("build", "-q", "-t", name, str(context))
    yield name
    alice.docker("rmi", "-f", name)


def test_such_an_image_makes_no_container_and_no_other_image(alice: Person, greedy: str) -> None:
    assert "has a volume at" in alice.refused("create", greedy, "true")
    with own_folder(alice.account) as context:
        alice.shell(f"printf 'FROM {greedy}\\nRUN true\\n' > {context}/Dockerfile")
        done = alice.try_docker("build", "-q", str(context))
    assert done.code != 0
    assert "has a volume at" in done.out + done.err


def test_one_that_runs_all_the_same_takes_nobodys_gpus(gateway: Gateway, tiny_image: str) -> None:
    made = engine_docker(
        "run", "-d", "--network", "none", "-v", EVERY_DEVICE, tiny_image, "sleep", "60"
    )
    try:
        uses = gateway.platform.admission.current().occupancy.uses
        name = engine_docker("inspect", "-f", "{{.Name}}", made).strip("/")
        assert name not in {use.container for use in uses}
        found = gateway.platform.engine.container(made)
        assert found is not None
        assert not found.demand
    finally:
        engine_docker("rm", "-f", "-v", made)
