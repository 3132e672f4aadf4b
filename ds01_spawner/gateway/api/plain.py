"""What every answer of the API has: an id, safe headers, and errors as problem documents."""

import logging
import uuid
from http import HTTPStatus
from types import TracebackType
from typing import Any

from tornado.web import HTTPError, RequestHandler, stream_request_body

from ds01_spawner.client.models import Problem
from ds01_spawner.client.problems import (
    MEDIA_TYPE,
    MethodNotAllowed,
    our_fault,
    too_large,
)
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NotFound
from ds01_spawner.gateway.api.reading import MOST_BODY_BYTES
from ds01_spawner.gateway.api.requester import Requester, problem_for

_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'"
"""Content security policy of what is no page."""

LOOK = "Everything that may be asked is in openapi.json."
_log = logging.getLogger(__name__)


def set_safe_headers(handler: RequestHandler, policy: str = NOTHING_ELSE) -> None:
    """Put the headers on an answer that keep browsers from making anything else of it."""
    handler.clear_header("Server")
    for name, value in _SAFE_HEADERS.items():
        handler.set_header(name, value)
    handler.set_header("Content-Security-Policy", policy)


@stream_request_body
class PlainHandler(RequestHandler):
    """Knows its request's id, and how to say what went wrong.

    Takes the body itself: tornado would read forms in it, and refuse broken ones in its own words.

    Attributes:
        known: Who asks, as soon as somebody vouches for them.
    """

    request_id = ""
    known: Requester | None = None
    content_policy = NOTHING_ELSE
    _is_too_large = False

    def prepare(self) -> None:
        """Expect a body."""
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        """A part of the body; more than is read of any is thrown away."""
        if self._finished:
            return
        if len(self._body) + len(chunk) > MOST_BODY_BYTES:
            self._body, self._is_too_large = bytearray(), True
        elif not self._is_too_large:
            self._body += chunk

    @property
    def body(self) -> bytes:
        """All of the body.

        Raises:
            TooLarge: There is too much of it.
        """
        if self._is_too_large:
            raise too_large(MOST_BODY_BYTES)
        return bytes(self._body)

    def set_default_headers(self) -> None:
        """On errors, too."""
        self.request_id = self.request_id or uuid.uuid4().hex
        set_safe_headers(self, self.content_policy)
        self.set_header("X-Request-Id", self.request_id)

    def compute_etag(self) -> str | None:
        """None: nothing is kept by anybody."""
        return None

    def problem_of(self, error: DS01Error) -> Problem:
        """What whoever asks is told of `error`."""
        return problem_for(self.known, error, self.request_id)

    def problem(self, error: DS01Error) -> None:
        """Answer with `error`."""
        problem = self.problem_of(error)
        self.set_status(problem.status)
        self.set_header("Content-Type", MEDIA_TYPE)
        if problem.retry_after_seconds is not None:
            self.set_header("Retry-After", f"{problem.retry_after_seconds:.0f}")
        if problem.status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'Bearer realm="ds01"')
        self.finish(problem.model_dump_json(exclude_defaults=True))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What tornado refuses, and what is our fault."""
        cause = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(cause, DS01Error):
            self.problem(cause)
        elif status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.problem(self.not_allowed())
        elif status_code == HTTPStatus.NOT_FOUND:
            self.problem(NotFound("There is nothing at this address.", LOOK))
        elif status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.problem(InvalidRequest("The request cannot be read.", LOOK))
        else:
            self.problem(our_fault(self.request_id))

    def not_allowed(self) -> DS01Error:
        """Why this method is not answered."""
        return MethodNotAllowed(f"This address does not take {self.request.method}.", LOOK)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Only what is our fault, with the request's id."""
        if typ is None or value is None or isinstance(value, HTTPError | DS01Error):
            return
        _log.error("Request %s failed", self.request_id, exc_info=(typ, value, tb))


class UnknownHandler(PlainHandler):
    """What is not in the table."""

    def prepare(self) -> None:
        """It is not there, whoever asks."""
        raise HTTPError(404)


class DocumentHandler(PlainHandler):
    """The description of the API, for anybody: there is nothing of anybody's in it."""

    def initialize(self, document: bytes) -> None:
        """Take what is served."""
        self._document = document

    def get(self) -> None:
        """Send the description."""
        self.set_header("Content-Type", "application/json")
        self.finish(self._document)

    def not_allowed(self) -> DS01Error:
        """It is read only."""
        self.set_header("Allow", "GET")
        return super().not_allowed()
