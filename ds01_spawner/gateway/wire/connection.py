"""One client's connection: request after request, each answered by whoever may."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.body import Held, RequestBody
from ds01_spawner.gateway.wire.call import Body, Call, Passage, Reply
from ds01_spawner.gateway.wire.errors import ClientGone, told
from ds01_spawner.gateway.wire.hangups import Hangups
from ds01_spawner.gateway.wire.head import Malformed, RequestHead, parse_request_head
from ds01_spawner.gateway.wire.line import Line
from ds01_spawner.gateway.wire.reply import WireReply
from ds01_spawner.gateway.wire.request import parse_target

API_PREFIX: Final = "/ds01/"
_LOG = logging.getLogger(__name__)

_FOR_HANDLERS: Final = frozenset(
    {"user-agent", "content-type", "x-registry-auth", "x-registry-config"}
)
_OF_THE_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

Dispatch = Callable[[str | None, Call, Reply], Awaitable[None]]
"""Answers a request to the Docker door, given the name of its endpoint where it has one."""

Api = Callable[[Caller, RequestHead, Body, asyncio.Event, Reply], Awaitable[None]]
"""Answers a request below `/ds01/`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may take.

    Attributes:
        head_seconds: A request's head comes within this after its first byte.
        idle_seconds: A connection without a request is closed after this.
        silence_seconds: How long nothing may come of a body that is read as a whole.
        linger_seconds: How long what a client still sends is thrown away, so that it can read why.
        closing_seconds: What is being answered when the server ends may take so long.
        connections_each: Open connections of one user id, root's excepted.
        connections: Open connections of everybody.
    """

    head_seconds: float = 15.0
    idle_seconds: float = 180.0
    silence_seconds: float = 30.0
    linger_seconds: float = 60.0
    closing_seconds: float = 5.0
    connections_each: int = 512
    connections: int = 8192


@dataclass(frozen=True, slots=True)
class Service:
    """What answers.

    Attributes:
        dispatch: The Docker door.
        api: The API; `None` where there is none.
        bounds: What a client may take.
        hangups: Tells when a client has gone.
    """

    dispatch: Dispatch
    api: Api | None
    bounds: Bounds
    hangups: Hangups


class Connection:
    """Serves one client until it, or something it did, ends the connection.

    Args:
        line: The connection.
        caller: Who is at the other end, or why they are not served.
        service: What answers.
        held: Counts what is held of this client's bodies, on all its connections.
    """

    def __init__(
        self,
        line: Line,
        caller: Caller | Exception,
        service: Service,
        held: Held | None = None,
    ) -> None:
        self._held = held or Held()
        self._line = line
        self._caller = caller
        self._service = service
        self._bounds = service.bounds
        self._gone = asyncio.Event()
        self._reply: WireReply | None = None
        self._task = asyncio.current_task()

    @property
    def may_end(self) -> bool:
        """Whether nothing is being answered but a raw stream, which has no end."""
        return self._reply is None or self._reply.taken

    async def serve(self) -> None:
        """Answer every request of the connection; the caller closes the line."""
        self._service.hangups.watch(self._line.sock, self._leave)
        try:
            while await self._serve_one():
                self._reply = None
        except (ConnectionError, ClientGone):
            return
        except asyncio.CancelledError:
            if not self._gone.is_set():
                raise
        finally:
            self._service.hangups.leave(self._line.sock)

    def _leave(self) -> None:
        """The client has gone: nobody waits for what is being done for it."""
        self._gone.set()
        if self._task is not None and (self._reply is None or not self._reply.taken):
            self._task.cancel()

    async def _serve_one(self) -> bool:
        """Whether another request may follow."""
        try:
            text = await self._next_head()
            if text is None:
                return False
            head = parse_request_head(text)
        except Malformed as error:
            await self._refuse(error)
            return False
        body = RequestBody(self._line, head, self._bounds.silence_seconds, self._held)
        reply = self._reply = WireReply(self._line, head, body)
        await self._answer(head, body, reply)
        if reply.taken or not reply.finished:
            return False
        if not body.done and reply.keep_alive:
            with suppress(InvalidRequest):
                await body.drop()
        if body.done and reply.keep_alive:
            return True
        await self._linger()
        return False

    async def _next_head(self) -> bytes | None:
        """The next request's head; `None` when none comes."""
        try:
            async with asyncio.timeout(self._bounds.idle_seconds):
                self._line.put_back(await self._line.receive())
        except TimeoutError:
            return None
        try:
            async with asyncio.timeout(self._bounds.head_seconds):
                return await self._line.receive_head()
        except TimeoutError as exc:
            raise Malformed(
                f"The head of the request did not come within {self._bounds.head_seconds:g} "
                "seconds."
            ) from exc

    async def _answer(self, head: RequestHead, body: RequestBody, reply: WireReply) -> None:
        request_id = secrets.token_hex(6)
        try:
            await self._route(head, body, reply, request_id)
            if not (reply.finished or reply.taken):
                raise RuntimeError("a handler returned without an answer")  # noqa: TRY301
        except ClientGone:
            reply.keep_alive = False
        except Exception as error:  # noqa: BLE001 - the loop's top: every error has an answer
            status, message = told(error, request_id, administrator=self._is_administrators)
            if isinstance(error, Malformed):
                reply.keep_alive = False
            if not reply.begun:
                await _tell(reply, head, status, message)
            elif not reply.taken:
                _LOG.info("the answer to request %s was broken off: %s", request_id, error)

    async def _route(
        self, head: RequestHead, body: RequestBody, reply: WireReply, request_id: str
    ) -> None:
        if isinstance(self._caller, Exception):
            raise self._caller
        if self._service.api is not None and head.target.startswith(API_PREFIX):
            await self._service.api(self._caller, head, body, self._gone, reply)
            return
        target = parse_target(head.method, head.target)
        passage = None
        if self._caller.is_admin:
            headers = {
                name: value for name, value in head.headers if name not in _OF_THE_CONNECTION
            }
            passage = Passage(target.path, target.pairs, headers, body.length)
        call = Call(
            id=request_id,
            caller=self._caller,
            method=head.method,
            version=target.version,
            parts=target.parts,
            query=target.query,
            headers={name: value for name, value in head.headers if name in _FOR_HANDLERS},
            body=body,
            upgrade=head.upgrade,
            gone=self._gone,
            passage=passage,
            path=target.path,
        )
        endpoint = None if target.endpoint is None else target.endpoint.name
        await self._service.dispatch(endpoint, call, reply)

    @property
    def _is_administrators(self) -> bool:
        return isinstance(self._caller, Caller) and self._caller.is_admin

    async def _refuse(self, error: InvalidRequest) -> None:
        """Answer what cannot be read."""
        head = RequestHead("GET", "/", (), 0, keep_alive=False, chunks_understood=False)
        body = RequestBody(self._line, head, self._bounds.silence_seconds, self._held)
        status, message = told(error, "")
        await WireReply(self._line, head, body).json({"message": message}, status)
        await self._linger()

    async def _linger(self) -> None:
        """Let the client read the answer before the connection is closed.

        Closing a Unix socket with something unread takes from the client what it has not read yet.
        """
        self._line.end()
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(self._bounds.linger_seconds):
                while await self._line.receive():
                    pass


async def _tell(reply: WireReply, head: RequestHead, status: int, message: str) -> None:
    """An error, in the words of the door that was asked (RFC 9457 for the API)."""
    if head.target.startswith(API_PREFIX):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
        content = {"Content-Type": "application/problem+json"}
        await reply.json({**problem, "detail": message}, status, content)
    else:
        await reply.json({"message": message}, status)
