"""The container engine stops answering; whoever does not need it notices nothing."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from e2e.hub import Hub, Person, eventually
from integration.engine_proxy import Mode

PROMPT_SECONDS = 4.0
"""An engine that does not answer is waited for ten."""


@pytest.fixture(
    params=[(Mode.SILENT, 0.0), (Mode.FAIL, 0.0), (Mode.DELAY, 30.0)],
    ids=["never-answers", "answers-500", "answers-after-30-s"],
)
def trouble(hub: Hub, request: pytest.FixtureRequest) -> tuple[Hub, Mode, float]:
    mode, seconds = request.param
    return hub, mode, seconds


@pytest.fixture
def running(trouble: tuple[Hub, Mode, float]) -> Iterator[Person]:
    hub, mode, seconds = trouble
    person = hub.person(f"runs-{mode}")
    person.start(gpu="mig")
    hub.proxy.requests.clear()
    hub.proxy.rule(".", mode, seconds)
    yield person
    hub.proxy.clear()


def seconds_of(url: str) -> float:
    began = time.monotonic()
    assert requests.get(url, timeout=10).ok
    return time.monotonic() - began


def refusal(person: Person) -> str:
    """The sentence with which a start is refused at once."""
    answer = person.ask(gpu="mig")
    return str(answer.json()["message"]) if answer.status_code == 503 else ""


def test_engine_in_trouble_takes_nothing_else_with_it(
    trouble: tuple[Hub, Mode, float], running: Person
) -> None:
    hub, mode, _ = trouble
    before = running.container_id()
    others = [hub.person(f"{name}-{mode}") for name in ("first", "second")]
    with ThreadPoolExecutor(2) as asking:
        said = asking.map(lambda one: eventually(lambda: refusal(one), 45), others)
        eventually(lambda: len(hub.proxy.requests) > 2, what="the hub asks the engine")
        for _ in range(5):
            assert seconds_of(f"{hub.url}/hub/api") < PROMPT_SECONDS
            assert seconds_of(f"{hub.url}/hub/login") < PROMPT_SECONDS
            assert running.answers(timeout=PROMPT_SECONDS)
        for sentence in said:
            assert "container engine" in sentence
            assert "Traceback" not in sentence
    polls = hub.log.count(f"Whether {running.name}: runs cannot be told")
    eventually(
        lambda: hub.log.count("runs cannot be told") > polls,
        what="the hub polls the running server and cannot tell",
    )
    assert running.is_ready()

    hub.proxy.clear()
    slots = {person.slot() for person in (running, *others) if person.start_patiently(gpu="mig")}
    assert len(slots) == 3
    assert running.container_id() == before
    assert running.answers()


def test_stop_waits_for_the_engine(hub: Hub) -> None:
    person = hub.person("leaves")
    person.start()
    hub.proxy.rule("POST /containers/.*/stop", Mode.FAIL)
    answer = hub.request("DELETE", person.path(), timeout=30)
    assert answer.status_code == 202
    assert person.server()["pending"] == "stop"
    assert person.inspect()["State"]["Running"]
    hub.proxy.clear()
    eventually(lambda: not person.server(), what="the server is stopped")
    assert not person.inspect()["State"]["Running"]
