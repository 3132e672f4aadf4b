"""What was allowed when a container was made is looked at again each time it starts."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import POLICY, Gateway, eventually, running_gateway
from integration.gateway.people import Person
from integration.gateway.raw_http import ask
from integration.unix_people import ALICE, unix_person

ALLOWED = POLICY.replace("priority: 10,", "priority: 10, allow_image_user: true,")


@pytest.fixture
def project() -> Iterator[Path]:
    """A folder that everybody may read, until that ends."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    made.mkdir()
    (made / "data").write_text("project data")
    made.chmod(0o755)
    yield made
    subprocess.run(["rm", "-r", str(made)], check=True)


@pytest.mark.parametrize("door", ["docker", "api"])
def test_a_folder_that_one_may_not_read_any_more_is_not_mounted_by_any_door(
    alice: Person, tiny_image: str, project: Path, door: str
) -> None:
    name = alice.named(f"revoked-{door}")
    alice.docker("create", "--name", name, "-v", f"{project}:/p:ro", tiny_image, "cat", "/p/data")
    try:
        project.chmod(0o700)
        if door == "docker":
            told = alice.refused("start", name)
        else:
            answer = alice.run(lambda: ask(alice.socket, "POST", f"/ds01/containers/{name}/start"))
            assert answer.status == 403
            told = answer.body
        assert "Permission denied" in told
        assert alice.inspect(name)["State"]["Status"] == "created"
        assert "project data" not in alice.docker("logs", name)
    finally:
        alice.docker("rm", "-f", name)


@pytest.fixture
def lenient(tmp_path: Path, tiny_image: str) -> Iterator[Gateway]:
    """An installation in which alice may be an image's user, for now."""
    with running_gateway(tmp_path, tiny_image, policy=ALLOWED) as running:
        yield running


def test_an_images_user_ends_with_the_leave_for_it(lenient: Gateway, tiny_image: str) -> None:
    person = Person(unix_person(ALICE), lenient.socket)
    stopped, running = person.named("stopped"), person.named("running")
    person.docker("create", "--name", stopped, tiny_image, "sleep", "300")
    person.docker("run", "-d", "--name", running, tiny_image, "sleep", "300")
    assert person.docker("exec", running, "id", "-u").strip() == "0"

    (lenient.config / "resource-limits.yaml").write_text(POLICY)

    told = eventually(lambda: person.try_docker("exec", running, "id", "-u").err)
    assert "its image's user" in told
    assert "its image's user" in person.refused("start", stopped)
    assert "its image's user" in person.refused("restart", "-t", "0", running)
    assert not person.inspect(running)["State"]["Running"]
