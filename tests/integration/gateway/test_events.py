import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.open_files import nothing_left_open
from integration.gateway.people import Person


@contextmanager
def watching(person: Person, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = person.popen("events", "--format", "{{json .}}", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_event(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def until(process: "subprocess.Popen[str]", action: str) -> list[dict[str, Any]]:
    found = [next_event(process)]
    while found[-1]["Action"] != action:
        found.append(next_event(process))
    return found


def names(events: list[dict[str, Any]]) -> set[str]:
    return {event["Actor"]["Attributes"].get("name", "") for event in events}


def replayed(person: Person, since: float, *arguments: str) -> list[dict[str, Any]]:
    moments = ("--since", f"{since:.6f}", "--until", f"{time.time():.6f}")
    shown = person.docker("events", "--format", "{{json .}}", *moments, *arguments)
    return [json.loads(line) for line in shown.splitlines()]


def test_everybody_sees_their_own(
    gateway: Gateway, alice: Person, bob: Person, tiny_image: str
) -> None:
    mine, theirs = alice.named("events-mine"), bob.named("events-theirs")
    since = ("--since", f"{time.time():.6f}")
    with (
        nothing_left_open(gateway),
        watching(alice, *since) as alices,
        watching(bob, *since) as bobs,
    ):
        alice.docker("run", "--rm", "--name", mine, tiny_image, "true")
        bob.docker("run", "--rm", "--name", theirs, tiny_image, "true")
        seen = [each for each in until(alices, "destroy") if each["Type"] == "container"]
        others = [each for each in until(bobs, "destroy") if each["Type"] == "container"]
    assert names(seen) == {mine}
    assert names(others) == {theirs}
    assert {"create", "start", "die", "destroy"} <= {each["Action"] for each in seen}
    assert bob.name not in json.dumps(seen)
    assert alice.name not in json.dumps(others)


def test_commands_and_their_ends_are_events(alice: Person, tiny_image: str) -> None:
    name = alice.named("events-exec")
    began = time.time()
    alice.docker("run", "-d", "--name", name, tiny_image, "sleep", "60")
    alice.docker("exec", name, "echo", "hello")
    alice.docker("rm", "-f", name)
    actions = [each["Action"] for each in replayed(alice, began, "--filter", f"container={name}")]
    assert "exec_create: echo hello" in actions
    assert "exec_die" in actions


def test_what_happens_right_after_the_answer_begins_is_never_missed(
    alice: Person, tiny_image: str
) -> None:
    name = alice.named("events-at-once")

    def rounds() -> list[str]:
        client = alice.client()
        container = client.containers.create(tiny_image, "true", name=name)
        seen = []
        for _ in range(10):
            stream = client.events(decode=True, filters={"container": name, "event": "start"})
            container.start()
            seen.append(next(iter(stream))["Action"])
            stream.close()
            container.wait()
        container.remove(force=True)
        return seen

    assert alice.run(rounds) == ["start"] * 10


def test_filters_are_by_ones_own_names(alice: Person, bob: Person, tiny_image: str) -> None:
    one, other = alice.named("events-one"), alice.named("events-other")
    began = time.time()
    for name in (one, other):
        alice.docker("create", "--name", name, "--label", f"made={name}", tiny_image, "true")
        alice.docker("rm", name)
    created = ("--filter", "event=create", "--filter", "type=container")
    assert names(replayed(alice, began, *created)) == {one, other}
    assert names(replayed(alice, began, *created, "--filter", f"container={one}")) == {one}
    assert names(replayed(alice, began, *created, "--filter", f"label=made={other}")) == {other}
    for theirs in (f"container={one}", f"label=ds01.user={alice.name}", "type=container"):
        assert not names(replayed(bob, began, "--filter", theirs)) & {one, other}


def test_the_engines_own_events_are_nobodys(alice: Person, tiny_image: str) -> None:
    began = time.time()
    made = engine_docker("create", "--label", "ds01.user=nobody", tiny_image, "true")
    network = engine_docker("network", "create", alice.named("events-root"))
    try:
        seen = json.dumps(replayed(alice, began))
    finally:
        engine_docker("rm", made)
        engine_docker("network", "rm", network)
    assert made not in seen
    assert network not in seen
    assert replayed(alice, 0, "--filter", "type=daemon") == []


def test_what_is_no_filter_is_refused(alice: Person) -> None:
    assert "invalid filter" in alice.refused("events", "--filter", "owner=bob", "--until", "0s")


def test_watchers_that_are_killed_leave_nothing_open(gateway: Gateway, alice: Person) -> None:
    with nothing_left_open(gateway):
        processes = [alice.popen("events") for _ in range(10)]
        eventually(lambda: alice.docker("version", "--format", "{{.Server.Version}}"))
        for each in processes:
            each.kill()
            each.communicate()
