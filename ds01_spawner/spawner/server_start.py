"""One start of one server: limits, queue, slot, boot, ready. All of it, or nothing is left."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.composition import Platform
from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NoCapacity, Unavailable
from ds01_spawner.domain.expected_wait import coarse
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.domain.units import format_duration
from ds01_spawner.domain.wording import about
from ds01_spawner.operations.allocation.admission import Grant, Queued
from ds01_spawner.operations.containers.launch import Progress, Step
from ds01_spawner.spawner.boot_gate import BootGate
from ds01_spawner.spawner.progress import Place, ProgressLog, Stage
from ds01_spawner.spawner.readiness import answers
from ds01_spawner.spawner.threads import Threads

QUEUE_POLL_SECONDS = 1.0
RENEW_SECONDS = 15.0
READY_POLL_SECONDS = 0.03
LIVENESS_SECONDS = 1.0
LOG_LINES = 15

_PROGRAM = "jupyterhub-singleuser"
_MISSING = ("no such file", "not found")

_WORDS = {
    Step.REPLACING: (Stage.CREATE, "Removing what your last run left"),
    Step.CREATING: (Stage.CREATE, "Creating your server"),
    Step.STARTING: (Stage.START, "Starting your server"),
}


@dataclass(frozen=True, slots=True)
class Door:
    """What the spawner adds to a granted container.

    Attributes:
        dress: Adds command, environment, ports and configured mounts.
        url: The server's URL on an address.
        on_created: Told the engine's id as soon as the container runs.
    """

    dress: Callable[[ContainerSpec], ContainerSpec]
    url: Callable[[str], str]
    on_created: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the parts of a start may take that depend on others.

    Attributes:
        queue_seconds: Waiting for a GPU.
        boot_seconds: From the running container to a server that answers.
    """

    queue_seconds: float
    boot_seconds: float


