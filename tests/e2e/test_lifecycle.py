"""The whole lifecycle with limits of seconds: real hub, engine, Jupyter servers and Chromium."""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from ds01_spawner.adapters.gpu_source import SIMULATION_STATE
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.work import Level
from e2e.full_house import FullHouse
from e2e.hub import Hub, Person, docker, eventually
from e2e.pages import expect_lab, logged_in

IDLE_SECONDS = 20
SETTINGS = "~/.jupyter/lab/user-settings/@jupyterlab/terminal-extension"
READ_ALOUD = (
    f"mkdir -p {SETTINGS}; "
    f"echo '{{\"screenReaderMode\": true}}' > {SETTINGS}/plugin.jupyterlab-settings"
)
"""Otherwise a terminal is a picture, and its text is nowhere in the page."""


def warnings(person: Person, container_id: str) -> list[Level]:
    """The warnings given to a container, oldest first."""
    with person.hub.platform.ledger.transaction() as transaction:
        found = transaction.warnings()
    return [each.level for each in found if each.container_id == container_id]


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


@pytest.fixture
def simulation(hub: Hub) -> Iterator[Callable[[str, float], None]]:
    """Lets a GPU slot be so busy."""
    path = hub.state / SIMULATION_STATE

    def busy(slot: str, utilisation: float) -> None:
        write_state(path, SimulatedState(devices={slot: DeviceState(utilisation=utilisation)}))

    yield busy
    path.unlink(missing_ok=True)


def test_a_silent_cell_and_a_training_without_a_browser_survive(
    hub: Hub, simulation: Callable[[str, float], None]
) -> None:
    silent, trainer = hub.person("silent"), hub.person("trainer")
    silent.start()
    trained = trainer.start(gpu="mig")
    simulation(trainer.slot(), 0.8)
    run_cell(silent, "import time; time.sleep(600)")
    lives_for(silent, 2 * IDLE_SECONDS)
    lives_for(trainer, 1)
    assert kinds(silent) == kinds(trainer) == []
    simulation(trainer.slot(), 0.0)
    eventually(lambda: is_stopped(trainer), 60, what="the training has ended")
    assert warnings(trainer, trained) == [Level.FIRST, Level.FINAL]
    lives_for(silent, 1)


def test_an_open_tab_is_warned_twice_and_stopped_and_the_next_is_served(
    full_house: FullHouse, chromium: Browser
) -> None:
    hub = full_house.hub
    full_house.leave("mig-0")
    sleeper, waiting = hub.person("sleeper"), hub.person("waiting")
    eventually(lambda: "free" in {use["state"] for use in hub.slots().values()}, 20)
    page = logged_in(chromium, sleeper)
    container_id = sleeper.start(gpu="mig")
    docker("exec", container_id, "sh", "-c", READ_ALOUD)
    page.goto(f"{hub.url}/user/{sleeper.name}/lab")
    expect_lab(page, sleeper)
    page.locator(".jp-LauncherCard").filter(has_text="Terminal").first.click()
    terminal = page.locator(".xterm-accessibility-tree")
    slot = sleeper.slot()
    assert waiting.ask(gpu="mig").status_code == 202
    expect(terminal).to_contain_text("Your server", timeout=60_000)
    eventually(lambda: is_stopped(sleeper), 90, what="the idle server is stopped")
    assert warnings(sleeper, container_id) == [Level.FIRST, Level.FINAL]
    assert kinds(sleeper)[-1] is NoticeKind.STOPPED
    waiting.ready(seconds=30)
    assert waiting.slot() == slot
    page.goto(f"{hub.url}/hub/user/{sleeper.name}/lab")
    expect(page.get_by_text("idle_timeout")).to_be_visible()
    page.context.close()
    assert len(hub.events("lifecycle.warn", sleeper.name)) == 2
    (stopped,) = hub.events("cleanup.idle", sleeper.name)
    assert stopped["details"]["value"] == f"{IDLE_SECONDS}s"


def test_time_is_up_whatever_was_restarted(hub: Hub) -> None:
    person = hub.person("overtime")
    began = time.monotonic()
    person.start()
    time.sleep(max(0.0, 12 - (time.monotonic() - began)))
    person.stop()
    container_id = person.start()
    restarted = time.monotonic()
    eventually(lambda: is_stopped(person), 60, what="its time is up")
    assert 34 <= time.monotonic() - began < 34 + 20
    assert time.monotonic() - restarted < 33, "a restart does not reset it"
    assert warnings(person, container_id) == [Level.FIRST, Level.FINAL]
    (stopped,) = hub.events("cleanup.runtime", person.name)
    assert "max_runtime" in stopped["details"]["rule"]
    docker("rm", "-f", person.container(), check=False)


def test_a_keep_alive_postpones_and_then_ends(hub: Hub) -> None:
    person = hub.person("keeper")
    container_id = person.start()
    eventually(lambda: warnings(person, container_id), 60)
    docker("exec", person.container(), "touch", "/home/jovyan/.keep-alive.jupyter")
    touched = time.monotonic()
    eventually(lambda: hub.events("container.extend", person.name), 10)
    eventually(lambda: is_stopped(person), 90, what="the keep-alive has ended")
    assert time.monotonic() - touched > 15
    assert warnings(person, container_id)[-1] is Level.FINAL


def test_a_culler_that_is_killed_between_warning_and_stop_has_an_heir(hub: Hub) -> None:
    person = hub.person("crashed")
    container_id = person.start()
    eventually(lambda: warnings(person, container_id), 60)
    (culler,) = hub.processes("ds01_spawner.culler")
    os.kill(culler, signal.SIGKILL)
    eventually(lambda: is_stopped(person), 120, what="the next culler stops it")
    assert warnings(person, container_id) == [Level.FIRST, Level.FINAL]


def test_the_toast_keeps_a_server_running(hub: Hub, chromium: Browser) -> None:
    person = hub.person("toast")
    page = logged_in(chromium, person)
    container_id = person.start()
    page.goto(f"{hub.url}/user/{person.name}/lab")
    expect_lab(page, person)
    toast = page.get_by_role("alert").filter(has_text="stops soon")
    toast.first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Keep it running").first.click()
    eventually(lambda: hub.events("container.extend", person.name), 20)
    given = warnings(person, container_id)
    lives_for(person, 70)
    assert warnings(person, container_id) == given, "the end is a minute later"
    page.context.close()
