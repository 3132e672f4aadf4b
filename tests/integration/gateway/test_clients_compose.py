"""Debian's docker-compose, unmodified."""

from collections.abc import Iterator

import pytest

from integration.gateway.compose_project import Project, compose_project
from integration.gateway.gateway_process import Gateway, eventually
from integration.gateway.people import Person
from integration.unix_people import ALICE

PROJECT = """
version: "3.8"
services:
  db:
    image: {image}
    command: ["sh", "-c", "while true; do echo hello | nc -l -p 8000; done"]
    volumes: ["data:/data"]
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
    restart: on-failure
  web:
    build: {{context: app, args: {{WORD: built}}}}
    environment: {{MODE: "{mode}"}}
    volumes: ["./app:/src:ro"]
    ports: ["8000"]
    depends_on: [db]
    networks: [default, back]
  trainer:
    image: {image}
    command: ["sleep", "600"]
    deploy:
      resources:
        reservations:
          devices: [{{driver: nvidia, count: 1, capabilities: [gpu]}}]
volumes: {{data: {{}}}}
networks: {{back: {{}}}}
"""
DOCKERFILE = """
FROM {image}
ARG WORD
RUN echo $WORD > /word
CMD ["sh", "-c", "cat /word; echo mode $MODE; exec sleep 600"]
"""
PLAIN = """
version: "3.8"
services: {{web: {{image: {image}, command: ["sleep", "600"], volumes: ["data:/data"]}}}}
volumes: {{data: {{}}}}
"""
ODD = """
version: "3.8"
services: {{web: {{image: {image}, command: ["true"], {more}}}}}
"""


@pytest.fixture(scope="module")
def shop(alice: Person, tiny_image: str) -> Iterator[Project]:
    text = PROJECT.format(image=tiny_image, mode="one")
    with compose_project(alice, alice.named("shop"), text) as project:
        project.write("app/Dockerfile", DOCKERFILE.format(image=tiny_image))
        project.done("up", "-d")
        yield project


def container(shop: Project, service: str, number: int = 1) -> str:
    return f"{shop.folder.name}_{service}_{number}"


def test_a_project_with_a_build_volumes_and_networks_is_up(alice: Person, shop: Project) -> None:
    shown = shop.done("ps").out
    assert shown.count(" Up") == 3
    assert "127.0.0.1:" in shop.done("port", "web", "8000").out
    assert shop.done("exec", "-T", "web", "cat", "/word").out == "built\n"
    assert shop.done("exec", "-T", "web", "cat", "/src/Dockerfile").out.startswith("\nFROM")
    shop.done("exec", "-T", "db", "sh", "-c", "echo kept > /data/file")
    eventually(
        lambda: alice.inspect(container(shop, "db"))["State"]["Health"]["Status"] == "healthy",
        what="the health check passes",
    )
    logs = shop.done("logs").out
    assert "mode one" in logs
    assert "sleep 600" in shop.done("top").out
    assert f"{shop.folder.name}_web" in shop.done("images").out


def test_its_containers_are_its_owners_and_compose_made_them(
    alice: Person, gateway: Gateway, shop: Project
) -> None:
    marks = alice.inspect(container(shop, "trainer"))["Config"]["Labels"]

    assert marks["ds01.user"] == ALICE
    assert marks["ds01.interface"] == "compose"
    assert marks["ds01.project"] == shop.folder.name
    assert marks["ds01.gpu.slots"]
    assert len(gateway.platform.admission.current().occupancy.of(ALICE)) == 1


def test_nothing_is_made_anew_unless_it_changed(
    alice: Person, tiny_image: str, shop: Project
) -> None:
    before = alice.inspect(container(shop, "trainer"))["Id"]
    assert shop.done("up", "-d").err.count("up-to-date") == 3

    shop.write("docker-compose.yml", PROJECT.format(image=tiny_image, mode="two"))
    changed = shop.done("up", "-d", "-t", "0").err

    assert "Recreating" in changed
    assert "mode two" in shop.done("logs", "web").out
    assert alice.inspect(container(shop, "trainer"))["Id"] == before


def test_a_service_is_scaled_up_and_down(alice: Person, shop: Project) -> None:
    shop.done("up", "-d", "--scale", "db=2", "--no-recreate")
    second = alice.inspect(container(shop, "db", 2))
    assert any(mount["Destination"] == "/data" for mount in second["Mounts"])

    shop.done("up", "-d", "-t", "0", "--scale", "db=1", "--no-recreate")

    assert "No such container" in alice.refused("container", "inspect", container(shop, "db", 2))


def test_single_commands_pauses_restarts_and_stops(alice: Person, shop: Project) -> None:
    assert shop.done("run", "--rm", "db", "cat", "/data/file").out == "kept\n"
    shop.done("pause", "db")
    shop.done("unpause", "db")
    shop.done("restart", "-t", "0", "web")
    shop.done("stop", "-t", "0")
    shop.done("start")
    assert shop.done("exec", "-T", "db", "cat", "/data/file").out == "kept\n"
    assert alice.inspect(container(shop, "trainer"))["State"]["Running"]


def test_down_leaves_nothing(alice: Person, shop: Project) -> None:
    shop.done("down", "-v", "--rmi", "local", "-t", "0")

    project = f"label=com.docker.compose.project={shop.folder.name}"
    assert alice.docker("ps", "-aq", "-f", project) == ""
    assert alice.docker("volume", "ls", "-q", "-f", project) == ""
    assert alice.docker("network", "ls", "-q", "-f", project) == ""
    assert shop.folder.name not in alice.docker("images")


def test_two_people_have_a_project_of_one_name(alice: Person, bob: Person, tiny_image: str) -> None:
    name, text = alice.named("twin"), PLAIN.format(image=tiny_image)
    with (
        compose_project(alice, name, text) as hers,
        compose_project(bob, name, text) as his,
    ):
        for each in (hers, his):
            each.done("up", "-d")
        hers.done("exec", "-T", "web", "sh", "-c", "echo hers > /data/file")

        assert his.compose("exec", "-T", "web", "cat", "/data/file").code != 0
        hers.done("down", "-v", "-t", "0")

        assert his.done("ps", "-q").out.strip()
        assert his.done("exec", "-T", "web", "echo", "here").out == "here\n"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("privileged: true", "--privileged would give a container the whole server"),
        ('network_mode: "host"', "--network host"),
        ("volumes: ['/:/host']", "'/' contains system folders"),
        ("volumes: ['/var/run/docker.sock:/s']", "is the engine's own socket"),
        ('restart: "always"', "--restart"),
        ('user: "root"', "containers run as you"),
        ("cap_add: [SYS_ADMIN]", "SYS_ADMIN"),
        ("image: alpine:3", "alpine:3 may not be fetched"),
        ("deploy: {resources: {limits: {memory: 64G}}}", "512"),
    ],
    ids=lambda value: value.partition(":")[0],
)
def test_what_is_refused_says_so(alice: Person, tiny_image: str, more: str, says: str) -> None:
    text = ODD.format(image=tiny_image, more=more)
    if "image:" in more:
        text = text.replace(f"image: {tiny_image}, ", "")
    with compose_project(alice, alice.named("odd"), text) as project:
        done = project.compose("up", "-d")

        assert done.code != 0
        assert says in done.err
        assert alice.docker("ps", "-aq", "-f", f"name={project.folder.name}") == ""
