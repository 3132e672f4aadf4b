"""Who asks for a websocket: decided, and refused in the API's words, before there is one."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from tornado.websocket import WebSocketHandler

from ds01_spawner.client.models import Role
from ds01_spawner.client.problems import MEDIA_TYPE, Unauthenticated, our_fault
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest
from ds01_spawner.gateway.api.handler import Authenticate, Served
from ds01_spawner.gateway.api.requester import Requester, problem_for
from ds01_spawner.gateway.identity import Caller

COST = 5
_NOT_ALLOWED = 1008
"""Policy violation (RFC 6455, section 7.4.1)."""


class TokenSocket(WebSocketHandler):
    """A websocket for who has a token.

    Attributes:
        what: Begins the sentence that refuses who has none.
        program: What connects to it.
        known: Who asks, as soon as somebody vouches for them.
    """

    what: ClassVar[str]
    program: ClassVar[str]
    known: Requester | None = None

    def prepare_for(self, served: Served, authenticate: Authenticate) -> None:
        """Take what the application was made with."""
        self._served = served
        self._authenticate = authenticate
        self.request_id = uuid.uuid4().hex

    def set_default_headers(self) -> None:
        """Nothing is kept by anybody."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")

    async def requester(self) -> Requester:
        """Who asks, if they may.

        Raises:
            InvalidRequest: It is no websocket.
            Unauthenticated: Nobody says who asks.
            Forbidden: A cookie does, and no token.
            Refused: They ask too often.
        """
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise InvalidRequest("This is a websocket.", f"Connect with {self.program}.")
        self.known = requester = await self._authenticate(self)
        if requester is None:
            raise Unauthenticated("You are not logged in.", "Send a token.")
        # A page of somebody else's server in the same browser may open websockets.
        if not getattr(self, "_token_authenticated", False):
            raise Forbidden(f"{self.what} needs a token.", "Send Authorization: token ….")
        self._served.rates.take(requester.user, COST)
        assert requester.may(Role.STUDENT)  # noqa: S101 - everybody is
        return requester

    @contextmanager
    def session(self, caller: Caller) -> Iterator[None]:
        """It goes on meanwhile, as one of those that somebody may have, while they are let in.

        Raises:
            TooManyRequests: They have too many.
        """
        with (
            self._served.sessions.one_more(caller.user),
            self._served.attendance.attending(caller, self._cut),
        ):
            yield

    def _cut(self) -> None:
        self.close(_NOT_ALLOWED, "Your account is closed.")
        self.on_close()

    def refuse(self, error: DS01Error) -> None:
        """Answer with a problem document instead of a websocket."""
        problem = problem_for(self.known, error, self.request_id)
        self.set_status(problem.status)
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(problem.model_dump_json(exclude_defaults=True))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """What tornado refuses, and what is our fault."""
        known = InvalidRequest("The request cannot be read.")
        is_theirs = status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        self.refuse(known if is_theirs else our_fault(self.request_id))
