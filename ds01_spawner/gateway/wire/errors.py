"""Every error as Docker's clients are told it."""

import logging
from http import HTTPStatus
from typing import Final

from ds01_spawner.client.problems import TooLarge, our_fault
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PolicyError,
    Refused,
    Unavailable,
)

_LOG = logging.getLogger("ds01.gateway")


class ClientGone(Exception):
    """The client has gone: there is nobody to answer."""


_STATUS: Final[tuple[tuple[type[DS01Error], HTTPStatus], ...]] = (
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (InvalidRequest, HTTPStatus.BAD_REQUEST),
    (NoCapacity, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (PolicyError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: DS01Error) -> int:
    """The HTTP status of an error; the first kind in the table that it is of."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def told(error: Exception, request_id: str, *, administrator: bool = False) -> tuple[int, str]:
    """What the client is told of an error: status and sentence. What is our fault is logged."""
    if isinstance(error, DS01Error):
        return status_of(error), str(error.told_to(administrator=administrator))
    _LOG.error("request %s failed", request_id, exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, str(our_fault(request_id))
