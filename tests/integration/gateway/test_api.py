"""The API on the gateway's socket, with the real engine and two people of this machine."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from ds01_spawner.client import Client, on_socket
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Forbidden, NotFound
from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person

T = TypeVar("T")


def asks(person: Person, deed: Callable[[Client], T]) -> T:
    """What the API answers somebody: the kernel says who it is."""

    def within() -> T:
        with on_socket(person.socket) as client:
            return deed(client)

    return person.run(within)


def begun(person: Person, tiny_image: str, name: str, *options: str) -> str:
    """Somebody's container, started with their docker."""
    own = person.named(name)
    script = "trap exit TERM; echo hello; while :; do sleep 0.2; done"
    person.docker("run", "-d", "--name", own, *options, tiny_image, "sh", "-c", script)
    return own


def test_the_api_knows_who_asks(alice: Person, bob: Person) -> None:
    for person, group in ((alice, "student"), (bob, "researcher")):
        me = asks(person, Client.me)
        assert (me.user, me.role, me.interface) == (person.name, m.Role.STUDENT, "socket")
        assert me.explanation is not None
        assert me.explanation.group == group


def test_what_docker_started_the_api_shows_stops_starts_and_retires(
    gateway: Gateway, alice: Person, tiny_image: str
) -> None:
    name = begun(alice, tiny_image, "apilife", "--gpus", "1")
    shown = asks(alice, lambda client: client.container(name))
    assert (shown.state, shown.interface, len(shown.gpu_slots)) == ("running", "docker", 1)
    lines = eventually(lambda: asks(alice, lambda client: client.logs(name).lines))
    assert lines == ("hello",)
    mine = [each for each in asks(alice, Client.gpus).slots if each.mine]
    assert name in {each.container for each in mine}

    assert asks(alice, lambda client: client.stop(name)).state == "exited"
    assert alice.inspect(name)["State"]["Running"] is False
    assert asks(alice, lambda client: client.start(name)).state == "running"
    assert alice.inspect(name)["State"]["Running"] is True

    asks(alice, lambda client: client.retire(name, key="once"))
    asks(alice, lambda client: client.retire(name, key="once"))
    assert "No such" in alice.refused("container", "inspect", name)
    stopped = gateway.events("container.stop", alice.name)[-1]
    assert stopped["interface"] == "api"
    assert stopped["details"]["request_id"]


def test_what_is_bobs_does_not_exist_for_alice(alice: Person, bob: Person, tiny_image: str) -> None:
    name = begun(bob, tiny_image, "apibobs")
    deeds: tuple[Callable[[Client], object], ...] = (
        lambda client: client.container(name),
        lambda client: client.stop(name),
        lambda client: client.retire(name),
        lambda client: client.logs(name),
        lambda client: client.container(f"{name}._.{bob.name}"),
    )
    for deed in deeds:

        def tried(client: Client, deed: Callable[[Client], object] = deed) -> str:
            with pytest.raises(NotFound) as caught:
                deed(client)
            return str(caught.value)

        assert "no container called" in asks(alice, tried)

    def others(client: Client) -> str:
        with pytest.raises(Forbidden) as caught:
            client.containers(user=bob.name)
        return str(caught.value)

    assert "lab managers" in asks(alice, others)
    assert name not in asks(alice, lambda client: client.gpus().model_dump_json())
    assert bob.inspect(name)["State"]["Running"] is True


def test_root_looks_after_everybody(gateway: Gateway, alice: Person, tiny_image: str) -> None:
    name = begun(alice, tiny_image, "apiroot")
    with on_socket(gateway.socket) as root:
        assert root.me().role is m.Role.ADMIN
        assert name in {each.name for each in root.containers(everybody=True).containers}
        assert root.stop(name, user=alice.name).state == "exited"
        assert alice.name in {each.user for each in root.people()}
        parts = {each.name: each.ok for each in root.health().parts}
        assert parts["engine"]
        assert parts["ledger"]
        assert parts["policy"]
        assert root.reconcile(dry_run=True).dry_run
    event = gateway.events("container.stop", alice.name)[-1]
    assert event["details"]["by"] == "root"


def test_output_is_followed_as_it_comes_until_the_end(alice: Person, tiny_image: str) -> None:
    name = alice.named("says")
    script = "echo first; sleep 1; echo oops >&2; exit 3"
    alice.docker("run", "-d", "--name", name, tiny_image, "sh", "-c", script)
    told = asks(alice, lambda client: list(client.follow_logs(name)))
    alice.docker("rm", name)
    assert told == [
        m.LogText(text="first\n"),
        m.LogText(text="oops\n"),
        m.LogEnd(name=name, exit_code=3),
    ]


def test_an_image_is_built_followed_used_and_deleted(
    gateway: Gateway, alice: Person, tiny_image: str
) -> None:
    name = alice.named("apibuilt")
    dockerfile = f"FROM {tiny_image}\nCOPY note.txt /note.txt\nRUN cat /note.txt\n"
    wanted = m.BuildRequest(name=name, dockerfile=dockerfile, files={"note.txt": "from the API\n"})

    def build(client: Client) -> tuple[str, m.Build]:
        told = list(client.follow_build(client.build(wanted).id))
        end = told[-1]
        assert isinstance(end, m.Build)
        return "".join(each.text for each in told if isinstance(each, m.BuildLog)), end

    log, end = asks(alice, build)
    assert (end.state, end.failure) == ("done", ""), log
    assert "from the API" in log
    assert f"{name}:latest" in {each.title for each in asks(alice, Client.images).images}
    assert alice.docker("run", "--rm", name, "cat", "/note.txt") == "from the API"
    assert gateway.events("image.build", alice.name)[-1]["interface"] == "api"
    asks(alice, lambda client: client.delete_image(name))
    assert engine_docker("images", "-q", f"ds01-{alice.name}/{name}") == ""


def test_a_build_that_fails_says_where(alice: Person, tiny_image: str) -> None:
    wanted = m.BuildRequest(
        name=alice.named("apifails"), dockerfile=f"FROM {tiny_image}\nRUN exit 3\n"
    )

    def build(client: Client) -> m.Build:
        *_, end = client.follow_build(client.build(wanted).id)
        assert isinstance(end, m.Build)
        return end

    end = asks(alice, build)
    assert end.state == "failed"
    assert "exit 3" in end.failure


def test_keys_and_events_are_ones_own(alice: Person, bob: Person) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6HSU5PATOV+dkU6E6SY+WTP38GHY1Awr+69C+ZSI3r laptop"
    asks(alice, lambda client: client.add_ssh_key(key))
    assert len(asks(alice, Client.ssh_keys).keys) == 1
    assert asks(bob, Client.ssh_keys).keys == ()
    users = asks(bob, lambda client: {each.user for each in client.events()})
    assert users <= {bob.name}
