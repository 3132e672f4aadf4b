"""The API, typed: what it answers are models, what it refuses are the platform's own errors."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Wire
from ds01_spawner.client.problems import MEDIA_TYPE, error_of
from ds01_spawner.client.sse import read_events
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.units import format_duration

M = TypeVar("M", bound=Wire)

READ_SECONDS = 60.0
DEED_SECONDS = 180.0
"""Stopping waits until the container has stopped."""

SILENCE_SECONDS = 60.0
"""The server says something on a stream every 15 s."""


class Client:
    """Speaks to one API; safe to share between threads. Close it, or use it in a `with`.

    Args:
        http: Knows where the API is and who asks; see `places`.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def me(self) -> m.Me:
        """Who asks, what they may use, and what they have."""
        return self._get("/me", m.Me)

    def notices(self, user: str | None = None) -> Iterator[m.Notice]:
        """What somebody was told, the newest first; pages are fetched as they are needed."""
        for page in self._pages("/notices", m.Notices, user=user):
            yield from page.notices

    def containers(self, *, user: str | None = None, everybody: bool = False) -> m.Containers:
        """One's own; somebody's, or everybody's, for managers."""
        return self._get("/containers", m.Containers, user=user, all=everybody or None)

    def container(self, name: str, *, user: str | None = None) -> m.Container:
        """One container."""
        return self._get(_of(name), m.Container, user=user)

    def start(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Start a stopped container."""
        return self._post(f"{_of(name)}/start", m.Container, key=key, user=user)

    def stop(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Stop a container; it keeps its GPU for a while."""
        return self._post(f"{_of(name)}/stop", m.Container, key=key, user=user)

    def retire(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Removed:
        """Stop a container and remove it: its GPU is free at once."""
        return self._post(f"{_of(name)}/retire", m.Removed, key=key, user=user)

    def extend(
        self,
        name: str,
        duration: timedelta | None = None,
        *,
        user: str | None = None,
        key: str | None = None,
    ) -> m.Extended:
        """Keep a container running although nobody uses it, as long as is allowed or shorter."""
        text = None if duration is None else format_duration(duration)
        body = m.ExtendRequest(duration=text)
        return self._post(f"{_of(name)}/extend", m.Extended, body, key=key, user=user)

    def logs(self, name: str, lines: int = 200, *, user: str | None = None) -> m.Logs:
        """The last lines of a container's output."""
        return self._get(f"{_of(name)}/logs", m.Logs, lines=lines, user=user)

    def follow_logs(
        self, name: str, lines: int = 200, *, user: str | None = None
    ) -> Iterator[m.LogText | m.LogEnd]:
        """The last lines of a container's output, then what it says, and how it ends."""
        models: dict[str, type[m.LogText | m.LogEnd]] = {"log": m.LogText, "end": m.LogEnd}
        for event in self._events(f"{_of(name)}/logs/events", models, lines=lines, user=user):
            if not isinstance(event, m.LogText) or event.text:
                yield event

    def gpus(self) -> m.Gpus:
        """Every GPU slot."""
        return self._get("/gpus", m.Gpus)

    def queue(self, user: str | None = None) -> m.Queue:
        """One's own places in the queue; all of them for managers."""
        return self._get("/queue", m.Queue, user=user)

    def follow_queue(self) -> Iterator[m.Queue]:
        """One's own places in the queue, now and whenever one changes."""
        yield from self._events("/queue/events", {"queue": m.Queue})

    def leave_queue(self, ticket: str) -> m.Removed:
        """Give a place in the queue up."""
        return self._delete(f"/queue/{quote(ticket, safe='')}", m.Removed)

    def images(self) -> m.Images:
        """What one may start."""
        return self._get("/images", m.Images)

    def delete_image(self, name: str) -> m.Removed:
        """Delete an image of one's own."""
        return self._delete(f"/images/{quote(name, safe='')}", m.Removed)

    def build(self, wanted: m.BuildRequest, *, key: str | None = None) -> m.Build:
        """Begin to build an image; `follow_build` says how it goes on."""
        return self._post("/images/builds", m.Build, wanted, key=key)

    def builds(self) -> m.BuildList:
        """One's builds, the newest first."""
        return self._get("/images/builds", m.BuildList)

    def follow_build(self, build: str) -> Iterator[m.BuildLog | m.Build]:
        """Parts of its log as they come, and last the build as it ended."""
        path = f"/images/builds/{quote(build, safe='')}/events"
        models: dict[str, type[m.BuildLog | m.Build]] = {"log": m.BuildLog, "end": m.Build}
        yield from self._events(path, models)

    def cancel_build(self, build: str) -> m.Build:
        """End a build."""
        return self._delete(f"/images/builds/{quote(build, safe='')}", m.Build)

    def events(
        self,
        *,
        user: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Iterator[m.AuditEvent]:
        """The audit log, the newest first; pages are fetched as they are needed.

        Args:
            user: Whom they concern; for managers.
            action: Such as `cleanup.*`.
            since: RFC 3339.
            until: RFC 3339.
        """
        asked = {"user": user, "action": action, "since": since, "until": until}
        for page in self._pages("/events", m.Events, **asked):
            yield from page.events

    def explain_policy(self, user: str | None = None) -> m.PolicyExplanation:
        """Limits, and what says so."""
        return self._get("/policy/explain", m.PolicyExplanation, user=user)

    def preview_policy(self, text: str) -> m.Preview:
        """Who an edited policy file would change, and how."""
        return self._post("/policy/preview", m.Preview, m.PreviewRequest(text=text))

    def ssh_keys(self) -> m.SshKeys:
        """One's SSH keys."""
        return self._get("/ssh-keys", m.SshKeys)

    def add_ssh_key(self, line: str, *, key: str | None = None) -> m.SshKey:
        """Add an SSH key: one line of a `.pub` file."""
        return self._post("/ssh-keys", m.SshKey, m.SshKeyRequest(key=line), key=key)

    def remove_ssh_key(self, id_or_fingerprint: str) -> m.Removed:
        """Remove an SSH key."""
        return self._delete(f"/ssh-keys/{quote(id_or_fingerprint, safe='')}", m.Removed)

    def people(self) -> Iterator[m.Person]:
        """Everybody the platform knows, by name; pages are fetched as they are needed."""
        for page in self._pages("/admin/people", m.People):
            yield from page.people

    def reconcile(self, *, dry_run: bool = False) -> m.Reconciliation:
        """Remove what a crash left behind."""
        return self._post("/admin/reconcile", m.Reconciliation, dry_run=dry_run)

    def health(self) -> m.Health:
        """Whether every part answers."""
        return self._get("/admin/health", m.Health)

    def _get(self, path: str, model: type[M], **query: object) -> M:
        return self._ask("GET", path, model, query=query)

    def _delete(self, path: str, model: type[M]) -> M:
        return self._ask("DELETE", path, model)

    def _post(
        self,
        path: str,
        model: type[M],
        body: Wire | None = None,
        *,
        key: str | None = None,
        **query: object,
    ) -> M:
        """Do something.

        Args:
            path: To what.
            model: Of the answer.
            body: What is sent.
            key: Makes a repetition of the request answer what the first did.
            query: Parameters.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._ask("POST", path, model, query=query, body=body, headers=headers)

    def _pages(self, path: str, model: type[M], **query: object) -> Iterator[M]:
        cursor: object = None
        while True:
            page = self._get(path, model, cursor=cursor, **query)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def _ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        model: type[M],
        *,
        query: Mapping[str, object] | None = None,
        body: Wire | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> M:
        try:
            answer = self._http.request(
                method,
                _below(path),
                params=_said(query or {}),
                content=None if body is None else body.model_dump_json(exclude_none=True),
                headers={**_json_of(body), **(headers or {})},
                timeout=READ_SECONDS if method == "GET" else DEED_SECONDS,
            )
        except httpx.HTTPError as exc:
            raise _unreachable(self._http, exc) from exc
        _check(answer)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as exc:
            raise _not_understood(answer) from exc

    def _events(self, path: str, models: Mapping[str, type[M]], **query: object) -> Iterator[M]:
        timeout = httpx.Timeout(READ_SECONDS, read=SILENCE_SECONDS)
        asked = self._http.stream("GET", _below(path), params=_said(query), timeout=timeout)
        try:
            with asked as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    _check(answer)
                for name, text in read_events(answer.iter_lines()):
                    if name == "problem":
                        raise error_of(m.Problem.model_validate_json(text))
                    if name in models:
                        yield models[name].model_validate_json(text)
        except httpx.HTTPError as exc:
            raise _unreachable(self._http, exc) from exc


def _of(name: str) -> str:
    return f"/containers/{quote(name, safe='')}"


def _below(path: str) -> str:
    return path.removeprefix("/")


def _said(query: Mapping[str, object]) -> dict[str, str]:
    said = {name: value for name, value in query.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in said.items()
    }


def _json_of(body: Wire | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/json"}


def _check(answer: httpx.Response) -> None:
    """Return when an answer is one; raise what it says otherwise."""
    if answer.is_success:
        return
    if answer.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        try:
            problem = m.Problem.model_validate_json(answer.content)
        except ValidationError:
            raise _not_understood(answer) from None
        raise error_of(problem)
    raise _of_somebody_else(answer)


def _of_somebody_else(answer: httpx.Response) -> DS01Error:
    """What a proxy, the hub, or an older gateway says."""
    detail = f"{answer.url.host or 'The gateway'} answers {answer.status_code}"
    problem = m.Problem(
        type="about:blank",
        title=answer.reason_phrase,
        status=answer.status_code,
        detail=f"{detail} {answer.reason_phrase}".rstrip() + ".",
        next_step="Is this the address of the API, and does the gateway run?",
    )
    return error_of(problem)


def _not_understood(answer: httpx.Response) -> Unavailable:
    return Unavailable(
        f"The answer to {answer.request.url.path} cannot be read.",
        "Client and gateway may be of different releases: update one.",
    )


def _unreachable(http: httpx.Client, error: httpx.HTTPError) -> Unavailable:
    place: Any = http.base_url
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(f"The API at {place} does not answer in time.", "Try again.")
    return Unavailable(
        f"The API at {place} cannot be reached: {error}.", "Does the gateway run? Try again."
    )
