"""Commands about oneself, against a real gateway: what plain Docker did is explained."""

import json

import pytest

from integration.gateway.ds01_program import ds01
from integration.gateway.people import Person

pytestmark = pytest.mark.timeout(300)


def test_a_refusal_through_docker_is_explained_with_its_line(
    alice: Person, tiny_image: str
) -> None:
    name = alice.named("large")
    refused = alice.try_docker("create", "--name", name, "--memory", "900g", tiny_image)
    assert refused.code != 0
    told = ds01(alice, "why", name)
    assert told.code == 0, told.err
    assert f"{name} was refused" in told.out
    assert "rule:   memory = 512 MB" in told.out
    assert "set by: the defaults, resource-limits.yaml line" in told.out
    assert "next:   Ask for less" in told.out
    assert alice.try_docker("create", "--privileged", tiny_image).code != 0
    (event,) = [
        each
        for each in map(json.loads, ds01(alice, "events", "--json").out.splitlines())
        if "--privileged" in each["reason"]
    ]
    assert event["outcome"] == "refused"


def test_ones_container_is_listed_extended_and_explained(alice: Person, tiny_image: str) -> None:
    name = alice.named("own")
    alice.docker("run", "-d", "--name", name, tiny_image, "sleep", "600")
    explained = json.loads(ds01(alice, "why", name, "--json").out)["reasons"]
    assert [(each["kind"], each["name"]) for each in explained] == [("running", name)]
    limits = json.loads(ds01(alice, "check-limits", "--json").out)
    used = {each["limit"]: each["used"] for each in limits["usage"]}
    assert used["max_containers_per_user"] >= 1
    extended = ds01(alice, "extend", name, "--for", "5m")
    assert extended.code in {0, 3}, extended.err  # there may be nothing to postpone yet
    alice.docker("stop", "-t", "0", name)
    (reason,) = json.loads(ds01(alice, "why", name, "--json").out)["reasons"]
    assert reason["kind"] == "stopped"
    assert "by you through docker" in reason["what"]


def test_somebody_elses_is_not_known(alice: Person, bob: Person, tiny_image: str) -> None:
    name = bob.named("theirs")
    bob.docker("run", "-d", "--name", name, tiny_image, "sleep", "600")
    told = ds01(alice, "why", name)
    assert (told.code, told.out) == (5, "")
    assert "Nothing is known about" in told.err
    assert ds01(alice, "extend", name).code == 5
    assert ds01(alice, "notices", "--user", bob.name).code == 3


def test_slots_and_events_come_through_the_gateway(alice: Person, bob: Person) -> None:
    slots = ds01(alice, "gpu", "status", "--json")
    assert slots.code == 0, slots.err
    assert {each["user"] for each in json.loads(slots.out)["slots"]} <= {alice.name, None}
    events = ds01(alice, "events", "--json")
    assert events.code == 0, events.err
    assert bob.name not in {json.loads(line)["user"] for line in events.out.splitlines()}
