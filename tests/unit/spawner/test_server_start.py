import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.spawner import server_start
from ds01_spawner.spawner.boot_gate import BootGate
from ds01_spawner.spawner.progress import ProgressLog
from ds01_spawner.spawner.server_start import Door, Patience, ServerStart, StartFailed
from ds01_spawner.spawner.threads import Threads
from fakes.lab import Lab
from fakes.probe import FakeProbe, card, machine

PATIENCE = Patience(queue_seconds=30.0, boot_seconds=30.0)
BOUND_SECONDS = 10.0

pytestmark = pytest.mark.timeout(30)


class Servers:
    """Whether servers answer yet; stands in for the network."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.asked: list[str] = []

    async def answers(self, url: str) -> bool:
        await asyncio.sleep(0)
        self.asked.append(url)
        return self.ready.is_set()


class Trap:
    """Stops a blocking call of the engine until the test lets it go on."""

    def __init__(self, lab: Lab, method: str) -> None:
        self.reached, self.release = threading.Event(), threading.Event()
        self._method = method
        lab.engine.on_call = self._call

    def _call(self, method: str) -> None:
        if method == self._method and not self.release.is_set():
            self.reached.set()
            assert self.release.wait(BOUND_SECONDS)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    found.ready.set()
    monkeypatch.setattr(server_start, "answers", found.answers)
    monkeypatch.setattr(server_start, "QUEUE_POLL_SECONDS", 0.01)
    monkeypatch.setattr(server_start, "LIVENESS_SECONDS", 0.01)
    return found


@pytest.fixture
def lab(servers: Servers) -> Iterator[Lab]:
    assert servers
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))
    yield lab
    lab.engine.on_call = lambda _method: None


class Start:
    """One start under way."""

    def __init__(
        self, lab: Lab, user: str = "alice", gpu: str = "mig", gate: BootGate | None = None
    ) -> None:
        self.lab = lab
        self.request: LaunchRequest = lab.request(user, gpu)
        self.steps = ProgressLog()
        self.gate = gate or BootGate(2)
        self.created: list[str] = []
        self.dress: Callable[[ContainerSpec], ContainerSpec] = lambda spec: spec
        self.wait, self.patience = True, PATIENCE

    def go(self) -> asyncio.Task[str]:
        # A Platform is what has these parts; the start takes no others.
        platform = cast("Platform", _Parts(self.lab))
        start = ServerStart(platform=platform, threads=Threads(4), gate=self.gate, steps=self.steps)
        door = Door(
            dress=self.dress,
            url=lambda address: f"http://{address}:8888/",
            on_created=self.created.append,
        )
        running = start.run(self.request, door, wait=self.wait, patience=self.patience)
        return asyncio.create_task(running)

    @property
    def told(self) -> list[str]:
        return [event["message"] for event in self.steps._events]


class _Parts:
    def __init__(self, lab: Lab) -> None:
        self.admission = lab.admission
        self.launcher = lab.launcher
        self.engine = lab.engine


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while not condition():  # noqa: ASYNC110 - threads change what is looked at
            await asyncio.sleep(0.005)


async def cancelled(task: asyncio.Task[str]) -> None:
    task.cancel()
    async with asyncio.timeout(1.0):  # the hub gives a cancelled start a second
        with pytest.raises(asyncio.CancelledError):
            await task


def nothing_left(lab: Lab, user: str = "alice") -> bool:
    return (
        lab.container(user) is None
        and not [each for each in lab.reservations() if each.user == user]
        and not [each for each in lab.tickets() if each.user == user]
    )


async def test_a_start_tells_its_steps_in_order_and_returns_the_url(
    lab: Lab, servers: Servers
) -> None:
    start = Start(lab)
    url = await start.go()
    made = lab.container("alice")
    assert made is not None
    assert url == "http://10.201.0.2:8888/"
    assert start.created == [made.id]
    assert servers.asked == [url]
    assert start.told == [
        "Checking your limits",
        "GPU 0:0 (1g.5gb) reserved for you",
        "Creating your server",
        "Starting your server",
        "Waiting for JupyterLab to answer",
        "Your server is ready",
    ]
    percents = [event["progress"] for event in start.steps._events]
    assert percents == sorted(percents)


async def test_a_missing_image_is_fetched_before_a_slot_is_taken(lab: Lab) -> None:
    lab.engine.images.clear()
    lab.engine.registry.add("image")
    start = Start(lab)
    trap = Trap(lab, "pull")
    task = start.go()
    await until(trap.reached.is_set)
    assert lab.reservations() == ()
    trap.release.set()
    await task
    assert start.told[1] == "Fetching the image image. This takes minutes"


async def test_an_image_that_nobody_has_takes_nothing(lab: Lab) -> None:
    lab.engine.images.clear()
    with pytest.raises(InvalidRequest, match="The image image is not on this server"):
        await Start(lab).go()
    assert nothing_left(lab)


async def test_what_is_not_allowed_is_refused_before_anything(lab: Lab) -> None:
    start = Start(lab)
    start.request = replace(start.request, image="debian:latest")
    with pytest.raises(Forbidden, match="debian:latest is not offered to you"):
        await start.go()
    assert nothing_left(lab)
    assert lab.events.actions == ["request.reject"]


async def test_who_waits_hears_their_place_and_is_served_by_itself(lab: Lab) -> None:
    lab.run("bob")
    start = Start(lab)
    task = start.go()
    await until(
        lambda: start.told and start.told[-1].startswith("Waiting for a GPU: place 1 of 1.")
    )
    lab.engine.remove("jupyter._.bob")
    lab.wait(60)
    await task
    assert lab.tickets() == ()
    assert lab.taken() == {"0:0": "alice"}


async def test_who_waits_hears_how_long_it_is_likely_to_take(lab: Lab) -> None:
    lab.run("bob")
    lab.held_lately(timedelta(hours=2))
    start = Start(lab)
    task = start.go()
    await until(lambda: start.steps.told and "wait" in start.steps.told[-1])
    waits = start.steps.told[-1]
    assert (waits["wait"], waits["wait_seconds"]) == ("about 2 hours", 7200)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_does_not_want_to_wait_is_told_the_place(lab: Lab) -> None:
    lab.run("bob")
    start = Start(lab)
    start.wait = False
    with pytest.raises(NoCapacity, match="number 1 in the queue"):
        await start.go()
    assert nothing_left(lab)


async def test_patience_in_the_queue_ends(lab: Lab) -> None:
    lab.run("bob")
    start = Start(lab)
    start.patience = Patience(queue_seconds=0.05, boot_seconds=30)
    with pytest.raises(NoCapacity, match=r"No GPU became free in 0\.05s of waiting\."):
        await start.go()
    assert nothing_left(lab)


async def test_an_engine_that_hiccups_costs_nobody_their_place(lab: Lab) -> None:
    lab.run("bob")
    start = Start(lab)
    task = start.go()
    await until(lab.tickets)
    (before,) = lab.tickets()
    lab.engine.stuck = True
    await until(lambda: "did not answer" in start.told[-1])
    lab.engine.stuck = False
    lab.engine.remove("jupyter._.bob")
    lab.wait(8)
    await until(lambda: lab.tickets() and lab.tickets()[0].seen_at > before.seen_at)
    assert lab.tickets()[0].id == before.id
    await cancelled(task)


async def test_an_engine_that_is_stuck_at_the_door_is_a_refusal(lab: Lab) -> None:
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        await Start(lab).go()
    lab.engine.stuck = False
    assert nothing_left(lab)


async def test_cancelled_in_the_queue_gives_the_place_back(lab: Lab) -> None:
    lab.run("bob")
    task = Start(lab).go()
    await until(lab.tickets)
    lab.wait(30)
    await cancelled(task)
    await until(lambda: nothing_left(lab))
    await until(lambda: lab.events.of("gpu.unqueue"))
    (left,) = lab.events.of("gpu.unqueue")
    assert (left.user, left.reason) == ("alice", "The start was cancelled.")
    assert left.details["waited_seconds"] == pytest.approx(30, abs=1)


@pytest.mark.parametrize("taken", [False, True], ids=["granted", "queued"])
async def test_cancelled_while_admission_decides_keeps_nothing(lab: Lab, taken: bool) -> None:
    if taken:
        lab.run("bob")
    trap = Trap(lab, "containers")
    task = Start(lab).go()
    await until(trap.reached.is_set)
    await cancelled(task)
    trap.release.set()
    action = "gpu.queue" if taken else "gpu.allocate"
    await until(lambda: any(each.user == "alice" for each in lab.events.of(action)))
    await until(lambda: nothing_left(lab))


async def test_cancelled_in_line_to_start_gives_the_slot_back(lab: Lab, servers: Servers) -> None:
    gate = BootGate(1)
    servers.ready.clear()
    first = Start(lab, "bob", gpu="none", gate=gate)
    booting = first.go()
    await until(lambda: first.created)
    second = Start(lab, gate=gate)
    task = second.go()
    await until(lambda: "1 person is before you in line to start" in second.told)
    assert lab.states() == {"0:0": SlotState.RESERVED}
    await cancelled(task)
    await until(lambda: nothing_left(lab))
    servers.ready.set()
    await booting


@pytest.mark.parametrize("method", ["container", "ensure_network", "create", "start"])
async def test_cancelled_during_the_launch_leaves_nothing(lab: Lab, method: str) -> None:
    trap = Trap(lab, method)
    start = Start(lab)
    task = start.go()
    await until(trap.reached.is_set)
    await cancelled(task)
    trap.release.set()
    await until(lambda: nothing_left(lab))
    assert start.created == []


async def test_cancelled_before_the_answer_to_a_finished_launch_leaves_nothing(lab: Lab) -> None:
    started = threading.Event()
    launch = lab.launcher.launch

    def launched(*arguments: Any) -> str:
        container_id = launch(*arguments)
        started.set()
        assert release.wait(BOUND_SECONDS)
        return container_id

    release = threading.Event()
    lab.launcher.launch = launched  # type: ignore[method-assign,assignment]
    task = Start(lab).go()
    await until(started.is_set)
    await cancelled(task)
    assert lab.container("alice") is not None
    release.set()
    await until(lambda: nothing_left(lab))


async def test_cancelled_while_booting_leaves_nothing(lab: Lab, servers: Servers) -> None:
    servers.ready.clear()
    start = Start(lab)
    task = start.go()
    await until(lambda: len(servers.asked) > 2)
    await cancelled(task)
    await until(lambda: nothing_left(lab))


async def test_a_cancelled_start_does_not_wait_for_a_slow_engine(
    lab: Lab, servers: Servers
) -> None:
    servers.ready.clear()
    task = Start(lab).go()
    await until(lambda: len(servers.asked) > 2)
    trap = Trap(lab, "remove")
    await cancelled(task)
    await until(trap.reached.is_set)
    trap.release.set()
    await until(lambda: nothing_left(lab))


async def test_a_server_that_dies_while_starting_shows_its_last_lines(
    lab: Lab, servers: Servers
) -> None:
    servers.ready.clear()
    start = Start(lab)
    task = start.go()
    await until(lambda: start.created)
    lab.engine.outputs[start.created[0]] = "".join(f"line {number}\n" for number in range(40))
    lab.engine.kill(start.created[0])
    with pytest.raises(StartFailed) as caught:
        await task
    assert str(caught.value).startswith("Your server ended while it started. Its last words: ")
    assert "line 39" in str(caught.value)
    assert "line 24\n" not in str(caught.value)
    assert nothing_left(lab)


async def test_an_image_without_jupyterlab_is_said_to_be_one(lab: Lab, servers: Servers) -> None:
    servers.ready.clear()
    start = Start(lab)
    task = start.go()
    await until(lambda: start.created)
    lab.engine.outputs[start.created[0]] = (
        "[FATAL tini (7)] exec jupyterhub-singleuser failed: No such file or directory"
    )
    lab.engine.kill(start.created[0])
    with pytest.raises(InvalidRequest, match="has no JupyterLab in it"):
        await task
    assert nothing_left(lab)


async def test_a_server_that_dies_without_a_word_says_so(lab: Lab, servers: Servers) -> None:
    servers.ready.clear()
    start = Start(lab)
    task = start.go()
    await until(lambda: start.created)
    lab.engine.kill(start.created[0])
    with pytest.raises(StartFailed, match="It said nothing"):
        await task


async def test_a_server_that_never_answers_is_given_up_and_frees_the_gate(
    lab: Lab, servers: Servers
) -> None:
    servers.ready.clear()
    gate = BootGate(1)
    start = Start(lab, gate=gate)
    start.patience = Patience(queue_seconds=30, boot_seconds=0.1)
    with pytest.raises(StartFailed, match="Your server did not answer within 0 s"):
        await start.go()
    assert nothing_left(lab)
    servers.ready.set()
    await Start(lab, gate=gate).go()


async def test_an_engine_that_hiccups_does_not_end_a_boot(lab: Lab, servers: Servers) -> None:
    servers.ready.clear()
    start = Start(lab)
    task = start.go()
    await until(lambda: len(servers.asked) > 2)
    lab.engine.stuck = True
    await until(lambda: "did not answer" in start.told[-1])
    servers.ready.set()
    assert await task == "http://10.201.0.2:8888/"
    lab.engine.stuck = False
    assert lab.container("alice") is not None


@pytest.mark.parametrize("method", ["ensure_network", "create", "start"])
async def test_a_failed_launch_leaves_nothing(lab: Lab, method: str) -> None:
    lab.engine.fail_next(method, Unavailable("The engine failed."))
    with pytest.raises(Unavailable, match=r"The engine failed\."):
        await Start(lab).go()
    assert nothing_left(lab)


async def test_a_container_from_another_door_is_not_replaced(lab: Lab) -> None:
    request = replace(lab.request("alice", "none"), interface=Interface.CLI)
    lab.launch(request, lab.granted(request))
    before = lab.container("alice")
    with pytest.raises(Conflict, match=r"jupyter\._\.alice exists"):
        await Start(lab).go()
    assert lab.container("alice") == before
    assert not [each for each in lab.reservations() if each.gpu_uuids]


async def test_a_hub_that_cannot_dress_the_container_gives_the_slot_back(lab: Lab) -> None:
    def fail(spec: ContainerSpec) -> ContainerSpec:
        raise ValueError(spec.name)

    start = Start(lab)
    start.dress = fail
    with pytest.raises(ValueError, match="jupyter"):
        await start.go()
    await until(lambda: nothing_left(lab))


async def test_a_slot_stays_promised_in_line_however_long_that_takes(
    lab: Lab, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_start, "RENEW_SECONDS", 0.01)
    gate = BootGate(1)
    servers.ready.clear()
    booting = Start(lab, "bob", gpu="none", gate=gate)
    first = booting.go()
    await until(lambda: booting.created)
    task = Start(lab, gate=gate).go()
    await until(lambda: [each for each in lab.reservations() if each.user == "alice"])
    for _ in range(5):
        (promise,) = (each for each in lab.reservations() if each.user == "alice")
        lab.clock.set(promise.expires_at - timedelta(seconds=1))
        await until(partial(_promised_beyond, lab, promise.expires_at))
    servers.ready.set()
    await asyncio.gather(first, task)
    assert lab.taken() == {"0:0": "alice"}


def _promised_beyond(lab: Lab, moment: datetime) -> bool:
    return any(each.user == "alice" and each.expires_at > moment for each in lab.reservations())


async def test_errors_are_the_platforms_own(lab: Lab) -> None:
    lab.policy.broken = True
    with pytest.raises(DS01Error, match="no valid policy"):
        await Start(lab).go()
