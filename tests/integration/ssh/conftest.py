"""One house for all tests of SSH, and people on its server and elsewhere."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.people import Person
from integration.ssh.house import BASE_IMAGE, SSH_IMAGE, House, Seat, seat, ssh_house
from integration.unix_people import ALICE, BOB, CAROL, own_folder, unix_person

STRANGER_IMAGE = "ds01ssh/stranger:test"
"""Has a server, and no lookup of who the container's owner is."""

_STRANGER = f"""
FROM {SSH_IMAGE}
USER root
RUN sed -i -E 's/^(passwd|group):.*/\\1: files/' /etc/nsswitch.conf
USER jovyan
"""


@pytest.fixture(scope="session")
def stranger_image() -> str:
    command = ["docker", "build", "-q", "-t", STRANGER_IMAGE, "-"]
    subprocess.run(command, input=_STRANGER.encode(), check=True, capture_output=True)
    return STRANGER_IMAGE


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, stranger_image: str, tiny_image: str
) -> Iterator[House]:
    state: Path = tmp_path_factory.mktemp("ssh")
    with ssh_house(state, SSH_IMAGE, BASE_IMAGE, stranger_image, tiny_image) as running:
        yield running
        assert "Traceback" not in running.gateway.log, running.gateway.log


def _seat(house: House, name: str, *, at_server: bool) -> Iterator[Seat]:
    person = Person(unix_person(name), house.gateway.socket)
    with own_folder(person.account) as folder:
        variables = {"DS01_GATEWAY_SOCKET": str(house.gateway.socket)}
        if not at_server:
            variables = {"DS01_URL": house.url, "DS01_TOKEN": house.token_of(name)}
        found = seat(person, folder, variables)
        done = found.shell("ds01 ssh-config --no-include")
        assert done.code == 0, done
        yield found


@pytest.fixture(scope="session")
def at_server(house: House) -> Iterator[Seat]:
    """Alice, logged in to the server."""
    yield from _seat(house, ALICE, at_server=True)


@pytest.fixture(scope="session")
def elsewhere(house: House) -> Iterator[Seat]:
    """Alice, at her laptop."""
    yield from _seat(house, ALICE, at_server=False)


@pytest.fixture(scope="session")
def bob(house: House) -> Iterator[Seat]:
    yield from _seat(house, BOB, at_server=True)


@pytest.fixture(scope="session")
def carol(house: House) -> Iterator[Seat]:
    yield from _seat(house, CAROL, at_server=True)


@pytest.fixture(params=["server", "hub"])
def way(request: pytest.FixtureRequest, at_server: Seat, elsewhere: Seat) -> Seat:
    """Alice, both ways."""
    return at_server if request.param == "server" else elsewhere


@pytest.fixture(scope="session")
def host(at_server: Seat) -> str:
    """The host name of alice's container with a GPU, her home and a secret."""
    person = at_server.person
    name = person.named("main")
    home = person.account.home
    person.docker(
        *("run", "-d", "--name", name, "--gpus", "1", "-v", f"{home}:{home}"),
        *("-e", "SECRET=open sesame", "-e", 'ODD=it\'s "odd" $HOME\nand long'),
        *("-e", "PATH=/opt/own/bin:/usr/local/bin:/usr/bin:/bin", SSH_IMAGE, "sleep", "3600"),
    )
    return f"{name}.ds01"