class ServerStart:
    """One start. Belongs to the hub's event loop."""

    def __init__(
        self, *, platform: Platform, threads: Threads, gate: BootGate, steps: ProgressLog
    ) -> None:
        self._platform = platform
        self._threads = threads
        self._gate = gate
        self._steps = steps

    async def run(
        self, request: LaunchRequest, door: Door, *, wait: bool, patience: Patience
    ) -> str:
        """The URL of the ready server.

        Raises:
            DS01Error: Refused, or something failed; nothing of the start is left.
        """
        self._steps.say(Stage.LIMITS, "Checking your limits")
        request = await self._prepared(request)
        grant = await self._admitted(request, wait=wait, queue_seconds=patience.queue_seconds)
        self._say_granted(grant)
        return await self._booted(request, grant, door, patience.boot_seconds)

    async def _prepared(self, request: LaunchRequest) -> LaunchRequest:
        """The request, checked, with its image on this machine: no slot waits for a download."""

        def look() -> tuple[LaunchRequest, bool]:
            prepared = self._platform.admission.prepare(request)
            return prepared, self._platform.engine.has_image(prepared.image)

        # One call, not two: while a class starts, each return to the hub's loop waits its turn.
        request, is_here = await self._threads.run(look)
        if not is_here:
            self._steps.say(Stage.IMAGE, f"Fetching the image {request.image}. This takes minutes")
            await self._threads.run_once(
                request.image, lambda: self._platform.launcher.ensure_image(request.image)
            )
        return request

    async def _admitted(self, request: LaunchRequest, *, wait: bool, queue_seconds: float) -> Grant:
        """The grant, after however long the queue takes."""
        admission = self._platform.admission
        deadline = asyncio.get_running_loop().time() + queue_seconds
        ticket: Ticket | None = None
        try:
            while True:
                answer = await self._asked(request, wait=wait, ticket=ticket)
                if isinstance(answer, Grant):
                    return answer
                if answer is not None:
                    ticket = answer.ticket
                    self._say_place(answer)
                _check_patience(deadline, queue_seconds)
                await asyncio.sleep(QUEUE_POLL_SECONDS)
        except (asyncio.CancelledError, NoCapacity) as exc:
            if ticket is not None:
                given_back, why = ticket, str(exc) or "The start was cancelled."
                await self._threads.run(lambda: admission.leave(request, given_back, why))
            raise

    async def _asked(
        self, request: LaunchRequest, *, wait: bool, ticket: Ticket | None
    ) -> Grant | Queued | None:
        """What admission says; `None` while somebody who waits already cannot be answered."""
        admission = self._platform.admission

        def undo(answer: Grant | Queued) -> None:
            if isinstance(answer, Grant):
                admission.release(answer)
            else:
                admission.leave(request, answer.ticket, "The start was cancelled.")

        try:
            return await self._threads.run(
                lambda: admission.admit(request, wait=wait, ticket=ticket), undo=undo
            )
        except Unavailable as exc:
            if ticket is None:
                raise
            self._steps.say(Stage.QUEUE, f"Waiting for a GPU. {exc.told.message}")
            return None

    @asynccontextmanager
    async def _kept(self, grant: Grant) -> AsyncIterator[None]:
        """Keeps the slot promised within this block."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                with suppress(Unavailable):
                    await self._threads.run(lambda: self._platform.admission.renew(grant))

        renewing = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _booted(
        self, request: LaunchRequest, grant: Grant, door: Door, boot_seconds: float
    ) -> str:
        def say_place(place: int) -> None:
            self._steps.say(Stage.LINE, f"{_people(place)} before you in line to start")

        spec: ContainerSpec | None = None
        async with AsyncExitStack() as turn:
            try:
                async with self._kept(grant):
                    await turn.enter_async_context(self._gate.turn(request.user, say_place))
                    spec = door.dress(grant.spec)
                    container_id = await self._launched(request, grant, spec)
            except BaseException:
                if spec is None:  # else the launch has given the slot back, or does so
                    self._threads.begin(lambda: self._platform.admission.release(grant))
                raise
            door.on_created(container_id)
            return await self._ready(request, grant, door, container_id, boot_seconds)

    async def _launched(self, request: LaunchRequest, grant: Grant, spec: ContainerSpec) -> str:
        """The engine's id of the running container."""
        loop = asyncio.get_running_loop()
        abandoned = threading.Event()
        launcher = self._platform.launcher

        def say(step: Step) -> None:
            loop.call_soon_threadsafe(self._steps.say, *_WORDS[step])

        try:
            return await self._threads.run(
                lambda: launcher.launch(request, grant, spec, Progress(say, abandoned)),
                undo=lambda _id: launcher.undo(request, grant, spec.name),
            )
        except asyncio.CancelledError:
            abandoned.set()
            raise

    async def _ready(
        self,
        request: LaunchRequest,
        grant: Grant,
        door: Door,
        container_id: str,
        boot_seconds: float,
    ) -> str:
        """The URL, once something answers there."""
        self._steps.say(Stage.ANSWER, "Waiting for JupyterLab to answer")
        launcher = self._platform.launcher
        try:
            url = await self._answering(grant, door, container_id, boot_seconds)
        except DS01Error:
            await self._threads.run(lambda: launcher.undo(request, grant, grant.spec.name))
            raise
        except BaseException:
            # Not awaited: the hub gives a cancelled start one second to end.
            self._threads.begin(lambda: launcher.undo(request, grant, grant.spec.name))
            raise
        self._steps.say(Stage.READY, "Your server is ready")
        return url

    async def _answering(
        self, grant: Grant, door: Door, container_id: str, boot_seconds: float
    ) -> str:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + boot_seconds
        url: str | None = None
        look_again = 0.0
        while loop.time() < deadline:
            if loop.time() >= look_again:
                url = await self._url(grant, door, container_id) or url
                look_again = loop.time() + LIVENESS_SECONDS
            if url is not None and await answers(url):
                return url
            await asyncio.sleep(READY_POLL_SECONDS)
        raise StartFailed(
            f"Your server did not answer within {boot_seconds:.0f} s.",
            await self._last_words(container_id),
        )

    async def _url(self, grant: Grant, door: Door, container_id: str) -> str | None:
        """Where the server will answer; `None` while the engine cannot say.

        Raises:
            StartFailed: The container has ended.
            InvalidRequest: Its image is none for servers.
        """
        engine = self._platform.engine
        try:
            address = await self._threads.run(
                lambda: engine.address(container_id, grant.spec.network)
            )
            if address is not None:
                return door.url(address)
            container = await self._threads.run(lambda: engine.container(container_id))
        except Unavailable as exc:
            self._steps.say(Stage.ANSWER, f"Waiting for JupyterLab to answer. {exc.told.message}")
            return None
        if container is None or not container.state.is_live:
            words = await self._last_words(container_id)
            if _without_lab(words):
                raise InvalidRequest(
                    "This image has no JupyterLab in it, so no server can be started from it.",
                    "Choose another, or build it anew on one of the lab's.",
                )
            raise StartFailed("Your server ended while it started.", words)
        return None

    async def _last_words(self, container_id: str) -> str:
        """The last lines of the container's output, as a sentence."""
        engine = self._platform.engine
        try:
            log = _printable(await self._threads.run(lambda: engine.logs(container_id, LOG_LINES)))
        except Unavailable as exc:
            return f"What it said cannot be read. {exc.message}"
        return f"Its last words: {log.strip()[-1000:]}" if log.strip() else "It said nothing."

    def _say_granted(self, grant: Grant) -> None:
        slots = ", ".join(f"{slot.id} ({slot.profile})" for slot in grant.slots)
        if slots:
            kind = "Simulated GPU" if grant.simulated else "GPU"
            self._steps.say(Stage.GPU, f"{kind} {slots} reserved for you")

    def _say_place(self, answer: Queued) -> None:
        reason = f"Suitable GPUs: {wording.busy(answer.states)}"
        self._steps.say(
            Stage.QUEUE,
            f"Waiting for a GPU: place {answer.place} of {answer.length}. {reason}",
            _place(answer, reason),
        )


def _place(answer: Queued, reason: str) -> Place:
    place = Place(place=answer.place, length=answer.length, reason=reason)
    seconds = coarse(answer.wait)
    if seconds is not None:
        place["wait"] = about(timedelta(seconds=seconds))
        place["wait_seconds"] = seconds
    return place


def _without_lab(words: str) -> bool:
    """Whether a container's last words are that the hub's program is not in its image."""
    return _PROGRAM in words and any(each in words.lower() for each in _MISSING)


class StartFailed(DS01Error):
    """The container ran and its server did not come up."""


def _check_patience(deadline: float, queue_seconds: float) -> None:
    if asyncio.get_running_loop().time() > deadline:
        waited = format_duration(timedelta(seconds=queue_seconds))
        raise NoCapacity(
            f"No GPU became free in {waited} of waiting.",
            "Start again, or choose another size.",
        )


def _printable(text: str) -> str:
    """Without control characters, which a terminal that shows a log would obey."""
    return "".join(char if char == "\n" or char.isprintable() else " " for char in text)


def _people(count: int) -> str:
    return "1 person is" if count == 1 else f"{count} people are"
