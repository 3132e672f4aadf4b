"""A gateway for the tests of `ds01`, and two people who type it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cli.typing_people import Typist
from integration.gateway.gateway_process import Gateway, running_gateway
from integration.gateway.people import Person
from integration.unix_people import ALICE, BOB, unix_person


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """The gateway that tests of `ds01` share."""
    state: Path = tmp_path_factory.mktemp("gateway-of-ds01")
    with running_gateway(state, tiny_image) as running:
        _running.append(running)
        yield running
        _running.remove(running)
    assert "Traceback" not in running.log, running.log


_running: list[Gateway] = []


@pytest.fixture(autouse=True, scope="module")
def removed_containers() -> Iterator[None]:
    """After each module, its containers are gone."""
    yield
    for running in _running:
        running.remove_containers()


@pytest.fixture(scope="session")
def alice(gateway: Gateway) -> Typist:
    """A student."""
    return Typist(Person(unix_person(ALICE), gateway.socket))


@pytest.fixture(scope="session")
def bob(gateway: Gateway) -> Typist:
    """A researcher."""
    return Typist(Person(unix_person(BOB), gateway.socket))
