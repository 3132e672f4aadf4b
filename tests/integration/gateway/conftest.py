"""A gateway for the whole run of the tests, and two people who use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.register_assert_rewrite("integration.gateway.escape_lab")

# ruff: noqa: E402 - after what makes the assertions of others explain themselves
from integration.gateway.escape_lab import Scene
from integration.gateway.escape_scene import escape_scene
from integration.gateway.gateway_process import Gateway, running_gateway
from integration.gateway.people import Person
from integration.unix_people import ALICE, BOB, unix_person

_running: list[Gateway] = []


@contextmanager
def _shared(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("gateway")
    with running_gateway(state, image) as running:
        _running.append(running)
        yield running
        _running.remove(running)
    assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """The gateway that most tests share."""
    with _shared(tmp_path_factory, tiny_image) as running:
        yield running


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """Another for attempts in their thousands: beyond some, a gateway's log only counts them."""
    with _shared(tmp_path_factory, tiny_image) as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def removed_containers() -> Iterator[None]:
    """After each module, its containers are gone."""
    yield
    for running in _running:
        running.remove_containers()


@pytest.fixture(scope="session")
def alice(gateway: Gateway) -> Person:
    """A student."""
    return Person(unix_person(ALICE), gateway.socket)


@pytest.fixture(scope="session")
def bob(gateway: Gateway) -> Person:
    """A researcher."""
    return Person(unix_person(BOB), gateway.socket)


@pytest.fixture(scope="module")
def scene(attacked: Gateway, tiny_image: str) -> Iterator[Scene]:
    """Alice, who tries to get at what is not hers, and what bob has."""
    alice, bob = (Person(unix_person(name), attacked.socket) for name in (ALICE, BOB))
    with escape_scene(attacked, alice, bob, tiny_image) as set_up:
        yield set_up
