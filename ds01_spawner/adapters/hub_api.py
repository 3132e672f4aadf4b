"""JupyterHub's REST API with a service's token."""

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import requests

from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.labels import parse_timestamp
from ds01_spawner.domain.people import HubEntry
from ds01_spawner.domain.refusal_facts import HEADER, error_in_header
from ds01_spawner.ports import HubServer

SCOPES = "list:users, read:users:activity, read:servers, delete:servers"
"""What the token needs; never `admin`."""

_REMOVING = frozenset({"delete:users", "admin:users"})
_REMOVER = "It needs a token with the scopes read:users:name, delete:users: docs/people.md."

_PAGE = 200
"""`JupyterHub.api_page_max_limit`; the hub cuts what is more."""

_PAGINATED = "application/jupyterhub-pagination+json"
OUT_OF_SCOPE = "No access to resources"
"""How the hub says 404 to a token whose scope is for others' servers (jupyterhub/scopes.py)."""

RUNS_ALREADY = "is already running"


def hub_from(environment: Mapping[str, str]) -> "HubApi | None":
    """The hub that `JUPYTERHUB_API_URL` and `JUPYTERHUB_API_TOKEN` name; `None` without them."""
    url = environment.get("JUPYTERHUB_API_URL")
    token = environment.get("JUPYTERHUB_API_TOKEN")
    return HubApi(url, token) if url and token else None


def environment_in(file: Path) -> Mapping[str, str]:
    """What a systemd `EnvironmentFile` sets; nothing where it cannot be read.

    https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#EnvironmentFile=
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith(("#", ";")))
    return {name.strip(): value.strip().strip("\"'") for name, sign, value in pairs if sign}


class HubApi:
    """The ports `HubClient` and `HubPeople`. Safe to use from many threads.

    Args:
        url: The hub's API, such as `http://127.0.0.1:8081/hub/api`.
        token: A token with `SCOPES`.
        timeout_seconds: Deadline of one request.
        stop_seconds: Deadline of a request to stop: the hub answers once the server has stopped,
            or after its `slow_stop_timeout` of 10 s.
    """

    def __init__(
        self, url: str, token: str, *, timeout_seconds: float = 10.0, stop_seconds: float = 30.0
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._stop_seconds = stop_seconds
        self._headers = {"Authorization": f"token {token}", "Accept": _PAGINATED}
        self._of_thread = threading.local()

    def servers(self) -> Mapping[tuple[str, str], HubServer]:
        """Every server that is ready, starting or stopping; one request for 200 active users."""
        try:
            return {
                (user["name"], name): _server(user["name"], name, model)
                for user in self._users()
                for name, model in user["servers"].items()
                if not model.get("stopped")
            }
        except (KeyError, TypeError, AttributeError) as exc:
            # Without the scope the hub leaves the key out: that is not "no servers".
            raise without_scope("The hub does not tell which servers it has.") from exc

    def stop(self, user: str, server: str) -> None:
        """Have the hub stop a server; one that it stops already, or does not have, is stopped.

        The hub breaks off a start: whoever does not want that looks at `ready` before.
        """
        path = server_path(user, server)
        answer = self._request("DELETE", path, self._stop_seconds)
        status, message = answer.status_code, _message(answer)
        if status in {HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}:
            return
        if status == HTTPStatus.NOT_FOUND and message is not None:
            if OUT_OF_SCOPE in message:
                raise without_scope(
                    f"The hub does not let this service stop {called(user, server)}."
                )
            return
        if status == HTTPStatus.BAD_REQUEST:
            raise Conflict(f"The hub does not stop {called(user, server)} now: {message}.")
        self._check(answer, path)
        raise Unavailable(f"The hub answers {path} with {status}, which is no answer to a stop.")

    def start(self, user: str, server: str) -> None:
        """Have the hub start a server with the options it had; one that runs already stays."""
        path = server_path(user, server)
        answer = self._request("POST", path, self._stop_seconds)
        status, message = answer.status_code, _message(answer)
        if status == HTTPStatus.BAD_REQUEST and (message or "").endswith(RUNS_ALREADY):
            return
        check_start(user, server, status, message, answer.headers.get(HEADER))

    def entry(self, user: str) -> HubEntry:
        """What the hub has of somebody, and whether this token may remove it."""
        granted = self._get("/user").get("scopes") or ()
        is_removable = any(str(each).partition("!")[0] in _REMOVING for each in granted)
        path = _path_of_user(user)
        answer = self._request("GET", path, self._timeout)
        message = _message(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND and message is not None:
            if OUT_OF_SCOPE in message:
                raise Unavailable(f"The hub does not tell this service of {user}.", _REMOVER)
            return HubEntry(is_known=False, is_removable=is_removable)
        self._check(answer, path)
        return HubEntry(is_known=True, is_removable=is_removable)

    def remove_entry(self, user: str) -> None:
        """Take somebody out of the hub's list; their tokens and logins end with that."""
        path = _path_of_user(user)
        answer = self._request("DELETE", path, self._stop_seconds)
        status, message = answer.status_code, _message(answer)
        if status == HTTPStatus.NO_CONTENT:
            return
        if message is not None:
            if status == HTTPStatus.BAD_REQUEST:
                raise Conflict(f"The hub does not remove {user} now: {message}.", "Do it again.")
            if status == HTTPStatus.FORBIDDEN or OUT_OF_SCOPE in message:
                raise Unavailable(f"The hub does not let this service remove {user}.", _REMOVER)
            if status == HTTPStatus.NOT_FOUND:
                return
        raise Unavailable(f"The hub answers {path} with {status}, which is no answer to a removal.")

    @property
    def _session(self) -> requests.Session:
        """The thread's own: `requests` does not say that one may be shared."""
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            self._of_thread.session = session = requests.Session()
            session.trust_env = False
            session.headers.update(self._headers)
        return session

    def _users(self) -> Iterator[dict[str, Any]]:
        """Users with such servers, however many pages that takes."""
        offset: int | None = 0
        while offset is not None:
            page = self._get("/users", state="active", offset=offset, limit=_PAGE)
            yield from page["items"]
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        answer = self._request("GET", path, self._timeout, **query)
        self._check(answer, path)
        try:
            found: dict[str, Any] = answer.json()
        except ValueError as exc:
            raise Unavailable(f"The hub's answer to {path} cannot be read: {exc}.") from exc
        return found

    def _request(
        self, method: str, path: str, seconds: float, **query: object
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self._url}{path}",
                params={key: str(value) for key, value in query.items()},
                timeout=seconds,
                allow_redirects=False,
            )
        except requests.RequestException as exc:
            raise Unavailable(f"The hub does not answer {path}: {exc}.") from exc

    def _check(self, answer: requests.Response, path: str) -> None:
        if answer.status_code == HTTPStatus.FORBIDDEN:
            raise without_scope(f"The hub refuses {path}: {_message(answer)}.")
        if answer.status_code != HTTPStatus.OK:
            raise Unavailable(
                f"The hub does not answer {path}:"
                f" {answer.status_code} {_message(answer) or answer.reason or ''}".rstrip()
                + "."
            )


