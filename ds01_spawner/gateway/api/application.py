"""The API as a tornado application: on the Unix socket, and as JupyterHub's service."""

from collections.abc import Iterable, Mapping
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.routing import Matcher
from tornado.web import Application

from ds01_spawner.gateway.api.handler import ApiHandler, Authenticate, Served
from ds01_spawner.gateway.api.openapi import document
from ds01_spawner.gateway.api.plain import DocumentHandler, UnknownHandler
from ds01_spawner.gateway.api.routes import ROUTES, Route

SOCKET_PREFIX = "/ds01"

_THROWN_AWAY_BYTES = 64 * 1024**2
"""So much of a body is read to be able to say that it is too long; none of it is kept."""

_IDLE_SECONDS = 120.0
_BODY_SECONDS = 60.0


def application(  # noqa: PLR0913 - the parts of one listener
    served: Served,
    authenticate: Authenticate,
    prefix: str,
    *,
    handler: type[ApiHandler] = ApiHandler,
    more: Iterable[Any] = (),
    settings: Mapping[str, Any] | None = None,
) -> Application:
    """The API below `prefix`.

    Args:
        served: What answers.
        authenticate: Says who asks.
        prefix: Such as `/ds01`.
        handler: Answers the rows of the table.
        more: Further handlers, as `Application` takes them.
        settings: Of the application.
    """
    described = document(prefix, by_token=prefix != SOCKET_PREFIX)
    return Application(
        [
            (f"{prefix}/openapi.json", DocumentHandler, {"document": described}),
            *_handlers(served, authenticate, prefix, handler),
            *more,
        ],
        default_handler_class=UnknownHandler,
        log_function=lambda _handler: None,
        **(settings or {}),
    )


def http_server(application: Application) -> HTTPServer:
    """Serves the API on TCP, to programs that may be slow or broken."""
    return HTTPServer(
        application,
        max_body_size=_THROWN_AWAY_BYTES,
        body_timeout=_BODY_SECONDS,
        idle_connection_timeout=_IDLE_SECONDS,
    )


def _handlers(
    served: Served, authenticate: Authenticate, prefix: str, handler: type[ApiHandler]
) -> Iterable[tuple[str | Matcher, type[ApiHandler], dict[str, Any]]]:
    """One for each path: what varies is behind what does not."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in sorted(ROUTES, key=lambda route: len(route.names)):
        by_path.setdefault(route.pattern, {})[route.method] = route
    for pattern, routes in by_path.items():
        known = {"served": served, "routes": routes, "authenticate": authenticate}
        yield f"{prefix}{pattern}", handler, known
