"""testcontainers for Python, unmodified, in a process of the person's."""

import os
import socket
from typing import Any

import pytest
from docker.errors import APIError
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy, PortWaitStrategy

from integration.gateway.people import Person

SERVE = "echo ready; nc -ll -p 8000 -e echo hello"


def as_tester(person: Person, *, reaper: bool = False) -> None:
    """What somebody's shell exports before their tests."""
    os.environ["DOCKER_HOST"] = person.host
    testcontainers_config.ryuk_disabled = not reaper
    # The machine of these tests may look like a container, where it would guess otherwise.
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host


@pytest.mark.parametrize(
    "strategy", [LogMessageWaitStrategy("ready"), PortWaitStrategy(8000)], ids=["log", "port"]
)
def test_a_service_is_waited_for_reached_and_removed(
    alice: Person, tiny_image: str, strategy: Any
) -> None:
    def deed() -> tuple[str | None, str, int, bytes]:
        as_tester(alice)
        container = DockerContainer(tiny_image).with_command(["sh", "-c", SERVE])
        container.with_exposed_ports(8000).with_env("A", "b").waiting_for(strategy)
        with container as service:
            where = (service.get_container_host_ip(), service.get_exposed_port(8000))
            code, _ = service.exec(["sh", "-c", "nc 127.0.0.1 8000 && test $A = b"])
            assert code == 0
            with socket.create_connection(where, timeout=10) as connection:
                heard = connection.makefile("rb").readline()
            return service.get_wrapped_container().id, where[0], where[1], heard

    container_id, host, port, heard = alice.run(deed)

    assert (host, heard) == ("localhost", b"hello\n")
    assert port >= 1024
    assert container_id is not None
    assert "No such container" in alice.refused("container", "inspect", container_id)


def test_containers_of_a_network_find_each_other(alice: Person, tiny_image: str) -> None:
    def deed() -> tuple[int | None, bytes]:
        as_tester(alice)
        server = DockerContainer(tiny_image).with_command(["sh", "-c", SERVE])
        client = DockerContainer(tiny_image).with_command(["sleep", "600"])
        with Network() as network:
            server.with_network(network).with_network_aliases("server")
            server.waiting_for(LogMessageWaitStrategy("ready"))
            with server, client.with_network(network):
                told = client.exec(["nc", "-w", "5", "server", "8000"])
                return told.exit_code, told.output

    assert alice.run(deed) == (0, b"hello\n")


def test_its_reaper_is_refused_and_nothing_is_left(alice: Person, tiny_image: str) -> None:
    def deed() -> str:
        as_tester(alice, reaper=True)
        with (
            pytest.raises(APIError) as caught,
            DockerContainer(tiny_image).with_command(["sleep", "600"]),
        ):
            pass
        return str(caught.value.explanation)

    assert "testcontainers/ryuk" in alice.run(deed)
    assert alice.docker("ps", "-aq", "-f", "label=org.testcontainers") == ""
