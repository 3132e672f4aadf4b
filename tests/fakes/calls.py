"""Requests as handlers of the gateway get them, and what they answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call


def person(name: str, uid: int = 1001) -> Caller:
    """Somebody with a Unix account."""
    return Caller(uid, 4711, name, UnixAccount(name, uid, uid, f"/home/{name}"))


ALICE = person("alice", 1001)
BOB = person("bob", 1002)
ROOT = Caller(0, 4712, "root", None, is_admin=True)


@dataclass
class FakeBody:
    """What a client sends after its headers, in the parts in which it comes.

    Attributes:
        parts: The parts, in order.
        taken: How many were taken: what was refused unread stays at 0.
    """

    parts: Sequence[bytes] = ()
    taken: int = 0

    async def read(self, limit_bytes: int) -> bytes:
        content = b"".join(self.parts)
        if len(content) > limit_bytes:
            raise InvalidRequest(f"The body is longer than {limit_bytes} bytes.")
        self.taken = len(self.parts)
        return content

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part


@dataclass
class FakeReply:
    """Keeps what a handler answers."""

    status: int = 0
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    finished: bool = False

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.value, self.headers = status, value, dict(headers or {})
        self.finished = True

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers, self.finished = status, dict(headers or {}), True

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, dict(headers)

    async def write(self, chunk: bytes) -> None:
        self.content += chunk

    async def finish(self) -> None:
        self.finished = True


def a_call(
    method: str,
    path: str = "",
    *,
    caller: Caller = ALICE,
    parts: Mapping[str, str] | None = None,
    body: Any = None,
    version: str = "1.41",
    **query: str,
) -> Call:
    """A request; `path` is for people to read, `parts` are its variable parts."""
    del path
    return Call(
        id="call-1",
        caller=caller,
        method=method,
        version=version,
        parts=parts or {},
        query={name: [value] for name, value in query.items()},
        headers={},
        body=FakeBody(() if body is None else (json.dumps(body).encode(),)),
        upgrade="",
        gone=asyncio.Event(),
    )
