"""Answers one request to the API: who asks, may they, what exactly, and the answer as JSON."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from tornado.web import RequestHandler

from ds01_spawner.client.models import Role, Wire
from ds01_spawner.client.problems import MethodNotAllowed, Unauthenticated
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, Unavailable
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream
from ds01_spawner.gateway.api.plain import PlainHandler
from ds01_spawner.gateway.api.reading import body_of, digest_of, part_of, query_of
from ds01_spawner.gateway.api.repetitions import Repetitions
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.api.routes import Route
from ds01_spawner.gateway.api.sse import Listeners, send_events
from ds01_spawner.gateway.attendance import Attendance
from ds01_spawner.gateway.rates import Rates

_ONLY = {
    Role.MANAGER: "Only managers and administrators may do this.",
    Role.ADMIN: "Only administrators may do this.",
}
AGAIN_SECONDS = 20.0
"""How often it is asked anew, while a stream is open, who listens."""

MOST_SESSIONS = 50
MOST_SESSIONS_OF_ALL = 1000
_KEY = re.compile(r"[!-~]{1,128}")

Authenticate = Callable[[RequestHandler], Awaitable[Requester | None]]
"""Who makes a request; `None` where nobody vouches for them."""


async def still_asks(
    authenticate: Authenticate, handler: RequestHandler, requester: Requester
) -> bool:
    """Whether who began a stream may go on with it as what they were.

    A hub that does not answer takes nothing from anybody who listens already.
    """
    try:
        now = await authenticate(handler)
    except Unavailable:
        return True
    except DS01Error:
        return False
    return now is not None and (now.user, now.role) == (requester.user, requester.role)


@dataclass(frozen=True)
class Served:
    """What the handlers of all listeners share.

    Attributes:
        api: What the API stands on.
        answers: By the operation of their route.
        streams: The same, of routes that answer with events.
        rates: How often somebody may ask.
        listeners: How many streams somebody has.
        sessions: How many commands and tunnels.
        attendance: Ends those of who is not let in any more.
    """

    api: Api
    answers: Mapping[str, Answer]
    streams: Mapping[str, Stream]
    rates: Rates = field(default_factory=Rates)
    listeners: Listeners = field(default_factory=Listeners)
    sessions: Listeners = field(
        default_factory=lambda: Listeners(MOST_SESSIONS, MOST_SESSIONS_OF_ALL, "sessions")
    )
    attendance: Attendance = field(default_factory=Attendance)

    def admit(self, requester: Requester, route: Route) -> None:
        """Return when somebody may ask that now: every way in asks here, the web page's too.

        Raises:
            TooManyRequests: They ask too often.
            Forbidden: It is not for their role.
        """
        self.rates.take(requester.user, route.cost)
        if not requester.may(route.role):
            raise Forbidden(_ONLY[route.role], "Ask an administrator.")

    async def answer(self, route: Route, ask: Ask) -> Wire:
        """What answers a question that was admitted; not of a route that answers with events."""
        value = await self.answers[route.operation](ask)
        assert route.answer is not None  # noqa: S101 - only streams have none
        assert isinstance(value, route.answer)  # noqa: S101 - the table says so
        return value


class ApiHandler(PlainHandler):
    """All rows of the table that have one path."""

    def initialize(
        self, served: Served, routes: Mapping[str, Route], authenticate: Authenticate
    ) -> None:
        """Take what the application was made with."""
        self._served = served
        self._routes = routes
        self._authenticate = authenticate
        self._gone = asyncio.Event()

    def on_connection_close(self) -> None:
        """Nobody waits any more."""
        self._gone.set()

    def not_allowed(self) -> DS01Error:
        """Says what is done here."""
        methods = ", ".join(sorted(self._routes))
        self.set_header("Allow", methods)
        return MethodNotAllowed(
            f"This address does not take {self.request.method}.", f"Use {methods}."
        )

    async def answer(self, *parts: str) -> None:
        """One request, from beginning to end."""
        route = self._routes.get(self.request.method or "")
        try:
            if route is None:
                raise self.not_allowed()
            requester = await self._requester(route)
            ask = self._ask(route, requester, parts)
            if route.stream:
                await self._stream(route, ask)
                return
            body = await self._once(route, ask)
        except DS01Error as exc:
            self.problem(exc)
            return
        self.set_status(route.status)
        self.set_header("Content-Type", "application/json")
        self.finish(body)

    get = post = delete = put = patch = head = options = answer

    async def _stream(self, route: Route, ask: Ask) -> None:
        with self._served.listeners.one_more(ask.requester.user):
            watching = asyncio.ensure_future(self._until_another_asks(ask.requester))
            try:
                events = self._served.streams[route.operation](ask)
                await send_events(self, events, self._gone)
            finally:
                watching.cancel()

    async def _until_another_asks(self, requester: Requester) -> None:
        """End a stream when nobody vouches any more for who began it: they left, or log in anew."""
        while not self._gone.is_set():
            await asyncio.sleep(AGAIN_SECONDS)
            if not await still_asks(self._authenticate, self, requester):
                self._gone.set()

    async def _requester(self, route: Route) -> Requester:
        self.known = requester = await self._authenticate(self)
        if requester is None:
            raise Unauthenticated(
                "You are not logged in.",
                "Send a token (Authorization: token …), or log in to JupyterHub.",
            )
        self._served.admit(requester, route)
        return requester

    def _ask(self, route: Route, requester: Requester, parts: tuple[str, ...]) -> Ask:
        request = self.request
        content_type = request.headers.get("Content-Type", "")
        return Ask(
            id=self.request_id,
            requester=requester,
            parts={
                name: part_of(name, part) for name, part in zip(route.names, parts, strict=True)
            },
            query=query_of(route.query, request.query_arguments),
            body=None if route.body is None else body_of(route.body, content_type, self.body),
            gone=self._gone,
            agent=request.headers.get("User-Agent", ""),
        )

    async def _once(self, route: Route, ask: Ask) -> str:
        """The answer; that of the first time, when the request is a repetition."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None or not route.repeatable:
            return await self._answered(route, ask)
        if not _KEY.fullmatch(key):
            raise InvalidRequest(
                "An Idempotency-Key has 1 to 128 printable characters, no spaces.", "Send a UUID."
            )
        api, user = self._served.api, ask.requester.user
        digest = digest_of(route.operation, ask.parts, ask.query, ask.body)
        kept = await ask.run(api, lambda platform: _repetitions(platform).begin(user, key, digest))
        if kept is not None:
            self.set_header("Idempotent-Replayed", "true")
            return kept.body
        try:
            body = await self._answered(route, ask)
        except BaseException:
            with suppress(Unavailable):
                await ask.run(api, lambda platform: _repetitions(platform).forget(user, key))
            raise
        with suppress(Unavailable):  # it is done, whether it can be written down or not
            await ask.run(
                api,
                lambda platform: _repetitions(platform).keep(
                    user, key, digest, status=route.status, body=body
                ),
            )
        return body

    async def _answered(self, route: Route, ask: Ask) -> str:
        return (await self._served.answer(route, ask)).model_dump_json()


def _repetitions(platform: Platform) -> Repetitions:
    return Repetitions(platform.clock, platform.ledger)
