"""Nobody can make the lists that are about everybody too long to be read."""

from functools import partial
from pathlib import Path
from typing import Any

from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person
from integration.gateway.raw_http import Told, ask

LONG = "x" * 4_000_000


def create(gateway: Gateway, person: Person, body: dict[str, Any]) -> Told:
    return person.run(partial(ask, gateway.socket, "POST", "/v1.41/containers/create", body))


def test_labels_commands_and_ports_are_bounded_as_asked_and_as_inherited(
    gateway: Gateway, alice: Person, bob: Person, tiny_image: str
) -> None:
    for body in (
        {"Labels": {"aime.mlc.USER": "x", "big": LONG}},
        {"Cmd": ["true", LONG]},
        {"HostConfig": {"PublishAllPorts": True}, "ExposedPorts": _ports(257)},
        {"ExposedPorts": _ports(1025)},
    ):
        told = create(gateway, alice, {"Image": tiny_image, "Cmd": ["true"], **body})
        assert told.status == 400, told.body[:200]
        assert "allowed" in told.message
    assert bob.docker("ps", "-aq") == ""


def test_an_image_whose_labels_grow_in_the_build_is_gone(alice: Person, tiny_image: str) -> None:
    steps = ["ENV A=" + "x" * 9000, "LABEL a=$A$A$A$A"]
    dockerfile = "\n".join([f"FROM {tiny_image}", *steps]) + "\n"
    name = alice.named("big")
    done = alice.try_docker(
        "build",
        "-t",
        name,
        "-",
        stdin=dockerfile,
        environment={"DOCKER_BUILDKIT": "0", "TMPDIR": alice.account.home},
    )
    assert done.code != 0
    assert "labels of the image" in done.out + done.err
    assert alice.docker("images", "-q", name) == ""


def test_a_watcher_survives_an_event_that_is_too_long(bob: Person, tiny_image: str) -> None:
    watching = bob.popen("events", "--format", "{{.Actor.Attributes.name}}")
    huge = f"huge{bob.mark}"
    body = {"Image": tiny_image, "Cmd": ["true"], "Labels": {"big": "x" * 4_300_000}}
    made = ask_engine("POST", f"/containers/create?name={huge}", body)
    try:
        name = bob.named("after")
        bob.docker("run", "--rm", "--name", name, tiny_image, "true")
        assert watching.stdout is not None
        assert eventually(watching.stdout.readline) == f"{name}\n"
        assert watching.poll() is None
        assert made.status == 201
    finally:
        watching.kill()
        watching.communicate()
        engine_docker("rm", "-f", huge)


def ask_engine(method: str, target: str, body: dict[str, Any]) -> Told:
    return ask(Path("/var/run/docker.sock"), method, target, body)


def _ports(count: int) -> dict[str, dict[str, str]]:
    return {f"{number}/tcp": {} for number in range(1, count + 1)}
