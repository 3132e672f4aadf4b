"""The process that copies files from within a container, as the gateway sees it."""

import asyncio
import errno
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar

from ds01_spawner.domain.errors import (
    OUR_FAULT,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.names import shown

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

MODULE = "ds01_spawner.adapters.container_files"
HEAD_SECONDS = 120.0
"""Before an archive begins, everything in it is looked at."""

_END_SECONDS = 600.0
_PART_SECONDS = 120.0
"""How long one part may take to be written or read in the container."""

_KILLED_SECONDS = 5.0
_GONE = 75
"""`GONE` of the process; its modules are not for here."""

_CHUNK = 1 << 18
_LINE = 1 << 16
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Volume(NamedTuple):
    """A volume of a container that does not run.

    Attributes:
        source: Where it is on the server.
        target: Where it is in the container.
        writable: Whether the container may write to it.
    """

    source: str
    target: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """Into which container, as whom, for what.

    Attributes:
        ask: `stat`, `get` or `put`.
        path: Path in the container, as the client said it.
        pid: The container's first process.
        container: Full engine id.
        user: As whom: uid, gid and all groups; `None`: as the container's first process, or as
            `image_user`.
        keep_kinds: Whether a folder may not replace a file when files are put there.
        layers: Folders of its layers, the topmost first, where it does not run; else none.
        volumes: With layers: its volumes, outer ones first.
        image_user: With layers: whom it would run as, by its image.
    """

    ask: str
    path: str
    pid: int
    container: str
    user: tuple[int, int, tuple[int, ...]] | None
    keep_kinds: bool = False
    layers: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    image_user: str = ""


class Copying:
    """A process that has answered: what it said, and what it copies."""

    def __init__(self, process: asyncio.subprocess.Process, visit: Visit, ref: str) -> None:
        self._process = process
        self._visit = visit
        self._ref = ref
        self.head: Mapping[str, Any] = {}

    async def begin(self) -> None:
        """Tell it what to do, and take its first answer.

        Raises:
            NotFound: There is no such path.
            Forbidden: The person may not read or write it.
            Unavailable: It does not answer, or the container stopped.
        """
        await self._write(json.dumps(asdict(self._visit)).encode() + b"\n")
        self.head = await self._answer(HEAD_SECONDS)

    async def archive(self) -> AsyncIterator[bytes]:
        """The archive, to its end.

        Raises:
            Unavailable: It broke off.
        """
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was asked for
        while part := await self._in_time(output.read(_CHUNK)):
            yield part
        if await self._process.wait() != 0:
            raise Unavailable(f"The copy out of {self._ref} broke off: files changed meanwhile.")

    async def send(self, parts: AsyncIterator[bytes]) -> None:
        """Give it an archive, and wait until all of it is written.

        Raises:
            InvalidRequest: Something in it is not taken.
            Forbidden: The person may not write there.
            Unavailable: It does not answer.
        """
        async for part in parts:
            if not await self._write(part):
                break  # it has an answer already
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.close()
        await self._answer(_END_SECONDS)

    async def _write(self, content: bytes) -> bool:
        """Whether it still takes something."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(content)
            await self._in_time(self._process.stdin.drain())
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    async def _answer(self, seconds: float) -> Mapping[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = await self._in_time(self._process.stdout.readline(), seconds)
        if not line:
            raise _ended_early(await self._in_time(self._process.wait()), self._visit, self._ref)
        answer: Mapping[str, Any] = json.loads(line)
        error = _error(answer, self._visit, self._ref)
        if error is not None:
            raise error
        return answer

    async def _in_time(self, work: Awaitable[_T], seconds: float = _PART_SECONDS) -> _T:
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError as exc:
            raise Unavailable(
                f"The files of {self._ref} have not answered for {seconds:g} s.",
                "Look at the network file systems that it has.",
            ) from exc


@asynccontextmanager
async def copying(visit: Visit, ref: str) -> AsyncIterator[Copying]:
    """A process in the container that has begun; ended with the block.

    Args:
        visit: What it does.
        ref: What the client calls the container.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", MODULE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
            limit=_LINE,
        )
    except OSError as exc:
        _log.error("A process that does something as a person: %s", exc)
        raise Unavailable(*OUR_FAULT) from exc
    try:
        copy = Copying(process, visit, ref)
        await copy.begin()
        yield copy
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """See it off; one that hangs in a file system stays until that answers."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_KILLED_SECONDS):
            await process.wait()


def _ended_early(status: int, visit: Visit, ref: str) -> DS01Error:
    """What happened to a process that ended without an answer."""
    if status == _GONE:
        return _stopped(ref)
    if status == -signal.SIGKILL and not visit.layers:
        return _memory_full(ref)
    return Unavailable(*OUR_FAULT)


def _stopped(ref: str) -> DS01Error:
    return Unavailable(f"{ref} has just stopped.", "Start it, and copy again.")


def _memory_full(ref: str) -> DS01Error:
    return InvalidRequest(
        f"The copy broke off: the container's memory is full ({ref}).",
        "Files in /dev/shm and in a tmpfs count as its memory: copy to another folder, or remove"
        " some there.",
    )


def _error(answer: Mapping[str, Any], visit: Visit, ref: str) -> DS01Error | None:
    if answer.get("gone"):
        return _stopped(ref)
    if answer.get("uncounted"):
        return Unavailable(
            f"No cgroup counts the memory of {ref}, so nothing is copied.",
            "Ask the administrator to look at the cgroups of the server.",
        )
    if "refused" in answer:
        return InvalidRequest(f"Nothing more is copied: {answer['refused']}.")
    if "errno" in answer:
        return _failure(int(answer["errno"] or 0), str(answer["what"]), visit, ref)
    return None


def _failure(number: int, what: str, visit: Visit, ref: str) -> DS01Error:
    reason = os.strerror(number)
    if visit.ask == "put" and number == errno.ENOTDIR:
        return InvalidRequest("extraction point is not a directory")
    if number in _NOT_THERE:
        return NotFound(f"Could not find the file {visit.path} in container {ref}")
    if number in _NOT_ALLOWED:
        return Forbidden(
            f"You may not use {shown(what)} in {ref}: {reason}.",
            "Files are copied from and to it as its user.",
        )
    if number == errno.ENOMEM and not visit.layers:
        return _memory_full(ref)
    kind = InvalidRequest if number in _FULL else Unavailable
    return kind(f"{shown(what)} in {ref} cannot be copied: {reason}.")
