"""Containers made through the API, with the real engine: whole, or not at all."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ds01_spawner.client import Client, on_socket
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import error_of, problem_of
from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest, NoCapacity, NotFound
from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person

T = TypeVar("T")

pytestmark = pytest.mark.timeout(180)


def asks(person: Person, deed: Callable[[Client], T]) -> T:
    def within() -> T:
        with on_socket(person.socket) as client:
            return deed(client)

    return person.run(within)


def _engine_has(person: Person, name: str) -> bool:
    return bool(engine_docker("ps", "-aq", "--filter", f"name=^{name}._.{person.name}$"))


def _slots(person: Person, name: str) -> int:
    """How many a container has, or is promised; other gateways of this machine have theirs."""
    return len([each for each in asks(person, Client.gpus).slots if each.container == name])


def test_a_container_idles_in_its_workspace_and_is_given_back(
    gateway: Gateway, alice: Person
) -> None:
    name = alice.named("made")
    home = Path(alice.account.home)
    work = home / name
    alice.run(work.mkdir)
    wanted = m.CreateRequest(
        name=name, gpu="mig", workspace=name, project="p1", environment={"COLOUR": "blue"}
    )
    plan = asks(alice, lambda client: client.plan(wanted))
    assert plan.refused is None, plan
    assert len(plan.gpu_slots) == 1
    assert not _engine_has(alice, name)

    made = asks(alice, lambda client: client.create(wanted))
    assert (made.state, made.interface, made.project) == ("running", "api", "p1")
    assert len(made.gpu_slots) == len(made.gpu_profiles) == 1
    told = alice.docker("exec", name, "sh", "-c", "pwd; echo $COLOUR; echo $HOME; id -u; hostname")
    assert told.splitlines() == [
        "/workspace",
        "blue",
        str(home),
        str(alice.account.uid),
        name,
    ]
    alice.docker("exec", name, "touch", "/workspace/here")
    assert (work / "here").exists()

    assert asks(alice, lambda client: client.pause(name)).state == "paused"
    assert asks(alice, lambda client: client.unpause(name)).state == "running"
    with pytest.raises(Conflict, match="already"):
        _raised(alice, lambda client: client.create(wanted))
    again = asks(alice, lambda client: client.restart(name))
    assert (again.id, again.state, again.gpu_slots) == (made.id, "running", made.gpu_slots)
    used = asks(alice, lambda client: client.stats(name)).containers[0]
    assert used.memory_bytes
    assert used.pids
    assert used.cpu_percent is not None

    with pytest.raises(Conflict, match="is running"):
        _raised(alice, lambda client: client.remove(name))
    asks(alice, lambda client: client.remove(name, force=True))
    assert not _engine_has(alice, name)
    assert _slots(alice, name) == 0
    assert gateway.events("container.create", alice.name)[-1]["interface"] == "api"


def test_an_image_with_an_entry_point_idles_too(alice: Person, tiny_image: str) -> None:
    built, name = alice.named("pointed"), alice.named("idles")
    dockerfile = f'FROM {tiny_image}\nENTRYPOINT ["echo", "hello"]\nCMD ["you"]\n'

    def build(client: Client) -> m.Build:
        *_, end = client.follow_build(
            client.build(m.BuildRequest(name=built, dockerfile=dockerfile, recipe="r1")).id
        )
        assert isinstance(end, m.Build)
        return end

    end = asks(alice, build)
    assert end.size_bytes, end
    detail = asks(alice, lambda client: client.image(built))
    assert (detail.recipe, detail.own, detail.used_by) == ("r1", True, ())
    assert detail.layers
    made = asks(alice, lambda client: client.create(m.CreateRequest(name=name, image=built)))
    assert made.state == "running"
    assert asks(alice, lambda client: client.image(built)).used_by == (name,)
    said = m.CreateRequest(name=alice.named("said"), image=built, command=("there",))
    asks(alice, lambda client: client.create(said))
    lines = eventually(lambda: asks(alice, lambda client: client.logs(alice.named("said")).lines))
    assert lines == ("hello there",)
    for each in (name, alice.named("said")):
        asks(alice, lambda client, each=each: client.remove(each, force=True))  # type: ignore[misc]
    asks(alice, lambda client: client.delete_image(built))


def test_a_folder_that_is_missing_is_refused_and_nothing_is_left(alice: Person) -> None:
    name = alice.named("missing")
    wanted = m.CreateRequest(name=name, workspace="no-such-folder", gpu="mig")
    with pytest.raises(InvalidRequest, match="no-such-folder"):
        _raised(alice, lambda client: client.create(wanted))
    assert not _engine_has(alice, name)
    assert _slots(alice, name) == 0


def test_what_cannot_start_is_wholly_undone(alice: Person) -> None:
    name = alice.named("broken")
    # The engine makes it, and cannot mount a folder at a file when it starts it.
    wanted = m.CreateRequest(name=name, folders=("~:/bin/busybox",), gpu="mig")
    with pytest.raises(DS01Error, match="busybox"):
        _raised(alice, lambda client: client.create(wanted))
    assert not _engine_has(alice, name)
    assert _slots(alice, name) == 0


def test_two_people_at_once_get_two_slots(alice: Person, bob: Person) -> None:
    made: dict[str, m.Container] = {}

    def make(person: Person) -> None:
        wanted = m.CreateRequest(name=person.named("atonce"), gpu="mig")
        made[person.name] = asks(person, lambda client: client.create(wanted))

    threads = [threading.Thread(target=make, args=(each,)) for each in (alice, bob)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    slots = [each.gpu_slots for each in made.values()]
    assert len(slots) == len(set(slots)) == 2
    for person in (alice, bob):
        asks(person, lambda client, p=person: client.remove(p.named("atonce"), force=True))  # type: ignore[misc]


def test_whoever_goes_at_any_moment_leaves_nothing(gateway: Gateway, alice: Person) -> None:
    name = alice.named("gone")
    body = json.dumps({"name": name, "gpu": "mig"}).encode()
    head = (
        "POST /ds01/containers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    def go_after(words: bytes) -> None:
        """Close the connection as soon as the answer has these words."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(alice.socket))
            line.sendall(head + body)
            line.settimeout(60)
            told = b""
            while words not in told:
                part = line.recv(4096)
                assert part, told
                told += part

    def seen() -> int:
        return len(gateway.events("container.create", alice.name))

    for words in (b"HTTP/1.1", b'"create"', b'"start"'):
        before = seen()
        alice.run(lambda words=words: go_after(words))  # type: ignore[misc]
        eventually(lambda before=before: seen() > before, what=f"it was made after {words!r}")  # type: ignore[misc]
        eventually(lambda: not _engine_has(alice, name), what=f"it is gone after {words!r}")
        eventually(lambda: _slots(alice, name) == 0, what=f"the slot is free after {words!r}")
    reasons = [
        each["reason"]
        for each in gateway.events("container.remove", alice.name)
        if each["resource"].startswith(f"{name}.")
    ]
    assert len(reasons) == 3
    assert all(each.startswith("not wanted") for each in reasons)


