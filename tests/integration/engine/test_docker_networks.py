import json
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Network

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.errors import Unavailable

PORT = 8000
SERVE = f"while true; do echo hello | nc -l -p {PORT}; done"


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check)
    return done.stdout.strip()


MARKS = {"ds01.managed": "true", "ds01.instance": secrets.token_hex(6)}
"""Of an installation that has no fence: networks without a maker are in that of the main one."""


def gateway_of(network: str) -> str:
    (shown,) = json.loads(docker("network", "inspect", network))
    config = shown["IPAM"]["Config"][0]
    return str(config.get("Gateway") or next(IPv4Network(config["Subnet"]).hosts()))


@pytest.fixture
def networks() -> Iterator[list[str]]:
    names = [f"ds01test-{secrets.token_hex(4)}" for _ in range(3)]
    yield names
    for name in names:
        docker("network", "rm", name, check=False)


@pytest.fixture
def run(
    docker_engine: DockerEngine,
    tiny_image: str,
    networks: list[str],  # noqa: ARG001 - outlive the containers
) -> Iterator[Callable[[str], str]]:
    made: list[str] = []

    def started(network: str) -> str:
        docker_engine.ensure_network(network, MARKS)
        spec = ContainerSpec(
            name=f"ds01test-{secrets.token_hex(4)}",
            image=tiny_image,
            labels=MARKS,
            cgroup_parent="",
            network=network,
            command=("sh", "-c", SERVE),
        )
        made.append(docker_engine.create(spec))
        docker_engine.start(made[-1])
        return made[-1]

    yield started
    for container_id in made:
        docker_engine.remove(container_id)


def reached_from(container_id: str, host: str, port: int = PORT, *, seconds: int = 10) -> bool:
    command = ["docker", "exec", container_id, "nc", "-w", str(seconds), host, str(port)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return "hello" in done.stdout


def comes_to_reach(container_id: str, host: str, port: int = PORT) -> bool:
    """Whether one of a few tries succeeds: on a busy machine an exec may come to nothing."""
    return any(reached_from(container_id, host, port) for _ in range(3))


def pinged_from(container_id: str, host: str) -> bool:
    command = ["docker", "exec", container_id, "ping", "-c1", "-W2", host]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def reached_from_host(address: str) -> bool:
    bound = time.monotonic() + 10
    while time.monotonic() < bound:
        try:
            with socket.create_connection((address, PORT), timeout=1) as connection:
                return connection.recv(16) == b"hello\n"
        except OSError:
            continue
    return False


def address_of(engine: DockerEngine, container_id: str, network: str) -> str:
    address = engine.address(container_id, network)
    assert address is not None
    return address


def test_people_reach_the_hub_and_themselves_but_not_each_other(
    docker_engine: DockerEngine, networks: list[str], run: Callable[[str], str]
) -> None:
    alices, bobs = networks[:2]
    alice, alice_too, bob = run(alices), run(alices), run(bobs)
    at_alice = address_of(docker_engine, alice, alices)
    at_bob = address_of(docker_engine, bob, bobs)

    assert reached_from_host(at_alice)
    assert reached_from_host(at_bob)
    assert comes_to_reach(alice_too, at_alice)
    assert not reached_from(bob, at_alice, seconds=2)
    assert not reached_from(alice, at_bob, seconds=2)
    assert not pinged_from(bob, at_alice)

    with socket.create_server(("0.0.0.0", 0)) as hub:
        hub.settimeout(30)
        port = hub.getsockname()[1]

        def answer() -> None:
            with suppress(OSError):  # nobody came: the assertion says it
                for _ in range(2):
                    with hub.accept()[0] as connection:
                        connection.sendall(b"hello\n")

        answering = threading.Thread(target=answer)
        answering.start()
        assert comes_to_reach(bob, gateway_of("bridge"), port)
        assert comes_to_reach(bob, gateway_of(bobs), port)
        answering.join(10)


def test_networks_made_at_once_have_their_own_addresses(
    docker_engine: DockerEngine, networks: list[str]
) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: docker_engine.ensure_network(name, {}), networks * 2))

    shown = json.loads(docker("network", "inspect", *networks))
    assert len(shown) == len(networks)
    assert len({network["IPAM"]["Config"][0]["Subnet"] for network in shown}) == len(networks)


def test_a_network_keeps_its_labels(docker_engine: DockerEngine, networks: list[str]) -> None:
    docker_engine.ensure_network(networks[0], {"ds01.user": "alice"})

    (shown,) = json.loads(docker("network", "inspect", networks[0]))
    assert shown["Labels"] == {"ds01.user": "alice"}
    assert IPv4Network(shown["IPAM"]["Config"][0]["Subnet"]).prefixlen == 27


def test_a_pool_that_is_used_up_is_said(networks: list[str]) -> None:
    engine = DockerEngine(network_pool="10.254.254.0/26", network_prefix=27)
    engine.ensure_network(networks[0], {})
    engine.ensure_network(networks[1], {})

    with pytest.raises(Unavailable, match=r"All 2 networks of 10\.254\.254\.0/26 are in use"):
        engine.ensure_network(networks[2], {})
    engine.close()
