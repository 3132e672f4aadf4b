"""One request, parsed once, and the answer to it: what handlers see of the wire."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from ds01_spawner.gateway.identity import Caller

Query = Mapping[str, Sequence[str]]
"""Parameters by name, in the order they came; only those that the endpoint declares."""

Rewrite = Callable[[Any], Any]
"""From the engine's decoded answer to the one that the client gets."""


class Body(Protocol):
    """What the client sends after its headers; read by one of these, once."""

    async def read(self, limit_bytes: int) -> bytes:
        """All of it.

        Raises:
            InvalidRequest: It is longer than `limit_bytes`.
        """
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Its parts as they come; the client is held back until the next is asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """All of a request, for those who may ask the engine anything; checked for form only.

    Attributes:
        path: Canonical path, without version, quoted as the engine is to get it.
        query: Every parameter, declared or not, in order.
        headers: Every header that is meant for the engine, by lower-case name.
        length: How long the body is; `None` when only its end will tell; 0 without one.
    """

    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    length: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, canonical: nothing of how it was written is left.

    Attributes:
        id: Names the request in events and logs.
        caller: Who asks.
        method: Upper case.
        version: Engine API version asked for, such as `1.41`; empty when none was.
        parts: The variable parts of the path, decoded: `{"id": "thesis-run"}`.
        query: Parameters; a client's form body counts for nothing.
        headers: The few that handlers may use, by lower-case name: `user-agent`, `content-type`,
            `x-registry-auth`, `x-registry-config`.
        body: What follows.
        upgrade: Protocol of an `Upgrade` header (`tcp`), or empty.
        gone: Set when the client has closed its side for good.
        passage: All of what an administrator asked; `None` for everybody else.
        path: Canonical path, without version: for messages.
    """

    id: str
    caller: Caller
    method: str
    version: str
    parts: Mapping[str, str]
    query: Query
    headers: Mapping[str, str]
    body: Body
    upgrade: str
    gone: asyncio.Event
    passage: Passage | None = None
    path: str = ""

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter: the one that the engine would take."""
        values = self.query.get(name)
        return values[0] if values else default


class Reply(Protocol):
    """The answer to one call. One of `json`, `empty`, or `begin` … `finish`."""

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer."""
        ...

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        ...

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer whose body follows; chunked unless it has `Content-Length`."""
        ...

    async def write(self, chunk: bytes) -> None:
        """More of the body; returns when the client has taken enough to be given more."""
        ...

    async def finish(self) -> None:
        """The end of the body."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer to one question.

    Attributes:
        status: HTTP status.
        value: The decoded JSON body; `None` without one.
    """

    status: int
    value: Any

    @property
    def ok(self) -> bool:
        """Whether the engine did what it was told."""
        return self.status < 400  # noqa: PLR2004 - HTTP's own boundary

    @property
    def is_missing(self) -> bool:
        """Whether the engine has no such thing."""
        return self.status == HTTPStatus.NOT_FOUND


class EngineLink(Protocol):
    """The way to the engine, on the event loop. Paths have no version; names in them are quoted.

    Every question has a deadline; every method raises `Unavailable` when the engine cannot be
    reached or does not answer.
    """

    async def ask(  # noqa: PLR0913 - the parts of one request
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        """The whole answer to a question. `version` is the API version; empty: the newest known."""
        ...

    async def relay(  # noqa: PLR0913 - the parts of one request
        self,
        call: Call,
        reply: Reply,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        stream: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        rewrite: Rewrite | None = None,
    ) -> int:
        """Ask the engine what the client asked, and hand its answer on; its status.

        In the API version of `call`. The answer's body is passed on as it comes, at the client's
        pace; the engine's side is closed when the client goes. With `rewrite`, a JSON answer is
        read whole and handed on changed (errors, 400 and above, are handed on with their
        `message` passed through `rewrite` too, as `{"message": …}`).

        Args:
            call: What the client asked.
            reply: Where the answer goes.
            method: HTTP method of the question to the engine.
            path: Its path.
            query: Its parameters.
            body: JSON body to send.
            stream: A body of unknown length to send instead, chunked.
            headers: More headers to send.
            rewrite: Changes the answer.
        """
        ...

    async def hijack(
        self, call: Call, reply: Reply, path: str, query: Query | None = None, *, body: Any = None
    ) -> int:
        """`POST` that becomes a raw stream both ways, with half-close; returns when both ended.

        The status that the engine gave (101 or 200); an error is handed on as by `relay`. The
        client is answered as it asked: 101 with its `Upgrade`, or 200 and the raw stream.
        """
        ...

    async def relay_all(self, call: Call, reply: Reply) -> int:
        """Hand an administrator's request on as it is, streams both ways included; the status."""
        ...

    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        version: str = "",
        begun: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Any]:
        """The JSON values of an endless answer, such as events; closed with the iterator.

        `begun` is called when the engine has begun to answer, which may be long before a value.
        """
        ...

    def parts(
        self, method: str, path: str, query: Query | None = None
    ) -> AsyncGenerator[bytes, None]:
        """An endless answer as it comes, such as logs; closed with the iterator."""
        ...


Handler = Callable[[Call, Reply], "Any"]
"""An `async` function that answers one call; raises a `DS01Error`, which the wire translates."""