def _path_of_user(user: str) -> str:
    return f"/users/{quote(user, safe='')}"


def server_path(user: str, server: str) -> str:
    """Where the hub's API has a server."""
    place = f"servers/{quote(server, safe='')}" if server else "server"
    return f"{_path_of_user(user)}/{place}"


def called(user: str, server: str) -> str:
    """A server in words."""
    return f"{user}'s server {server}" if server else f"{user}'s default server"


def check_start(
    user: str, server: str, status: int, message: str | None, refusal: str | None = None
) -> None:
    """Return when the hub starts a server; raise why it does not.

    Args:
        user: Whose.
        server: Which.
        status: Of the hub's answer.
        message: What it says; `None` where it is not the hub that answers.
        refusal: The header in which the spawner says the same with figures.
    """
    if status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
        return
    if message is None:
        path = server_path(user, server)
        raise Unavailable(f"The hub answers {path} with {status}, which is no answer.")
    if OUT_OF_SCOPE in message or "scopes" in message:
        raise Unavailable(
            f"The hub does not let this service start {called(user, server)}.",
            "Give this service's token the scope servers.",
        )
    told = error_in_header(refusal)
    if told is not None:
        raise told
    _refuse_start(status, message)


def _refuse_start(status: int, message: str) -> NoReturn:
    """Raise what the spawner said."""
    text = f"{message}."
    match status:
        case HTTPStatus.BAD_REQUEST if "is pending" in message:
            raise Conflict(text, "Try again in a moment.")
        case HTTPStatus.BAD_REQUEST:
            raise InvalidRequest(text)
        case HTTPStatus.FORBIDDEN:
            raise Forbidden(text)
        case HTTPStatus.NOT_FOUND:
            raise NotFound(text)
        case HTTPStatus.CONFLICT:
            raise Conflict(text)
        case _:
            raise Unavailable(f"The hub does not start the server: {text}")


def _server(user: str, name: str, model: Mapping[str, Any]) -> HubServer:
    ready = model["ready"] is True and model.get("pending") is None
    return HubServer(user, name, ready, moment_of(model.get("last_activity")))


def moment_of(text: object) -> datetime | None:
    """A time as the hub writes it; `None` where there is none."""
    if not isinstance(text, str):
        return None
    moment = parse_timestamp(text)
    return None if moment is None else moment.astimezone(UTC)


def _message(answer: requests.Response) -> str | None:
    """What the hub says of an error; `None` when it is not the hub that answers."""
    return message_in(answer.content)


def message_in(body: bytes) -> str | None:
    """The same, of an answer's body."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return str(said.get("message") or "")[:500].rstrip(".") if isinstance(said, dict) else None


def without_scope(message: str) -> Unavailable:
    """The service's token may not ask this."""
    return Unavailable(message, f"Give this service's token the scopes {SCOPES}.")
