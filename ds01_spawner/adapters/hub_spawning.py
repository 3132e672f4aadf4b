"""One person's servers through JupyterHub's REST API, on the event loop: starts take a while."""

import json
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from ds01_spawner.adapters.hub_api import (
    OUT_OF_SCOPE,
    RUNS_ALREADY,
    called,
    check_start,
    message_in,
    moment_of,
    server_path,
)
from ds01_spawner.domain.errors import Conflict, DS01Error, NotFound, Refused, Unavailable
from ds01_spawner.domain.refusal_facts import HEADER, KEY, error_from
from ds01_spawner.ports import HubStep, ServerAtHub, ServerState

READ_SECONDS = 10.0
START_SECONDS = 30.0
"""The hub answers when the server is ready, or after its `slow_spawn_timeout` of 10 s."""

SILENCE_SECONDS = 30.0
"""The hub sends something every 8 s while a server starts."""

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=20)
_FAILED = "Spawn failed"
_CANCELLED = "Spawn cancelled"
_OTHER_STEP = "start"
"""What a step of a spawner that names none is called."""


def hub_spawning_from(environment: Mapping[str, str]) -> "HubSpawningApi | None":
    """The hub that `JUPYTERHUB_API_URL` and `JUPYTERHUB_API_TOKEN` name; `None` without them."""
    url = environment.get("JUPYTERHUB_API_URL")
    token = environment.get("JUPYTERHUB_API_TOKEN")
    return HubSpawningApi(url, token) if url and token else None


class HubSpawningApi:
    """The `HubSpawning` port. Belongs to one event loop.

    Args:
        url: The hub's API, such as `http://127.0.0.1:8081/hub/api`.
        token: A token with the scopes `read:servers` and `servers`.
        transport: Instead of the network, for tests.
    """

    def __init__(
        self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/",
            headers={"Authorization": f"token {token}"},
            transport=transport,
            limits=_LIMITS,
            trust_env=False,
        )

    async def servers(self, user: str) -> Mapping[str, ServerAtHub]:
        """Every server of one person, by name."""
        path = server_path(user, "").removesuffix("/server")
        query = {"include_stopped_servers": "1"}
        answer = await self._asked("GET", path, READ_SECONDS, params=query)
        message = message_in(answer.content)
        if answer.status_code == HTTPStatus.NOT_FOUND and message is not None:
            raise NotFound("JupyterHub does not know you yet.", "Log in to it once in a browser.")
        if answer.status_code != HTTPStatus.OK:
            raise Unavailable(
                f"The hub does not tell {user}'s servers: {answer.status_code} {message or ''}."
            )
        try:
            return {name: _server(name, each) for name, each in answer.json()["servers"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise Unavailable(f"The hub does not tell {user}'s servers: {exc}.") from exc

    async def start(self, user: str, server: str, options: Mapping[str, object]) -> None:
        """Start a server with these options."""
        path = server_path(user, server)
        body = {"user_options": dict(options)}
        answer = await self._asked("POST", path, START_SECONDS, json=body)
        message = message_in(answer.content)
        if answer.status_code == HTTPStatus.BAD_REQUEST and (message or "").endswith(RUNS_ALREADY):
            raise Conflict("This server runs already.", "Open it, or stop it first.")
        check_start(user, server, answer.status_code, message, answer.headers.get(HEADER))

    async def steps(self, user: str, server: str) -> AsyncGenerator[HubStep, None]:
        """What a start says, until the server is ready."""
        path = f"{server_path(user, server)}/progress"
        timeout = httpx.Timeout(READ_SECONDS, read=SILENCE_SECONDS)
        refusal: DS01Error | None = None
        try:
            async with self._http.stream("GET", _below(path), timeout=timeout) as answer:
                if answer.status_code != HTTPStatus.OK:
                    message = message_in(await answer.aread())
                    raise _not_starting(user, server, answer.status_code, message)
                async for line in answer.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    event = json.loads(line.removeprefix("data:"))
                    if event.get("ready"):
                        return
                    if event.get("failed"):
                        raise refusal or Refused(_why(str(event.get("message") or "")))
                    if KEY in event:
                        refusal = error_from(event[KEY])
                    else:
                        yield _step(event)
        except httpx.HTTPError as exc:
            raise _silent(path, exc) from exc
        except (ValueError, TypeError, AttributeError) as exc:
            raise Unavailable(f"What the hub says of a start cannot be read: {exc}.") from exc
        raise Unavailable("The hub broke off before the server was ready.", "Look again.")

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.aclose()

    async def _asked(
        self, method: str, path: str, seconds: float, **content: Any
    ) -> httpx.Response:
        try:
            return await self._http.request(method, _below(path), timeout=seconds, **content)
        except httpx.HTTPError as exc:
            raise _silent(path, exc) from exc


def _below(path: str) -> str:
    return path.removeprefix("/")


def _silent(path: str, exc: httpx.HTTPError) -> Unavailable:
    return Unavailable(f"The hub does not answer {path}: {exc or type(exc).__name__}.")


def _not_starting(user: str, server: str, status: int, message: str | None) -> Unavailable:
    if message is not None and OUT_OF_SCOPE in message:
        return Unavailable(
            f"The hub does not tell how {called(user, server)} starts.",
            "Give this service's token the scope read:servers.",
        )
    return Unavailable(f"{called(user, server)} does not start: {message or status}.")


def _why(message: str) -> str:
    """The spawner's own sentence, without the hub's words before it."""
    text = message.removeprefix(f"{_FAILED}:").strip()
    if text == _CANCELLED:
        return "The start was cancelled."
    return text if text and text != _FAILED else "The server did not start."


def _step(event: Mapping[str, Any]) -> HubStep:
    return HubStep(
        name=str(event.get("step") or _OTHER_STEP),
        text=str(event.get("message") or ""),
        place=int(event.get("place") or 0),
        length=int(event.get("length") or 0),
        reason=str(event.get("reason") or ""),
        wait_seconds=float(wait) if (wait := event.get("wait_seconds")) else None,
    )


def _server(name: str, model: Mapping[str, Any]) -> ServerAtHub:
    options = model.get("user_options")
    return ServerAtHub(
        name=name,
        title=str(model.get("display_name") or name),
        state=_state(model),
        url=str(model.get("full_url") or model["url"]),
        options=options if isinstance(options, dict) else {},
        started_at=moment_of(model.get("started")),
    )


def _state(model: Mapping[str, Any]) -> ServerState:
    pending = model.get("pending")
    if pending == "stop":
        return ServerState.STOPPING
    if pending == "spawn":
        return ServerState.STARTING
    if model.get("stopped"):
        return ServerState.STOPPED
    return ServerState.RUNNING if model.get("ready") is True else ServerState.STARTING
