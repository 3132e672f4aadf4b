"""The websocket of a command in a container.

The first message is text, `ExecRequest` as JSON; `{}` answers that it runs. Then binary messages
are input, and text ones `{"resize": [rows, columns]}` or `{"end_input": true}`. Back come binary
messages, whose first byte tells the stream, and last a text: `{"exit": code}`, or a problem.
"""

import asyncio
import json
from contextlib import suppress

from tornado.websocket import WebSocketClosedError

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.gateway.api.execs import ApiExecs, Entered
from ds01_spawner.gateway.api.handler import Authenticate, Served
from ds01_spawner.gateway.api.raw_exec import RawExec
from ds01_spawner.gateway.api.reading import body_of, part_of
from ds01_spawner.gateway.api.requester import problem_for
from ds01_spawner.gateway.api.token_socket import TokenSocket

AWAKE_SECONDS = 30.0
"""Between two pings, so that no proxy takes the connection for dead."""

_FIRST_SECONDS = 30.0
_FAILED = 1011
"""The server cannot go on (RFC 6455, section 7.4.1)."""

_NOT_UNDERSTOOD = 1003
_MOST_SIZE = 10_000


class ExecHandler(TokenSocket):
    """One command. Who may enter is decided before the connection becomes a websocket."""

    what = "A command"
    program = "ds01 container exec"

    def initialize(self, served: Served, authenticate: Authenticate, execs: ApiExecs) -> None:
        """Take what the application was made with."""
        self.prepare_for(served, authenticate)
        self._execs = execs
        self._entered: Entered | None = None
        self._process: asyncio.Future[tuple[RawExec, str]] | None = None
        self._wanted: asyncio.Future[m.ExecRequest] | None = None
        self._working: list[asyncio.Task[None]] = []

    @property
    def ping_interval(self) -> float:
        """None of tornado's: who reads slowly answers late, and is not dead (`_stay_awake`)."""
        return 0.0

    async def get(self, *args: str, **kwargs: str) -> None:
        """Decide, and then become a websocket."""
        try:
            requester = await self.requester()
            name = part_of("name", args[0])
            self._entered = await self._execs.enter(requester, name, self.request_id)
        except DS01Error as exc:
            self.refuse(exc)
            return
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Wait for what is to be run."""
        loop = asyncio.get_running_loop()
        self._wanted, self._process = loop.create_future(), loop.create_future()
        self._working = [
            asyncio.ensure_future(self._run()),
            asyncio.ensure_future(self._stay_awake()),
        ]

    async def on_message(self, message: str | bytes) -> None:
        """Take what is said; the next message is read when this has been taken."""
        if self._wanted is None or self._process is None:
            return
        try:
            if not self._wanted.done():
                self._wanted.set_result(_request(message))
                return
            with suppress(ConnectionError, asyncio.CancelledError):
                process, exec_id = await asyncio.shield(self._process)
                await self._pass(process, exec_id, message)
        except DS01Error as exc:
            await self._end(self._text_of(exc), _NOT_UNDERSTOOD)

    def on_close(self) -> None:
        """Its input ends; the command lives on, as with docker exec."""
        for task in self._working:
            task.cancel()

    async def _pass(self, process: RawExec, exec_id: str, message: str | bytes) -> None:
        if isinstance(message, bytes):
            await process.send(message)
            return
        match _said(message):
            case {"end_input": True}:
                process.end_input()
            case {"resize": [int(rows), int(columns)]} if (
                0 < rows <= _MOST_SIZE and 0 < columns <= _MOST_SIZE
            ):
                await self._execs.resize(exec_id, rows, columns)
            case _:
                raise InvalidRequest(
                    "A message cannot be understood.", 'Say {"resize": [24, 80]}, for example.'
                )

    async def _run(self) -> None:
        assert self._entered is not None  # noqa: S101 - decided before
        code = _FAILED
        try:
            with self.session(self._entered.caller):
                text = await self._ran(self._entered)
            code = 1000
        except DS01Error as exc:
            text = self._text_of(exc)
        except WebSocketClosedError:
            return
        finally:
            if self._process is not None and not self._process.done():
                self._process.cancel()
        await self._end(text, code)

    async def _ran(self, entered: Entered) -> str:
        """How it ended."""
        assert self._wanted is not None  # noqa: S101 - made before
        assert self._process is not None  # noqa: S101 - made before
        try:
            wanted = await asyncio.wait_for(self._wanted, _FIRST_SECONDS)
        except TimeoutError as exc:
            raise InvalidRequest("Nothing is said about what is to be run.") from exc
        exec_id = await self._execs.prepare(entered, wanted)
        async with self._execs.opened(entered, exec_id, tty=wanted.tty) as process:
            if (refusal := await process.begin()) is not None:
                raise InvalidRequest(
                    f"The command cannot be run in {entered.name}. {refusal}".rstrip()
                )
            if wanted.tty and wanted.rows and wanted.cols:
                await self._execs.resize(exec_id, wanted.rows, wanted.cols)
            await self.write_message("{}")
            self._process.set_result((process, exec_id))
            async for stream, part in process.parts():
                writing = self.write_message(bytes([stream]) + part, binary=True)
                await asyncio.shield(writing)  # tornado logs a write that is cancelled
        return json.dumps({"exit": await self._execs.exit_code(exec_id)})

    async def _stay_awake(self) -> None:
        while True:
            await asyncio.sleep(AWAKE_SECONDS)
            with suppress(WebSocketClosedError):
                self.ping(b"")

    def _text_of(self, error: DS01Error) -> str:
        problem = problem_for(self.known, error, self.request_id)
        return problem.model_dump_json(exclude_defaults=True)

    async def _end(self, text: str, code: int) -> None:
        with suppress(WebSocketClosedError):
            await self.write_message(text)
        self.close(code)


def _request(message: str | bytes) -> m.ExecRequest:
    """The first message.

    Raises:
        InvalidRequest: It does not say what is to be run.
    """
    if isinstance(message, bytes):
        raise InvalidRequest("The first message says what is to be run, as text.")
    try:
        content = message.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest("The first message is not Unicode.") from exc
    return body_of(m.ExecRequest, "application/json", content)


def _said(message: str) -> object:
    try:
        return json.loads(message)
    except ValueError:
        return None
