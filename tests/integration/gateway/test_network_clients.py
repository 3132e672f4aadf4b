"""Networks as people's own programs make and use them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import Gateway, engine_docker
from integration.gateway.people import Done, Person

SERVE = "while true; do echo hello | nc -l -p 8000; done"
PROJECT = """
version: "2.4"
services:
  db:
    image: {image}
    command: ["sh", "-c", "{serve}"]
    networks: {{back: {{aliases: [store]}}}}
  web:
    image: {image}
    command: ["sleep", "600"]
    links: ["db:database"]
    depends_on: [db]
    networks: [default, back]
networks:
  back:
    driver: bridge
    labels: {{purpose: test}}
    driver_opts: {{com.docker.network.driver.mtu: "1400"}}
"""


def heard(person: Person, container: str, host: str, port: int = 8000) -> bool:
    done = person.try_docker("exec", container, "nc", "-w", "2", host, str(port))
    return "hello" in done.out


@pytest.fixture
def clean(alice: Person, gateway: Gateway) -> Iterator[Person]:
    yield alice
    gateway.remove_containers()
    alice.try_docker("network", "prune", "--force")


def test_containers_of_a_network_find_each_other_by_name(
    clean: Person, bob: Person, tiny_image: str
) -> None:
    alice, net, one, two = clean, clean.named("net"), clean.named("one"), clean.named("two")
    alice.docker("network", "create", "--label", "a=b", net)
    alice.docker("run", "-d", "--name", one, "--network", net, tiny_image, "sh", "-c", SERVE)
    alice.docker("run", "-d", "--name", two, tiny_image, "sleep", "600")
    assert not heard(alice, two, one)

    alice.docker("network", "connect", "--alias", "zwei", net, two)

    assert heard(alice, two, one)
    (shown,) = json.loads(alice.docker("network", "inspect", net))
    assert shown["Name"] == net
    assert shown["Labels"] == {"a": "b"}
    assert sorted(each["Name"] for each in shown["Containers"].values()) == [one, two]
    assert shown["IPAM"]["Config"][0]["Gateway"].startswith("10.201.")
    assert bob.try_docker("network", "inspect", net).err.strip().endswith(f"{net} not found")
    assert "has active endpoints" in alice.try_docker("network", "rm", net).err

    alice.docker("network", "disconnect", net, two)
    assert not heard(alice, two, one)
    alice.docker("rm", "-f", one)
    assert f"Deleted Networks:\n{net}" in alice.docker("network", "prune", "--force")


def test_the_list_is_ones_own(clean: Person, bob: Person) -> None:
    mine, theirs = clean.named("mine"), bob.named("theirs")
    clean.docker("network", "create", mine)
    bob.docker("network", "create", theirs)

    names = clean.docker("network", "ls", "--format", "{{.Name}}").split()
    own = {f"ds01-{clean.name}", "none", mine}
    assert {mine, "none"} <= set(names) <= own
    for arguments in (["--filter", f"name={mine}"], ["--filter", "driver=bridge"]):
        found = clean.docker("network", "ls", *arguments, "--format", "{{.Name}}").split()
        assert mine in found
        assert theirs not in found
    assert clean.docker("network", "inspect", "bridge", "-f", "{{.Name}}").strip() == (
        f"ds01-{clean.name}"
    )
    bob.docker("network", "rm", theirs)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "macvlan"], "only bridge networks are"),
        (["-d", "ipvlan"], "only bridge networks are"),
        (["-d", "overlay"], "only bridge networks are"),
        (["--subnet", "192.168.7.0/24"], "cannot be chosen"),
        (["--ipv6"], "have no IPv6"),
        (["--scope", "swarm"], "Swarm is not offered"),
        (["--ipam-driver", "dhcp"], "Only the IPAM driver default"),
        (["-o", "com.docker.network.bridge.name=eth0"], "cannot be 'eth0' here"),
        (["-o", "com.docker.network.bridge.host_binding_ipv4=0.0.0.0"], "cannot be '0.0.0.0'"),
        (["--config-only"], "is not known here"),
        (["--ingress"], "is not known here"),
    ],
)
def test_a_network_past_the_fence_is_refused(
    clean: Person, arguments: list[str], words: str
) -> None:
    name = clean.named("evil")

    done = clean.try_docker("network", "create", *arguments, name)

    assert done.code != 0
    assert words in done.err
    assert name not in engine_docker("network", "ls", "--format", "{{.Name}}")


@pytest.fixture
def project(clean: Person, tiny_image: str) -> Iterator[Path]:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    folder = Path(clean.account.home) / clean.named("shop")
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(PROJECT.format(image=tiny_image, serve=SERVE))
    for each in (folder, folder / "docker-compose.yml"):
        shutil.chown(each, clean.account.uid, clean.account.gid)
    yield folder
    shutil.rmtree(folder)


def compose(person: Person, folder: Path, *arguments: str) -> Done:
    """How Debian's `docker-compose …` ends, run as that person in a project's folder."""
    done = subprocess.run(
        ["docker-compose", "--no-ansi", *arguments],
        user=person.account.uid,
        group=person.account.gid,
        extra_groups=[],
        cwd=folder,
        env=person.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_compose_project_comes_up_finds_itself_and_goes(clean: Person, project: Path) -> None:
    up = compose(clean, project, "up", "-d")
    assert up.code == 0, up.err
    assert f'Creating network "{project.name}_back" with driver "bridge"' in up.err
    again = compose(clean, project, "up", "-d")
    assert again.code == 0, again.err
    assert "up-to-date" in again.err
    assert "WARNING" not in again.err

    for host in ("db", "store", "database"):
        found = compose(clean, project, "exec", "-T", "web", "nc", "-w", "2", host, "8000")
        assert "hello" in found.out, found.err
    assert compose(clean, project, "up", "-d", "--force-recreate", "-t", "0").code == 0

    down = compose(clean, project, "down", "-t", "0")
    assert down.code == 0, down.err
    names = clean.docker("network", "ls", "--format", "{{.Name}}")
    assert project.name not in names
