"""The whole lifecycle with limits of seconds: real hub, engine, Jupyter servers and Chromium."""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from ds01_spawner.adapters.gpu_source import SIMULATION_STATE
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.domain.notice import NoticeKind
from e2e.hub import Hub, Person, docker, eventually
from e2e.pages import expect_lab, logged_in

IDLE_SECONDS = 20
TOLD = [NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING, NoticeKind.STOPPED]
KEPT = "kept"
"""Who pressed the button goes on while the others are looked at."""

LARGE = "3g.20gb"
"""There is one GPU of this size."""

SETTINGS = "~/.jupyter/lab/user-settings/@jupyterlab/terminal-extension"
READ_ALOUD = (
    f"mkdir -p {SETTINGS}; "
    f"echo '{{\"screenReaderMode\": true}}' > {SETTINGS}/plugin.jupyterlab-settings"
)
"""Otherwise a terminal is a picture, and its text is nowhere in the page."""


def kinds(person: Person) -> list[NoticeKind]:
    """What a person was told, oldest first."""
    with person.hub.platform.ledger.transaction() as transaction:
        found = transaction.notices_since(datetime.now(UTC) - timedelta(hours=1))
    return [each.kind for each in found if each.user == person.name]


def is_stopped(person: Person) -> bool:
    return not person.server() and not person.inspect().get("State", {}).get("Running")


