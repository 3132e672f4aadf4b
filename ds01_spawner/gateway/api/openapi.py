"""The OpenAPI 3.1 document, made from the table of routes. Pure.

https://spec.openapis.org/oas/v3.1.0.html
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from ds01_spawner import __version__
from ds01_spawner.client.models import ExecRequest, Problem, Wire
from ds01_spawner.client.problems import MEDIA_TYPE
from ds01_spawner.gateway.api.reading import LONGEST_PART
from ds01_spawner.gateway.api.routes import EVERY_STATUS, ROUTES, Route

_WORDS = {
    400: "The request makes no sense.",
    401: "You are not logged in.",
    403: "It is not allowed, or a limit is reached.",
    404: "There is no such thing, or it is somebody else's.",
    405: "This address does not take the method.",
    409: "Something is in the way, or everything that would do is in use.",
    413: "The request is too large.",
    429: "You ask too often; Retry-After says when to ask again.",
    503: "A part does not answer; try again.",
}
_SCHEMES = {"token": {"type": "http", "scheme": "bearer", "description": "A token of the hub's."}}
_TUNNEL: dict[str, Any] = {
    "operationId": "openTunnel",
    "summary": "A websocket to the SSH server of your container.",
    "description": "Binary messages are what ssh says and hears. Needs a token, no cookie.",
    "parameters": [
        {
            "name": "name",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_PART},
        }
    ],
    "responses": {
        "101": {"description": "It is one."},
        **{
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in (400, 401, 403, 404, 409, 429, 503)
        },
    },
    "x-minimum-role": "student",
}
_EXEC: dict[str, Any] = {
    **_TUNNEL,
    "operationId": "runCommand",
    "summary": "A websocket to a command that is run in your container.",
    "description": "The first message is text, an ExecRequest. Then binary messages are input; "
    'text ones {"resize": [rows, columns]} or {"end_input": true}. Back come {} when it runs, '
    'binary messages whose first byte is 1 for output and 2 for errors, and last {"exit": code} '
    "or a Problem. To close it does not end the command. Needs a token, no cookie.",
    "x-first-message": {"$ref": "#/components/schemas/ExecRequest"},
}
_ABOUT = """\
What a person has and may do on this server, for programs. Errors are problem documents (RFC 9457)
with a sentence on what to do next. Lists that grow come in pages: give `next` as `cursor`.
"""


@cache
def document(prefix: str, *, by_token: bool) -> bytes:
    """The document of the API below `prefix`, as JSON.

    Args:
        prefix: Such as `/ds01`.
        by_token: Whether a token says who asks; else the kernel does.
    """
    described = description(prefix, by_token=by_token)
    return json.dumps(described, indent=1, ensure_ascii=False).encode()


def description(prefix: str, *, by_token: bool) -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    if by_token:
        paths["/ssh/tunnel/{name}"] = {"get": _TUNNEL}
        paths["/containers/{name}/exec"] = {"get": _EXEC}
    return {
        "openapi": "3.1.0",
        "info": {"title": "DS01", "version": __version__, "description": _ABOUT},
        "servers": [{"url": prefix}],
        "security": [{"token": []}] if by_token else [],
        "paths": paths,
        "components": {
            "schemas": _schemas(ROUTES, {ExecRequest} if by_token else set()),
            "responses": {str(status): _problem(status) for status in _WORDS},
            "securitySchemes": _SCHEMES if by_token else {},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": f"For the role {route.role.value}, and those above it.",
        "parameters": [*_parts(route), *_query(route), *_headers(route)],
        "responses": {
            str(route.status): _success(route),
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in sorted({*EVERY_STATUS, *route.errors})
            },
        },
        "x-minimum-role": route.role.value,
    }
    if route.body is not None:
        described["requestBody"] = {
            "required": bool(route.body.model_json_schema().get("required")),
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return described


def _success(route: Route) -> dict[str, Any]:
    headers = {"X-Request-Id": {"schema": {"type": "string"}}}
    if route.stream:
        names = ", ".join(name for name, _ in route.stream)
        return {
            "description": f"Events: {names}.",
            "headers": headers,
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "x-events": {name: _ref(model) for name, model in route.stream},
                }
            },
        }
    assert route.answer is not None  # noqa: S101 - only streams have none
    return {
        "description": (route.answer.__doc__ or "").strip().partition("\n")[0],
        "headers": headers,
        "content": {"application/json": {"schema": _ref(route.answer)}},
    }


def _problem(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
    }
    if status == 429:  # noqa: PLR2004 - RFC 6585
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return described


def _parts(route: Route) -> Iterable[dict[str, Any]]:
    for name in route.names:
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_PART}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(route: Route) -> Iterable[dict[str, Any]]:
    for name, schema in route.query.model_json_schema().get("properties", {}).items():
        kinds = [kind for kind in schema.pop("anyOf", ()) if kind.get("type") != "null"]
        found = {**schema, **(kinds[0] if kinds else {})}
        words = found.pop("description", "")
        if found.get("default", "") is None:
            del found["default"]
        yield {
            "name": name,
            "in": "query",
            "required": False,
            "description": words,
            "schema": {key: value for key, value in found.items() if key != "title"},
        }


def _headers(route: Route) -> Iterable[dict[str, Any]]:
    if route.repeatable:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Repeated with it, a request is answered as the first was, for a day.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
        }


def _schemas(routes: Iterable[Route], more: set[type[Wire]]) -> Mapping[str, Any]:
    sent = {route.body for route in routes if route.body is not None} | more
    told = {route.answer for route in routes if route.answer is not None} | {Problem}
    told |= {model for route in routes for _, model in route.stream}
    inputs: list[tuple[type[Wire], Any]] = [(model, "validation") for model in sent]
    inputs += [(model, "serialization") for model in told]
    inputs.sort(key=lambda each: each[0].__name__)
    _, definitions = models_json_schema(inputs, ref_template="#/components/schemas/{model}")
    found: Mapping[str, Any] = definitions["$defs"]
    return found


def _ref(model: type[Wire]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
