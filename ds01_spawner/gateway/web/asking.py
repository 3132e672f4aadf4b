"""The one way from a page to data: the API's questions, with the API's checks."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from ds01_spawner.client.models import Wire
from ds01_spawner.gateway.api.ask import Ask, StreamEvent
from ds01_spawner.gateway.api.handler import Served
from ds01_spawner.gateway.api.reading import body_of, part_of, query_of
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.api.routes import ROUTES, Route
from ds01_spawner.operations.allocation.observe import AT_ONCE

W = TypeVar("W", bound=Wire)

_ROUTES = {route.operation: route for route in ROUTES if not route.stream}
_STREAMS = {route.operation: route for route in ROUTES if route.stream}
_JSON = "application/json"
BEGINNING_SECONDS = 2.0
"""What is refused at all is mostly refused within this time of its first step."""


class Questions:
    """Asks in the name of one person, during one request of theirs.

    Args:
        served: What answers.
        requester: Who asks.
        request_id: Of the browser's request; names it in the audit log.
        gone: Set when nobody waits any more.
        agent: The browser, as it says of itself.
        max_age: How old what is read may be.
    """

    def __init__(  # noqa: PLR0913 - the parts of a request
        self,
        served: Served,
        requester: Requester,
        request_id: str,
        *,
        gone: asyncio.Event | None = None,
        agent: str = "",
        max_age: timedelta = AT_ONCE,
    ) -> None:
        self._served = served
        self._requester = requester
        self._id = request_id
        self._gone = gone or asyncio.Event()
        self._agent = agent
        self._max_age = max_age
        self._read: dict[str, Wire] = {}

    async def __call__(  # noqa: PLR0913 - the parts of a question
        self,
        operation: str,
        answer: type[W],
        *,
        parts: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        max_age: timedelta | None = None,
    ) -> W:
        """The answer to one question; a question that only reads is asked once.

        Args:
            operation: As the API's table calls it; none that answers with events.
            answer: What it answers.
            parts: The variable parts of the path.
            query: Parameters, as an address says them.
            body: What is sent.
            max_age: How old what is read for it may be; that of the visit, unless it is said.

        Raises:
            DS01Error: What the API would answer instead.
        """
        route = _ROUTES[operation]
        key = json.dumps([operation, parts or {}, query or {}], sort_keys=True)
        reads = route.method == "GET"
        found = self._read.get(key) if reads else None
        if found is None:
            asked = self._admitted(route, parts, query, body)
            if max_age is not None:
                asked = replace(asked, max_age=max_age)
            found = await self._served.answer(route, asked)
            if reads:
                self._read[key] = found
        assert isinstance(found, answer)  # noqa: S101 - the table says so
        return found

    async def begin(
        self, operation: str, body: Mapping[str, object], goes_on: Callable[[StreamEvent], bool]
    ) -> None:
        """Begin something that goes on when nobody listens; returns when it does, or soon after.

        Args:
            operation: As the API's table calls it; one that answers with events.
            body: What is sent.
            goes_on: Whether an event says that it was not refused.

        Raises:
            DS01Error: It was refused.
        """
        route = _STREAMS[operation]
        events = self._served.streams[operation](self._admitted(route, None, None, body))
        patience: float | None = None
        while True:
            try:
                event = await asyncio.wait_for(anext(events, None), patience)
            except TimeoutError:
                return
            if event is None or goes_on(event):
                break
            patience = BEGINNING_SECONDS
        if isinstance(events, AsyncGenerator):
            await events.aclose()

    def _admitted(
        self,
        route: Route,
        parts: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
    ) -> Ask:
        """The question, of somebody who may ask it now."""
        self._served.admit(self._requester, route)
        return Ask(
            id=self._id,
            requester=self._requester,
            parts={name: part_of(name, (parts or {}).get(name, "")) for name in route.names},
            query=query_of(
                route.query, {name: [text.encode()] for name, text in (query or {}).items()}
            ),
            body=(
                None
                if route.body is None
                else body_of(route.body, _JSON, json.dumps(body or {}).encode())
            ),
            gone=self._gone,
            agent=self._agent,
            max_age=self._max_age,
        )

    def answer_of(self, operation: str) -> type[Wire]:
        """What an operation answers."""
        answer = _ROUTES[operation].answer
        assert answer is not None  # noqa: S101 - only streams have none
        return answer
