"""The wire as a test scripts it: what clients send in parts, and an engine that answers by rote.

For handlers that only need one's own containers to be found, `fakes.engine_link` is less to write.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, Call, Query, Reply, Rewrite
from fakes.calls import ALICE, BOB, ROOT, FakeReply

__all__ = ["ALICE", "BOB", "ROOT", "FakeBody", "FakeEngineLink", "FakeReply", "Sent", "call"]


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


def call(
    method: str = "GET",
    *,
    caller: Caller = ALICE,
    parts: Mapping[str, str] | None = None,
    query: Mapping[str, str | Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    version: str = "1.41",
    upgrade: str = "",
) -> Call:
    """A request. `body`: bytes, several parts of bytes, or anything that becomes JSON."""
    values = {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in (query or {}).items()
    }
    return Call(
        id="call-1",
        caller=caller,
        method=method,
        version=version,
        parts=dict(parts or {}),
        query=values,
        headers=dict(headers or {}),
        body=FakeBody(_body_parts(body)),
        upgrade=upgrade,
        gone=asyncio.Event(),
    )


def _body_parts(body: Any) -> Sequence[bytes]:
    if body is None:
        return ()
    if isinstance(body, bytes):
        return (body,)
    if isinstance(body, list | tuple) and body and all(isinstance(each, bytes) for each in body):
        return tuple(body)
    return (json.dumps(body).encode(),)


@dataclass(frozen=True)
class Sent:
    """One question to the engine.

    Attributes:
        way: `ask`, `relay`, `hijack` or `stream`.
        method: HTTP method.
        path: Path without version.
        query: Parameters.
        body: JSON body, or the bytes of a streamed one.
        headers: Headers beside those that every question has.
        version: API version.
    """

    way: str
    method: str
    path: str
    query: Query
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


Script = Answer | Exception | Callable[[Sent], Answer]


class FakeEngineLink:
    """Answers what a test has scripted, by `METHOD /path`; fails on anything else.

    `engine.on("GET /containers/x/json", 200, {...})`; a list of bytes as the value is a body in
    parts, which `relay` writes one by one; `engine.then` scripts a second answer to the same
    question; an exception is raised.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._scripts: dict[str, list[Script]] = {}

    def on(self, question: str, status: int | Script = 200, value: Any = None) -> None:
        """Script the answer to a question; it is given as often as asked."""
        self._scripts[question] = [_script(status, value)]

    def then(self, question: str, status: int | Script = 200, value: Any = None) -> None:
        """Script the answer to the next asking of a question; the last one stays."""
        self._scripts.setdefault(question, []).append(_script(status, value))

    def questions(self) -> list[str]:
        """What was asked, as `METHOD /path`."""
        return [f"{each.method} {each.path}" for each in self.sent]

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        del seconds
        return self._answer(Sent("ask", method, path, query or {}, body, {}, version))

    async def relay(
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
        if stream is not None:
            body = b"".join([part async for part in stream])
        sent = Sent("relay", method, path, query or {}, body, headers or {}, call.version)
        return await _hand_on(self._answer(sent), reply, rewrite)

    async def hijack(
        self, call: Call, reply: Reply, path: str, query: Query | None = None, *, body: Any = None
    ) -> int:
        sent = Sent("hijack", "POST", path, query or {}, body, {}, call.version)
        return await _hand_on(self._answer(sent), reply, None)

    async def relay_all(self, call: Call, reply: Reply) -> int:
        passage = call.passage
        path = "" if passage is None else passage.path
        sent = Sent("relay", call.method, path, call.query, None, call.headers, call.version)
        return await _hand_on(self._answer(sent), reply, None)

    async def stream(
        self, method: str, path: str, query: Query | None = None, *, version: str = ""
    ) -> AsyncIterator[Any]:
        answer = self._answer(Sent("stream", method, path, query or {}, None, {}, version))
        for value in answer.value or ():
            yield value

    def _answer(self, sent: Sent) -> Answer:
        self.sent.append(sent)
        question = f"{sent.method} {sent.path}"
        scripts = self._scripts.get(question)
        if scripts is None:
            raise AssertionError(f"Nothing was scripted for {question}.")
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        if isinstance(script, Exception):
            raise script
        return script if isinstance(script, Answer) else script(sent)


def _script(status: int | Script, value: Any) -> Script:
    return Answer(status, value) if isinstance(status, int) else status


async def _hand_on(answer: Answer, reply: Reply, rewrite: Rewrite | None) -> int:
    value = answer.value
    if isinstance(value, list) and value and all(isinstance(part, bytes) for part in value):
        await _in_parts(reply, answer.status, value)
    elif value is None:
        await reply.empty(answer.status)
    else:
        await reply.json(rewrite(value) if rewrite else value, answer.status)
    return answer.status


async def _in_parts(reply: Reply, status: int, parts: Iterable[bytes]) -> None:
    await reply.begin(status, {})
    for part in parts:
        await reply.write(part)
    await reply.finish()
