"""How the client asks: one question, page by page, or an event stream, and what failures mean."""

import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import ValidationError

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Wire
from ds01_spawner.client.problems import (
    MEDIA_TYPE,
    NotTheApi,
    TooManyRequests,
    Unauthenticated,
    Unreachable,
    error_of,
)
from ds01_spawner.client.sse import read_events
from ds01_spawner.domain.errors import DS01Error, Unavailable

M = TypeVar("M", bound=Wire)

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
"""What the system's errors begin with; the words behind it say the same."""

READ_SECONDS = 60.0
DEED_SECONDS = 180.0
"""Stopping waits until the container has stopped."""

SILENCE_SECONDS = 60.0
"""The server says something on a stream every 15 s."""

PATIENCE_SECONDS = 10.0
"""How long a question is held back in all when the server says that there are too many."""


class Asking:
    """Questions to one API. Safe to share between threads.

    Args:
        http: Knows where the API is and who asks; see `places`.
        sleep: Holds back a question that came too soon, for some seconds.
    """

    def __init__(self, http: httpx.Client, sleep: Callable[[float], object] = time.sleep) -> None:
        self._http = http
        self._sleep = sleep
        self._lines = _Lines()

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

    def break_off(self) -> None:
        """End every event stream that another thread waits on, and all that begin from here on.

        There they raise `Unreachable`, as if the API had gone.
        """
        self._lines.cut()

    def _get(self, path: str, model: type[M], **query: object) -> M:
        return self._ask("GET", path, model, query=query)

    def _delete(self, path: str, model: type[M], *, key: str | None = None, **query: object) -> M:
        return self._ask("DELETE", path, model, query=query, headers=_repeatable(key))

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
        headers = _repeatable(key)
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
        request = self._http.build_request(
            method,
            _below(path),
            params=_said(query or {}),
            content=None if body is None else body.model_dump_json(exclude_none=True),
            headers={**_json_of(body), **(headers or {})},
            timeout=READ_SECONDS if method == "GET" else DEED_SECONDS,
        )
        answer = self._answered(request)
        try:
            return model.told(answer.content)
        except ValidationError as exc:
            raise _not_understood(answer) from exc

    def _answered(self, request: httpx.Request) -> httpx.Response:
        """The answer; what was refused for coming too soon is asked again when it may be."""
        patience = PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.send(request)
            except httpx.HTTPError as exc:
                raise _unreachable(self._http, exc) from exc
            try:
                _check(answer)
            except TooManyRequests as exc:  # nothing was done
                patience -= exc.retry_after_seconds
                if patience < 0:
                    raise
                self._sleep(exc.retry_after_seconds)
            else:
                return answer

    def _events(
        self,
        path: str,
        models: Mapping[str, type[M]],
        *,
        body: Wire | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        **query: object,
    ) -> Generator[M, None, None]:
        """Each event as its model; to end the iterator early closes the connection."""
        timeout = httpx.Timeout(READ_SECONDS, read=silence_seconds)
        try:
            with self._http.stream(
                "GET" if body is None else "POST",
                _below(path),
                params=_said(query),
                content=None if body is None else body.model_dump_json(exclude_none=True),
                headers=_json_of(body),
                timeout=timeout,
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    _check(answer)
                with self._lines.open(answer):
                    for name, text in read_events(answer.iter_lines()):
                        if name == "problem":
                            raise error_of(m.Problem.told(text))
                        if name in models:
                            yield models[name].told(text)
        except httpx.HTTPError as exc:
            raise _unreachable(self._http, exc) from exc


class _Lines:
    """Sockets on which streams wait. To close one wakes nobody; to shut it down does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._cut = False

    @contextmanager
    def open(self, answer: httpx.Response) -> Iterator[None]:
        """While an answer is read, it can be cut off."""
        stream = answer.extensions.get("network_stream")
        line = None if stream is None else stream.get_extra_info("socket")
        with self._lock:
            if self._cut:
                raise httpx.ReadError("The stream was broken off.")
            if line is not None:
                self._open.append(line)
        try:
            yield
        finally:
            with self._lock:
                if line is not None:
                    self._open.remove(line)

    @property
    def is_cut(self) -> bool:
        """Whether no stream begins any more."""
        with self._lock:
            return self._cut

    def cut(self) -> None:
        """Cut all off, for good."""
        with self._lock:
            self._cut = True
            for line in self._open:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)


def _below(path: str) -> str:
    return path.removeprefix("/")


def _said(query: Mapping[str, object]) -> dict[str, str]:
    said = {name: value for name, value in query.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in said.items()
    }


def _repeatable(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _json_of(body: Wire | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/json"}


def _check(answer: httpx.Response) -> None:
    """Return when an answer is one; raise what it says otherwise."""
    if answer.is_success:
        return
    if answer.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        try:
            problem = m.Problem.told(answer.content)
        except ValidationError:
            raise _not_understood(answer) from None
        raise error_of(problem)
    raise _of_somebody_else(answer)


def _of_somebody_else(answer: httpx.Response) -> DS01Error:
    """What a proxy, the hub, or an older gateway says."""
    detail = f"{answer.url.host or 'The gateway'} answers {answer.status_code}"
    message = f"{detail} {answer.reason_phrase}".rstrip() + "."
    next_step = "Is this the address of the API, and does the gateway run?"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Unauthenticated(message, next_step)
    return NotTheApi(message, next_step, status=answer.status_code)


def _not_understood(answer: httpx.Response) -> Unavailable:
    return Unavailable(
        f"The answer to {answer.request.url.path} cannot be read.",
        "Client and gateway may be of different releases: update one.",
    )


def _unreachable(http: httpx.Client, error: httpx.HTTPError) -> Unavailable:
    place: Any = http.base_url
    if isinstance(error, httpx.TimeoutException):
        message = f"The API at {place} does not answer in time."
        return Unreachable(message, "Try again.", too_slow=True)
    return Unreachable(
        f"The API at {place} cannot be reached: {_ERRNO.sub('', str(error))}.",
        "Does the gateway run? Try again.",
    )
