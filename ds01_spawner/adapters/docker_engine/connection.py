"""Calls to the engine: each has a deadline, a breaker and errors in our own words."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import urlencode

import urllib3
from docker.transport.unixconn import UnixHTTPConnectionPool

from ds01_spawner.adapters.docker_engine.breaker import NOTHING_LOST, Breaker
from ds01_spawner.domain.errors import (
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    InvalidRequest,
    NotFound,
    Unavailable,
)

NEWEST_API = (1, 47)
"""The newest engine API that this adapter was read against; older ones from 1.41 are used too."""

_COMPLAINTS = {
    "read": "The container engine does not answer",
    "create": "The container engine does not create containers",
    "start": "The container engine does not start containers",
    "stop": "The container engine does not stop containers",
    "remove": "The container engine does not remove containers",
    "network": "The container engine does not create networks",
}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that each kind of call may take.

    Attributes:
        read: Lists and inspections.
        probe: A read that finds out whether a stuck engine answers again.
        create: Creating a container.
        start: Starting one.
        stop_margin: Stopping one, on top of its grace.
        remove: Removing one.
        network: Creating a network.
        pull: Fetching an image.
        pull_silence: Fetching an image, without any sign of progress.
    """

    read: float = 10.0
    probe: float = 5.0
    create: float = 60.0
    start: float = 60.0
    stop_margin: float = 20.0
    remove: float = 60.0
    network: float = 30.0
    pull: float = 3600.0
    pull_silence: float = 180.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the engine.

    Attributes:
        method: HTTP method.
        path: Path without the API version.
        title: What it does, for an error message: `start jupyter._.alice`.
        kind: Which breaker it goes through, a key of the complaints.
        subject: The container it is about, or `None` for the engine itself.
        query: Query parameters.
        body: JSON body.
        seconds: Its deadline; `None` is that of a read.
    """

    method: str
    path: str
    title: str
    kind: str = "read"
    subject: str | None = None
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, Any] | None = None
    seconds: float | None = None


class Connection:
    """The engine's socket, shared by threads."""

    def __init__(
        self,
        socket_path: str,
        deadlines: Deadlines,
        *,
        threads: int = 64,
        new_breaker: Callable[[str], Breaker] = Breaker,
    ) -> None:
        self.socket_path = socket_path
        self.deadlines = deadlines
        # One pool for all paths. docker-py's own adapter keeps a pool for each URL and closes the
        # oldest beyond 25, under the feet of whichever thread is about to use it.
        self._pool = UnixHTTPConnectionPool(
            "http://localhost", socket_path, timeout=ceil(deadlines.read), maxsize=threads
        )
        self._breakers = {kind: new_breaker(text) for kind, text in _COMPLAINTS.items()}
        self._version: str | None = None
        self._version_lock = threading.Lock()

    def api_version(self) -> str:
        """The API version spoken with this engine, `1.41` or newer."""
        with self._version_lock:
            version = self._version
        if version is None:
            call = Call("GET", "/_ping", "ping")
            answer = self._exchange(call)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise self._failure(call, answer.status, _message(answer.data))
            version = _agreed_version(answer.headers.get("Api-Version", ""))
            with self._version_lock:
                self._version = version
        return version

    def json(self, call: Call) -> Any:
        """The engine's answer to `call`, decoded; `None` when it has no body.

        Raises:
            NotFound: The engine says 404.
            Conflict: It says 409.
            InvalidRequest: It does not understand the request.
            DeviceDriverMissing: It has no GPU driver.
            Unavailable: It does not answer in time, cannot be reached, or fails.
        """
        data = self.bytes(call)
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError as exc:
            raise Unavailable(
                f"The container engine's answer to '{call.title}' is broken."
            ) from exc

    def beginning(self, call: Call, most: int) -> bytes:
        """At most so many bytes of a long answer, of which the engine sends no more then.

        Raises:
            NotFound: The engine says 404.
            Unavailable: It does not answer, or fails.
        """
        url = f"/v{self.api_version()}{call.path}"
        timeout = urllib3.Timeout(total=call.seconds or self.deadlines.read)
        try:
            response = self._pool.urlopen(
                call.method, url, timeout=timeout, retries=False, preload_content=False
            )
            try:
                content = response.read(most, decode_content=False)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise Unavailable(
                f"The container engine broke off '{call.title}' ({_cause(exc)}).", NOTHING_LOST
            ) from exc
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise self._failure(call, response.status, _message(content))
        return content

    def bytes(self, call: Call) -> bytes:
        """The engine's answer to `call` as it came; raises what `json` raises."""
        response = self._exchange(call, f"/v{self.api_version()}")
        is_done = response.status < HTTPStatus.MULTIPLE_CHOICES
        if not is_done and response.status != HTTPStatus.NOT_MODIFIED:
            raise self._failure(call, response.status, _message(response.data))
        return response.data

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _exchange(self, call: Call, prefix: str = "") -> urllib3.BaseHTTPResponse:
        breaker = self._breakers[call.kind]
        probe = breaker.admit()
        seconds = call.seconds or self.deadlines.read
        if probe and call.kind == "read":
            seconds = min(seconds, self.deadlines.probe)
        began = time.monotonic()
        try:
            response = self._request(call, prefix, seconds)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            if not _is_timeout(exc):
                breaker.failed(probe=probe)
                raise Unavailable(
                    f"The container engine cannot be reached at {self.socket_path}"
                    f" ({call.title}: {_cause(exc)}).",
                    NOTHING_LOST,
                ) from exc
            breaker.timed_out(call.subject, probe=probe)
            raise Unavailable(
                f"The container engine did not answer '{call.title}'"
                f" within {time.monotonic() - began:.0f} s.",
                NOTHING_LOST,
            ) from exc
        except BaseException:
            breaker.failed(probe=probe)
            raise
        breaker.answered(probe=probe)
        return response

    def _request(self, call: Call, prefix: str, seconds: float) -> urllib3.BaseHTTPResponse:
        url = f"{prefix}{call.path}"
        if call.query:
            url = f"{url}?{urlencode(call.query)}"
        body = None if call.body is None else json.dumps(call.body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        # A read may be repeated when a kept connection turns out to be closed; a deed may not.
        attempts = 2 if call.method == "GET" else 1
        for attempt in range(attempts):
            try:
                return self._pool.urlopen(
                    call.method,
                    url,
                    body=body,
                    headers=headers,
                    timeout=urllib3.Timeout(total=seconds),
                    retries=False,
                    redirect=False,
                )
            except urllib3.exceptions.ProtocolError as exc:
                if attempt == attempts - 1 or _is_timeout(exc):
                    raise
        raise AssertionError(attempts)

    def _failure(self, call: Call, status: int, message: str) -> DS01Error:
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(f"The container engine says: {message}")
        if status == HTTPStatus.CONFLICT:
            return Conflict(f"The container engine says: {message}")
        if "could not select device driver" in message:
            return DeviceDriverMissing(
                f"The container engine has no GPU driver ({message}).",
                "An administrator installs the NVIDIA container toolkit and restarts the engine.",
            )
        if status == HTTPStatus.BAD_REQUEST:
            if "client version" in message:
                with self._version_lock:
                    self._version = None
                return Unavailable(f"The container engine was replaced: {message}", NOTHING_LOST)
            return InvalidRequest(f"The container engine refuses '{call.title}': {message}")
        return Unavailable(f"The container engine failed at '{call.title}': {message}")


def _agreed_version(offered: str) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)", offered)
    if match is None:
        raise Unavailable("The container engine does not say which API version it speaks.")
    major, minor = min((int(match[1]), int(match[2])), NEWEST_API)
    return f"{major}.{minor}"


def _message(data: bytes) -> str:
    text = data.decode(errors="replace").strip()
    try:
        answer = json.loads(text)
    except ValueError:
        return text[:500] or "no reason given"
    message = answer.get("message") if isinstance(answer, dict) else None
    return str(message or text[:500]).strip()


def _is_timeout(exc: BaseException) -> bool:
    return isinstance(exc, (urllib3.exceptions.TimeoutError, TimeoutError)) or any(
        isinstance(arg, TimeoutError) for arg in exc.args
    )


def _cause(exc: BaseException) -> str:
    inner = next((arg for arg in exc.args if isinstance(arg, OSError)), exc)
    return str(getattr(inner, "strerror", None) or inner)
