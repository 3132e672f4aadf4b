"""One house for all tests of SSH, and people on its server and elsewhere."""

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import eventually
from integration.gateway.people import Person
from integration.ssh.house import BASE_IMAGE, SSH_IMAGE, House, Seat, seat, ssh_house
from integration.unix_people import ALICE, BOB, CAROL, own_folder, unix_person

_LOG = logging.getLogger(__name__)
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
    subprocess.run(command, input=_STRANGER.encode(), check=True, capture_output=True, timeout=600)
    return STRANGER_IMAGE


@pytest.fixture(scope="session")
def house(stranger_image: str, tiny_image: str) -> Iterator[House]:
    """Not below pytest's folders: a test wants to know what people reach in this one."""
    images = (SSH_IMAGE, BASE_IMAGE, stranger_image, tiny_image)
    with tempfile.TemporaryDirectory(prefix="ds01-ssh-") as folder:
        state = Path(folder)
        state.chmod(0o711)
        with ssh_house(state, *images) as running:
            yield running
            assert "Traceback" not in running.gateway.log, running.gateway.log


def _seat(house: House, name: str, *, at_server: bool) -> Iterator[Seat]:
    person = Person(unix_person(name), house.gateway.socket)
    with own_folder(person.account) as folder:
        variables = {"DS01_GATEWAY_SOCKET": str(house.gateway.socket)}
        if not at_server:
            variables = {"DS01_URL": house.url, "DS01_TOKEN": house.token_of(name)}
        found = seat(person, folder, variables)
        eventually(lambda: _is_ready(found), 180, what="ds01 ssh-config")
        yield found


def _is_ready(seat: Seat) -> bool:
    """Not at the first try where the machine is so busy that `ds01` gives up."""
    done = seat.shell("ds01 ssh-config --no-include")
    _LOG.log(logging.INFO if done.code == 0 else logging.WARNING, "%s: %s", seat.person.name, done)
    return done.code == 0


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
