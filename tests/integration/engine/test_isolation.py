"""Packets of real containers on real bridges, with the rules in this machine's own tables.

The rules are about bridges of this test's installation alone, so nothing else notices them.
"""

import json
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.isolation import IptablesFilter
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.fence import HostPort
from ds01_spawner.domain.names import bridge_name, bridge_tag
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.policy.isolation import parse_isolation
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.packet_filter import FakeHostAddresses
from integration.network_namespace import Namespace, namespace

PORT = 8000
SERVE = f"while true; do echo hello | nc -l -p {PORT}; done"
METADATA = "169.254.169.254"
HOST_END, WORLD = "198.51.100.1", "198.51.100.2"
NAMES, WEB = 53, 80
TABLE = str(secrets.randbelow(10**6) + 10**6)
SERVER = f"""
import socket, threading
def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"hello\\n")
        connection.close()
for listener in [socket.create_server(("0.0.0.0", port), backlog=64) for port in ({NAMES}, {WEB})]:
    threading.Thread(target=serve, args=(listener,)).start()
print("ready", flush=True)
"""


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def reached(container_id: str, host: str, port: int) -> bool:
    """Whether a program in the container hears the service there."""
    done = subprocess.run(
        ["docker", "exec", container_id, "nc", "-w", "2", host, str(port)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return "hello" in done.stdout


def pinged(container_id: str, host: str) -> bool:
    command = ["docker", "exec", container_id, "ping", "-c1", "-W1", host]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def all_reached(container_id: str, places: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the places that are reached, asked side by side: each refusal is a silence."""
    asked = sorted(set(places))
    with ThreadPoolExecutor(len(asked)) as pool:
        heard = pool.map(lambda place: reached(container_id, *place), asked)
        return {place for place, is_open in zip(asked, heard, strict=True) if is_open}


def all_pinged(container_id: str, hosts: Iterable[str]) -> set[str]:
    """Those of the hosts that answer a ping."""
    asked = sorted(set(hosts))
    with ThreadPoolExecutor(len(asked)) as pool:
        heard = pool.map(lambda host: pinged(container_id, host), asked)
        return {host for host, answers in zip(asked, heard, strict=True) if answers}


@contextmanager
def listening() -> Iterator[int]:
    """A service on every address of the host, and its port."""
    with socket.create_server(("0.0.0.0", 0), backlog=64) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextmanager
def outside(interfaces: list[str]) -> Iterator[None]:
    """A world beyond the host: one plain address, and the one where clouds keep secrets.

    Only what comes by `interfaces` is sent there, so the host's own way to it stays as it is.
    """
    rule = ["to", METADATA, "lookup", TABLE]
    with namespace() as world:
        _connect(world)
        for interface in interfaces:
            output("ip", "rule", "add", "iif", interface, *rule)
        server = subprocess.Popen(
            [*world.within, sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()
            server.communicate()
            for interface in interfaces:
                output("ip", "rule", "del", "iif", interface, *rule)


def _connect(world: Namespace) -> None:
    here, there = f"{world.name[:10]}h", f"{world.name[:10]}n"
    output("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", world.name)
    output("ip", "addr", "add", f"{HOST_END}/30", "dev", here)
    output("ip", "link", "set", here, "up")
    output("sysctl", "-qw", f"net.ipv4.conf.{here}.rp_filter=2")
    output("ip", "route", "add", METADATA, "via", WORLD, "table", TABLE)
    for command in (
        ("ip", "addr", "add", f"{WORLD}/30", "dev", there),
        ("ip", "link", "set", there, "up"),
        ("ip", "link", "set", "lo", "up"),
        ("ip", "addr", "add", f"{METADATA}/32", "dev", "lo"),
        ("ip", "route", "add", "default", "via", HOST_END),
    ):
        world.run(*command)


@dataclass
class Lab:
    """Networks and containers of one installation, and of another one beside it."""

    engine: DockerEngine
    image: str

    def __post_init__(self) -> None:
        self.instance = secrets.token_hex(6)
        self.events = FakeEventLog()
        self._made: list[str] = []
        self._networks: list[str] = []

    def network(self, instance: str | None) -> str:
        """The engine's name of a new network of an installation, or of none."""
        name = f"ds01test-{secrets.token_hex(4)}"
        marks = {labels.MANAGED: "true"}
        if instance is not None:
            marks[labels.INSTANCE] = instance
        self._networks.append(name)
        self.engine.ensure_network(name, marks)
        return name

    def container(self, network: str, instance: str | None = None, *options: str) -> str:
        name = f"ds01test-{secrets.token_hex(4)}"
        if options:
            made = output(
                *("docker", "create", "--name", name, "--network", network, *options),
                *(self.image, "sh", "-c", SERVE),
            )
        else:
            made = self.engine.create(
                ContainerSpec(
                    name=name,
                    image=self.image,
                    labels={labels.MANAGED: "true", labels.INSTANCE: instance or self.instance},
                    cgroup_parent="",
                    network=network,
                    cap_drop=(),
                    command=("sh", "-c", SERVE),
                )
            )
        self._made.append(made)
        self.engine.start(made)
        return made

    def address(self, container_id: str, network: str) -> str:
        address = self.engine.address(container_id, network)
        assert address is not None
        return address

    def isolation(self, text: str, port: int) -> Isolation:
        return Isolation(
            bridges=self.engine,
            packet_filter=IptablesFilter(),
            host=FakeHostAddresses((METADATA,)),
            config=lambda: parse_isolation(text, "isolation.yaml"),
            audit=Audit(FakeClock(), self.events, "gateway"),
            instance=self.instance,
            is_main=True,
            ports=(HostPort(port),),
        )

    def close(self) -> None:
        for container_id in self._made:
            self.engine.remove(container_id)
        for name in self._networks:
            subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)


@pytest.fixture
def lab(docker_engine: DockerEngine, tiny_image: str) -> Iterator[Lab]:
    made = Lab(docker_engine, tiny_image)
    yield made
    made.close()


def gateway(network: str) -> str:
    (shown,) = json.loads(output("docker", "network", "inspect", network))
    return str(shown["IPAM"]["Config"][0].get("Gateway", ""))


def docker0() -> str:
    shown = json.loads(output("ip", "-j", "-4", "addr", "show", "docker0"))
    return str(shown[0]["addr_info"][0]["local"])


def of_eth0() -> str:
    """The address by which the host reaches the world."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.77", 9))
        return str(probe.getsockname()[0])


def own_rules(instance: str) -> list[str]:
    saved = output("iptables-save") + output("ip6tables-save")
    return [line for line in saved.splitlines() if "DS01-" in line and bridge_tag(instance) in line]


def test_a_container_reaches_its_own_and_the_hub_and_the_world_and_nothing_else(lab: Lab) -> None:
    alices, bobs, older = lab.network(lab.instance), lab.network(lab.instance), lab.network(None)
    alice, alice_too, bob = lab.container(alices), lab.container(alices), lab.container(bobs)
    legacy = lab.container(older)
    (old_bridge,) = [each for each in lab.engine.bridges() if each.network == older]
    ways_out = [bridge_name(alices, lab.instance), old_bridge.interface]
    at = {each: lab.address(each, network) for each, network in ((alice_too, alices), (bob, bobs))}
    with listening() as hub, listening() as engine, outside(ways_out):
        isolation = lab.isolation("host_ports: []\n", hub)
        everywhere = [gateway(alices) or docker0(), docker0(), of_eth0(), HOST_END]
        # Without rules they do reach all that, so the tests below can fail.
        for source in (alice, legacy):
            assert all(reached(source, address, engine) for address in everywhere)
            assert reached(source, METADATA, WEB)
        try:
            standing = isolation.keep()
            assert standing.is_in_force, standing.faults
            assert standing.fence.interfaces == (old_bridge.interface,)

            open_places = {(METADATA, NAMES), (WORLD, WEB), *((each, hub) for each in everywhere)}
            closed_places = {
                *((METADATA, WEB), (at[bob], PORT)),
                *((each, engine) for each in everywhere),
            }
            for source in (alice, legacy):
                assert all_reached(source, open_places | closed_places) == open_places
                assert all_pinged(source, [METADATA, WORLD, at[bob], *everywhere]) == {WORLD}
            assert reached(alice, at[alice_too], PORT)
            assert pinged(alice, at[alice_too])
            with socket.create_connection((at[bob], PORT), timeout=10) as hub_to_server:
                assert hub_to_server.recv(16) == b"hello\n"
        finally:
            isolation.take_down()
    assert own_rules(lab.instance) == []


def test_a_network_made_later_is_inside_from_the_first_packet(lab: Lab) -> None:
    with listening() as hub, listening() as engine:
        isolation = lab.isolation("host_ports: []\n", hub)
        try:
            assert isolation.keep().is_in_force
            network = lab.network(lab.instance)
            late, late_too = lab.container(network), lab.container(network)

            assert not reached(late, docker0(), engine)
            assert reached(late, docker0(), hub)
            assert reached(late, lab.address(late_too, network), PORT)
        finally:
            isolation.take_down()


def test_two_installations_on_one_engine_do_not_cut_each_other(lab: Lab) -> None:
    other = replace(lab)
    mine, theirs = lab.network(lab.instance), lab.network(other.instance)
    alice, carol = lab.container(mine), lab.container(theirs, other.instance)
    with listening() as hub, listening() as their_hub:
        first, second = (
            lab.isolation("enabled: true\n", hub),
            other.isolation("enabled: true\n", their_hub),
        )
        try:
            first.keep()
            assert reached(carol, docker0(), their_hub)
            assert reached(carol, docker0(), hub)

            assert second.keep().is_in_force
            assert first.look().is_in_force
            assert not reached(carol, docker0(), hub)
            assert reached(carol, docker0(), their_hub)
            assert not reached(alice, docker0(), their_hub)

            first.take_down()
            assert second.look().is_in_force
            assert not reached(carol, docker0(), hub)
            assert reached(alice, docker0(), their_hub)
        finally:
            first.take_down()
            second.take_down()


@pytest.mark.parametrize("published", ["127.0.0.1::8000", "0.0.0.0::8000"])
def test_a_port_that_somebody_else_publishes_is_not_reached(lab: Lab, published: str) -> None:
    alices, bobs = lab.network(lab.instance), lab.network(lab.instance)
    alice = lab.container(alices)
    bob = lab.container(bobs, lab.instance, "-p", published)
    port = int(output("docker", "port", bob).rpartition(":")[2])
    isolation = lab.isolation("enabled: true\n", 8081)
    try:
        assert isolation.keep().is_in_force
        with socket.create_connection(("127.0.0.1", port), timeout=10) as published_to_host:
            assert published_to_host.recv(16) == b"hello\n"

        addresses = (docker0(), of_eth0(), gateway(alices) or docker0())
        assert all_reached(alice, [(each, port) for each in addresses]) == set()
    finally:
        isolation.take_down()


def test_without_the_internet_only_allowed_ranges_are_reached(lab: Lab) -> None:
    network = lab.network(lab.instance)
    alice = lab.container(network)
    with listening() as hub, outside([bridge_name(network, lab.instance)]):
        closed = lab.isolation("internet: false\n", hub)
        opened = lab.isolation(
            f"internet: false\nblocked_ranges: [198.51.100.0/24]\nallowed_ranges: [{WORLD}]\n", hub
        )
        try:
            assert closed.keep().is_in_force
            assert not reached(alice, WORLD, WEB)
            assert reached(alice, docker0(), hub)

            assert opened.keep().is_in_force
            assert reached(alice, WORLD, WEB)
            assert not reached(alice, METADATA, WEB)
        finally:
            closed.take_down()


def test_containers_have_no_ipv6(lab: Lab) -> None:
    alice = lab.container(lab.network(lab.instance))

    table = output("docker", "exec", alice, "cat", "/proc/net/if_inet6")
    assert {line.split()[-1] for line in table.splitlines()} <= {"lo"}
