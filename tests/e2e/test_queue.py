"""More people than slots: the queue, its place, and how it is left."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.full_house import ONE, FullHouse, queue, waiting
from e2e.hub import eventually


@pytest.fixture
def asking() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_thirteenth_person_waits_is_told_and_is_served(
    full_house: FullHouse, asking: ThreadPoolExecutor
) -> None:
    hub = full_house.hub
    refused = hub.person("impatient").ask(gpu="mig", wait=False)
    assert refused.status_code == 409
    assert "10 in use" in refused.json()["message"]
    assert "number 1 in the queue" in refused.json()["message"]

    person = hub.person("thirteenth")
    answer = asking.submit(person.ask, gpu="mig")
    eventually(lambda: waiting(hub), what="somebody waits")
    told: list[str] = []
    listening = asking.submit(lambda: told.extend(each["message"] for each in person.progress()))
    assert [entry["user"] for entry in queue(hub)] == [person.name]
    assert not person.is_ready()

    full_house.leave(ONE)
    person.ready()
    assert answer.result().status_code in {201, 202}
    listening.result()
    place = next(message for message in told if "place" in message)
    assert place.startswith("Waiting for a GPU: place 1 of 1.")
    assert "10 in use" in place
    order = ["Waiting for a GPU", "reserved for you", "Creating", "Starting", "answer", "ready"]
    found = [next(i for i, text in enumerate(told) if word in text) for word in order]
    assert found == sorted(found)
    assert queue(hub) == []


def test_cancelling_gives_the_place_back_at_once(
    full_house: FullHouse, asking: ThreadPoolExecutor
) -> None:
    hub = full_house.hub
    first, second = hub.person("first"), hub.person("second")
    asking.submit(first.ask, gpu="mig")
    eventually(lambda: len(waiting(hub)) == 1)
    asking.submit(second.ask, gpu="mig")
    eventually(lambda: len(waiting(hub)) == 2)

    answer = hub.request("DELETE", first.path())
    assert answer.status_code in {202, 204}, answer.text
    assert [entry["user"] for entry in queue(hub)] == [second.name]
    assert not first.server()

    full_house.leave(ONE)
    second.ready()
    assert not first.server()


def test_quota_is_told_before_waiting(full_house: FullHouse) -> None:
    answer = full_house.hub.person("greedy").ask(gpu="mig", gpu_count=3)
    assert answer.status_code == 403
    assert queue(full_house.hub) == []