def test_who_waits_is_told_their_place_and_leaves_it_by_going(bob: Person) -> None:
    full = m.CreateRequest(name=bob.named("full"), gpu="full")
    asks(bob, lambda client: client.create(full))
    wanted = m.CreateRequest(name=bob.named("waits"), gpu="full", wait="5m")

    class Enough(Exception):
        pass

    def wait(client: Client) -> str:
        def on_place(place: m.Place) -> None:
            assert (place.place, place.gpu) == (1, "a whole GPU")
            raise Enough

        try:
            client.create(wanted, on_place=on_place)
        except Enough:
            return "left"
        return "made"

    plan = asks(bob, lambda client: client.plan(wanted))
    assert plan.would_wait is not None
    assert asks(bob, wait) == "left"
    eventually(lambda: not asks(bob, Client.queue).tickets, what="the place is given up")
    assert not _engine_has(bob, bob.named("waits"))
    with pytest.raises(NoCapacity) as caught:
        _raised(bob, lambda client: client.create(m.CreateRequest(gpu="full")))
    assert caught.value.place == 1
    asks(bob, lambda client: client.remove(bob.named("full"), force=True))


def _raised(person: Person, deed: Callable[[Client], object]) -> None:
    """Do it as that person; what they are refused is raised here."""

    def within() -> m.Problem | None:
        with on_socket(person.socket) as client:
            try:
                deed(client)
            except DS01Error as exc:
                return problem_of(exc)
        return None

    problem = person.run(within)
    if problem is not None:
        raise error_of(problem)


def test_what_images_are_made_of_and_which_nobody_needs(alice: Person, tiny_image: str) -> None:
    options = asks(alice, Client.image_options)
    assert {each.key for each in options.use_cases} >= {"cv", "custom"}
    assert options.bases
    name = alice.named("unused")
    for text in ("one", "two"):  # the first loses its name to the second
        alice.docker("build", "-q", "-t", name, "-", stdin=f"FROM {tiny_image}\nLABEL a={text}\n")
    dry = asks(alice, lambda client: client.prune_images(dry_run=True))
    assert dry.dry_run
    assert dry.images
    assert f"{name}:latest" not in dry.images
    named = asks(alice, lambda client: client.prune_images(unused=True, dry_run=True))
    assert f"{name}:latest" in named.images
    gone = asks(alice, Client.prune_images)
    assert set(dry.images) <= set(gone.images)
    assert asks(alice, lambda client: client.image(name)).own
    asks(alice, lambda client: client.prune_images(unused=True))
    with pytest.raises(NotFound):
        _raised(alice, lambda client: client.image(name))