def lives_for(person: Person, seconds: float) -> None:
    """The person's server runs all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert person.inspect().get("State", {}).get("Running"), person.hub.log[-2000:]
        time.sleep(1)


def run_cell(person: Person, code: str) -> None:
    """Let a kernel run a cell, and close the browser that asked for it."""
    with ThreadPoolExecutor(1) as beside_playwright:
        beside_playwright.submit(asyncio.run, _run_cell(person, code)).result(30)


async def _run_cell(person: Person, code: str) -> None:
    base = f"{person.hub.url}/user/{person.name}/api"
    kernel = person.hub._session.post(f"{base}/kernels", json={}, timeout=20).json()["id"]
    place = f"{base}/kernels/{kernel}/channels".replace("http", "ws", 1)
    headers = {"Authorization": f"token {person.hub._token}"}
    browser = await websocket_connect(HTTPRequest(place, headers=headers))
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False}
    message = {"channel": "shell", "header": header, "content": content}
    await browser.write_message(json.dumps({**message, "parent_header": {}, "metadata": {}}))
    while (answer := json.loads(str(await browser.read_message())))["msg_type"] != "execute_input":
        assert answer
    browser.close()


def train(hub: Hub, slot: str, utilisation: float) -> None:
    """Let a GPU slot be so busy."""
    state = SimulatedState(devices={slot: DeviceState(utilisation=utilisation)})
    write_state(hub.state / SIMULATION_STATE, state)


def silent_cell_survives(person: Person) -> None:
    person.start()
    run_cell(person, "import time; time.sleep(600)")
    lives_for(person, 2.5 * IDLE_SECONDS)
    assert kinds(person) == []


def training_without_a_browser_survives_until_it_ends(person: Person) -> None:
    person.start(gpu="mig")
    train(person.hub, person.slot(), 0.8)
    lives_for(person, 2 * IDLE_SECONDS)
    assert kinds(person) == []
    train(person.hub, person.slot(), 0.0)
    eventually(lambda: is_stopped(person), 60, what="the training has ended")
    eventually(lambda: kinds(person) == TOLD, what="all three notices")


def time_is_up_whatever_was_restarted(person: Person) -> None:
    began = time.monotonic()
    person.start()
    time.sleep(max(0.0, 12 - (time.monotonic() - began)))
    person.stop()
    person.start()
    restarted = time.monotonic()
    eventually(lambda: is_stopped(person), 60, what="its time is up")
    assert 34 <= time.monotonic() - began < 34 + 25
    assert time.monotonic() - restarted < 33, "a restart does not reset it"
    eventually(lambda: kinds(person) == TOLD, what="all three notices")
    (stopped,) = person.hub.events("cleanup.runtime", person.name)
    assert "max_runtime" in stopped["details"]["rule"]


def keep_alive_postpones_and_then_ends(person: Person) -> None:
    container_id = person.start()
    eventually(lambda: kinds(person), 60)
    docker("exec", container_id, "touch", "/home/jovyan/.keep-alive.jupyter")
    touched = time.monotonic()
    eventually(lambda: person.hub.events("container.extend", person.name), 10)
    eventually(lambda: is_stopped(person), 90, what="the keep-alive has ended")
    assert time.monotonic() - touched > 15
    eventually(lambda: kinds(person)[-2:] == TOLD[-2:], what="the last two notices")


SCENARIOS: dict[str, Callable[[Person], None]] = {
    "silent": silent_cell_survives,
    "trainer": training_without_a_browser_survives_until_it_ends,
    "overtime": time_is_up_whatever_was_restarted,
    "keeper": keep_alive_postpones_and_then_ends,
}


def lives_on(person: Person) -> None:
    """The server of somebody who was told, and pressed the button."""
    given = kinds(person)
    lives_for(person, 45)
    assert kinds(person) == given, "the end is a minute later"


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(len(SCENARIOS) + 1) as threads:
        yield threads


@pytest.fixture(scope="module")
def side_by_side(
    running_hub: Hub, threads: ThreadPoolExecutor, chromium: Browser
) -> Iterator[dict[str, "Future[None]"]]:
    """Every scenario with a person of its own: they wait for the same minute."""
    begun = {
        name: threads.submit(scenario, running_hub.person(name))
        for name, scenario in SCENARIOS.items()
    }
    yield begun
    wait(begun.values())
    for context in chromium.contexts:
        context.close()
    (running_hub.state / SIMULATION_STATE).unlink(missing_ok=True)
    running_hub.empty()


def test_the_toast_keeps_a_server_running(
    running_hub: Hub,
    threads: ThreadPoolExecutor,
    side_by_side: dict[str, "Future[None]"],
    chromium: Browser,
) -> None:
    hub = running_hub
    person = hub.person("toast")
    page = logged_in(chromium, person)
    person.start()
    page.goto(f"{hub.url}/user/{person.name}/lab")
    expect_lab(page, person)
    toast = page.get_by_role("alert").filter(has_text="stops soon")
    toast.first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Keep it running").first.click()
    eventually(lambda: hub.events("container.extend", person.name), 20)
    side_by_side[KEPT] = threads.submit(lives_on, person)


def test_an_open_tab_is_warned_twice_and_stopped_and_the_next_is_served(
    running_hub: Hub, side_by_side: object, chromium: Browser
) -> None:
    hub = running_hub
    assert side_by_side
    sleeper, waiting = hub.person("sleeper"), hub.person("waiting")
    page = logged_in(chromium, sleeper)
    container_id = sleeper.start(gpu=LARGE)
    docker("exec", container_id, "sh", "-c", READ_ALOUD)
    page.goto(f"{hub.url}/user/{sleeper.name}/lab")
    expect_lab(page, sleeper)
    page.locator(".jp-LauncherCard").filter(has_text="Terminal").first.click()
    terminal = page.locator(".xterm-accessibility-tree")
    slot = sleeper.slot()
    assert waiting.ask(gpu=LARGE).status_code == 202
    expect(terminal).to_contain_text("Your server", timeout=60_000)
    eventually(lambda: is_stopped(sleeper), 90, what="the idle server is stopped")
    eventually(lambda: kinds(sleeper) == TOLD)
    waiting.ready(seconds=30)
    assert waiting.slot() == slot
    page.goto(f"{hub.url}/hub/user/{sleeper.name}/lab")
    expect(page.get_by_text("idle_timeout")).to_be_visible()
    page.context.close()
    assert len(hub.events("lifecycle.warn", sleeper.name)) == 2
    (stopped,) = hub.events("cleanup.idle", sleeper.name)
    assert stopped["details"]["value"] == f"{IDLE_SECONDS}s"


@pytest.mark.parametrize("name", [*SCENARIOS, KEPT])
def test_each_in_its_own_time(side_by_side: dict[str, "Future[None]"], name: str) -> None:
    side_by_side[name].result(timeout=200)


def test_a_culler_that_is_killed_between_warning_and_stop_has_an_heir(
    running_hub: Hub, side_by_side: dict[str, "Future[None]"]
) -> None:
    for scenario in side_by_side.values():
        scenario.exception(timeout=200)
    person = running_hub.person("crashed")
    person.start()
    eventually(lambda: kinds(person), 60)
    (culler,) = running_hub.processes("ds01_spawner.culler")
    os.kill(culler, signal.SIGKILL)
    eventually(lambda: is_stopped(person), 120, what="the next culler stops it")
    eventually(lambda: kinds(person) == TOLD)
