"""What a client sends after its headers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from ds01_spawner.client.problems import too_large
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.gateway.wire.errors import ClientGone
from ds01_spawner.gateway.wire.framing import Framing, InChunks, OfLength
from ds01_spawner.gateway.wire.head import RequestHead
from ds01_spawner.gateway.wire.line import Line

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LITTLE_BYTES: Final = 256 * 1024
MOST_HELD_BYTES: Final = 32 * 1024**2
_WHOLE_IN_SILENCES: Final = 5
"""A whole body is read within so many times the silence that is borne in it."""


class Held:
    """What is held of bodies that are read as a whole, all those of one user id together.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int = MOST_HELD_BYTES) -> None:
        self._most = most
        self._bytes = 0

    def take(self, count: int) -> None:
        """Hold so many more.

        Raises:
            Unavailable: They would be too many.
        """
        if self._bytes + count > self._most:
            raise Unavailable(
                f"You are sending more than {self._most >> 20} MiB of requests at once.",
                "Send them one after the other.",
            )
        self._bytes += count

    def give_back(self, count: int) -> None:
        """Hold so many no more."""
        self._bytes -= count


class RequestBody:
    """A client's body, received when it is asked for.

    Args:
        line: Where it comes from, after the head.
        head: Says how it is framed.
        silence_seconds: How long nothing may come while it is read as a whole.
        held: Counts what is held of it, and of its sender's other bodies.
    """

    def __init__(
        self, line: Line, head: RequestHead, silence_seconds: float, held: Held | None = None
    ) -> None:
        self._line = line
        self._held = held or Held()
        self._framing: Framing = InChunks() if head.length is None else OfLength(head.length)
        self._length = head.length
        self._awaited = head.first("expect") != ""
        self._silence_seconds = silence_seconds
        self._touched = False

    @property
    def done(self) -> bool:
        """Whether all of it was received."""
        return self._framing.done

    @property
    def length(self) -> int | None:
        """How long it is; `None` when only its end will tell."""
        return self._length

    @property
    def worth_dropping(self) -> bool:
        """Whether what is left of it is so little that the connection is kept."""
        return self.done or (self._is_short and not self._awaited)

    @property
    def _is_short(self) -> bool:
        return self._length is not None and self._length <= LITTLE_BYTES

    async def read(self, limit_bytes: int) -> bytes:
        """All of it.

        Raises:
            TooLarge: It is longer than `limit_bytes`.
            InvalidRequest: It did not come in time.
            ClientGone: The connection ended first.
            Unavailable: Its sender sends too much at once.
        """
        if self._length is not None and self._length > limit_bytes:
            raise too_large(limit_bytes)
        content = bytearray()
        try:
            async with asyncio.timeout(_WHOLE_IN_SILENCES * self._silence_seconds):
                while parts := await asyncio.wait_for(self.parts(), self._silence_seconds):
                    part = b"".join(parts)
                    if len(content) + len(part) > limit_bytes:
                        raise too_large(limit_bytes)
                    self._held.take(len(part))
                    content += part
        except TimeoutError as exc:
            raise self._late() from exc
        finally:
            self._held.give_back(len(content))
        return bytes(content)

    def chunks(self) -> "Chunks":
        """Its parts as they come."""
        return Chunks(self)

    async def drop(self) -> None:
        """Receive and forget what is left of it.

        Raises:
            InvalidRequest: It does not come in time, or not framed as it should be.
        """
        try:
            async with asyncio.timeout(self._silence_seconds):
                while await self.parts():
                    pass
        except TimeoutError as exc:
            raise self._late() from exc

    async def pour(self) -> Line | None:
        """The connection, for passing on a long body as it is framed; `None` for any other.

        Nobody looks where it ends, so no other request may follow, on either side.
        """
        if self._touched or self._is_short:
            return None
        self._touched = True
        await self._invite()
        return self._line

    async def parts(self) -> list[memoryview]:
        """What comes next of it; nothing at its end.

        Raises:
            ClientGone: The connection ended first.
            Malformed: It is not framed as it should be.
        """
        if self.done:
            return []
        self._touched = True
        await self._invite()
        try:
            return await self._line.receive_parts(self._framing)
        except ConnectionError as exc:
            raise ClientGone(str(exc)) from exc

    def _late(self) -> InvalidRequest:
        return InvalidRequest(
            f"The rest of the request did not come for {self._silence_seconds:g} seconds."
        )

    async def _invite(self) -> None:
        """Tell a client that waits for it to send the body."""
        if not self._awaited:
            return
        self._awaited = False
        try:
            await self._line.send(_CONTINUE)
        except ConnectionError as exc:
            raise ClientGone(str(exc)) from exc


class Chunks:
    """A body part by part; `pour` and `parts` are for those who pass it on without a look."""

    def __init__(self, body: RequestBody) -> None:
        self.pour = body.pour
        self.parts = body.parts
        self.length = body.length

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        part = b"".join(await self.parts())
        if not part:
            raise StopAsyncIteration
        return part
