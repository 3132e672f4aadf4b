"""From a request to a grant, at once or after a while in the queue."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.allocator import Granted, decide
from ds01_spawner.domain.errors import NoCapacity, Unavailable
from ds01_spawner.domain.labels import WISH_GPU, WISH_WAIT
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuKind, GpuRequest, LaunchRequest
from ds01_spawner.domain.units import format_duration
from ds01_spawner.domain.wording import length
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.admission import Admission, Grant, Queued

POLL_SECONDS = 1.0
NOTICED_WAIT = timedelta(seconds=5)

_GONE = "Nobody waits for the answer any more."


class Granting:
    """Asks admission, again and again for those who wait."""

    def __init__(
        self,
        admission: Callable[[], Admission],
        threads: Threads,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._admission = admission
        self._threads = threads
        self._poll_seconds = poll_seconds

    async def grant(
        self,
        request: LaunchRequest,
        sizes: Sequence[GpuRequest],
        *,
        wait: timedelta | None,
        container_name: str,
        on_queued: Callable[[Queued], None] = lambda _queued: None,
    ) -> Grant:
        """The grant of the first of `sizes` that is free now, or of the last after a wait.

        Cancelling gives the place in the queue, or the grant, back.

        Args:
            request: What is wanted; its `gpu` counts for nothing.
            sizes: The wishes that would do, the best first; at least one.
            wait: How long to wait for the last of them; `None` fails at once.
            container_name: Engine name of the container to be.
            on_queued: Called at each look at the queue.

        Raises:
            Refused: Not allowed, or nothing was free in time. The refusal is in the log.
            Unavailable: Something needed cannot be read.
        """
        user = request.user
        gpu = sizes[-1]
        if len(sizes) > 1:
            gpu = await self._threads.run(
                user, lambda: _first_free(self._admission(), user, sizes, container_name)
            )
        request = replace(request, gpu=gpu)
        if wait is None or gpu.kind is GpuKind.NONE:
            answer = await self._ask(request, None, wait=False)
            assert isinstance(answer, Grant)  # noqa: S101 - nobody queues without waiting
            return answer
        return await self._waited(request, wait, on_queued)

    async def _waited(
        self, request: LaunchRequest, wait: timedelta, on_queued: Callable[[Queued], None]
    ) -> Grant:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait.total_seconds()
        ticket: Ticket | None = None
        place = ""
        try:
            while True:
                try:
                    answer = await self._ask(request, ticket, wait=True)
                except Unavailable:
                    if ticket is None:
                        raise
                else:
                    if isinstance(answer, Grant):
                        return answer
                    ticket = answer.ticket
                    on_queued(answer)
                    place = f"You were number {answer.place} of {answer.length}. {answer.reason}"
                _check_patience(loop.time() > deadline, wait, place)
                await asyncio.sleep(self._poll_seconds)
        except (asyncio.CancelledError, NoCapacity) as exc:
            if ticket is not None:
                given_back, why = ticket, str(exc) or _GONE
                await self._threads.run(
                    request.user, lambda: self._admission().leave(request, given_back, why)
                )
            raise

    async def _ask(
        self, request: LaunchRequest, ticket: Ticket | None, *, wait: bool
    ) -> Grant | Queued:
        def undo(answer: Grant | Queued) -> None:
            if isinstance(answer, Grant):
                self._admission().release(answer)
            else:
                self._admission().leave(request, answer.ticket, _GONE)

        return await self._threads.run(
            request.user,
            lambda: self._admission().admit(request, wait=wait, ticket=ticket),
            undo,
        )


def _check_patience(is_over: bool, wait: timedelta, place: str) -> None:  # noqa: FBT001 - the check
    if is_over:
        raise NoCapacity(
            f"No GPU became free in {format_duration(wait)} of waiting. {place}",
            f"Wait longer with --label {WISH_WAIT}=4h, or ask for another size.",
        )


def _first_free(
    admission: Admission, user: str, sizes: Sequence[GpuRequest], container_name: str
) -> GpuRequest:
    """The first of `sizes` that would be granted now, or the last."""
    situation = admission.current()
    asker = Asker(user, container_name, admission.limits(user))
    return next(
        (
            size
            for size in sizes
            if isinstance(
                decide(size, asker, situation.occupancy, admission.rules.strategy), Granted
            )
        ),
        sizes[-1],
    )


def told_of_wait(waited: timedelta) -> tuple[str, ...]:
    """What the client is told of a wait that somebody noticed."""
    return () if waited < NOTICED_WAIT else (f"Waited {length(waited)} for a GPU.",)


def refused_now(error: NoCapacity) -> NoCapacity:
    """The refusal in the words of a Docker client: how to wait."""
    if not error.place:
        return error
    return NoCapacity(
        error.message,
        f"You would be number {error.place} in the queue: wait with --label {WISH_WAIT}=15m, or "
        f"ask for another size with --label {WISH_GPU}=SIZE.",
        place=error.place,
    )
