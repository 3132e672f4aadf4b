"""Single-user servers, asked past the hub's proxy what their kernels and terminals do.

Each is asked with its own token, which opens that one server and nothing else: the hub gives it
the scope `access:servers!server=USER/NAME` (`Spawner.server_token_scopes`). The token is sent to
the address that its own container has now, never to a remembered one.
"""

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ds01_spawner.adapters.bounded_http import Bounds, NoAnswer, get
from ds01_spawner.domain import labels, names
from ds01_spawner.domain.activity import JupyterSample
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import Engine

_log = logging.getLogger("ds01.jupyter")

_URL = "JUPYTERHUB_SERVICE_URL"
_PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
_TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name
_VARIABLES = (_URL, _PREFIX, _TOKEN)

_NOT_BUSY = frozenset({"idle", "dead"})
_STARTING = "starting"
LONGEST_START = timedelta(minutes=10)
"""A kernel that was started through the REST API and that nobody ever connected to says `starting`
for ever (seen with jupyter_server 2.21): its state follows messages, and it gets none."""

_REMEMBERED = 1024
_UNKNOWN_SECONDS = 0.1
_FADES = 0.99
"""A slow answer counts for hours: whoever answers at once and then late in turns comes late."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    prefix: str
    token: str = field(repr=False)


class _NotReached(Exception):
    """Others took all of the time; this says nothing of the server."""


class DirectJupyterServers:
    """The `JupyterServers` port. Servers that speak TLS (`internal_ssl`) are left out.

    Args:
        engine: Tells the environment of containers.
        request_seconds: Deadline of one request.
        look_seconds: No request begins later; what was not asked by then is left out.
        threads: How many servers are asked at once.
        now: The time.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        request_seconds: float = 3.0,
        look_seconds: float = 15.0,
        threads: int = 16,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._request_seconds = request_seconds
        self._look_seconds = look_seconds
        self._threads = threads
        self._now = now
        self._lock = threading.Lock()
        self._servers: OrderedDict[str, _Server] = OrderedDict()
        self._silent: OrderedDict[str, None] = OrderedDict()
        self._seconds: OrderedDict[str, float] = OrderedDict()

    def look(self, containers: Sequence[Container]) -> Mapping[str, JupyterSample]:
        """What each says, the fastest asked first, those silent last time last."""
        if not containers:
            return {}
        ends = time.monotonic() + self._look_seconds
        with self._lock:
            patient = sorted(containers, key=self._patience)
        with ThreadPoolExecutor(min(self._threads, len(patient)), "ds01 jupyter") as pool:
            said = list(pool.map(lambda container: self._ask(container, ends), patient))
        return {one.id: sample for one, sample in zip(patient, said, strict=True) if sample}

    def _patience(self, container: Container) -> tuple[bool, float]:
        """What it takes to wait for its answer: a few slow ones take nothing from the others."""
        return container.id in self._silent, self._seconds.get(container.id, _UNKNOWN_SECONDS)

    def _note_seconds(self, container: Container, seconds: float) -> None:
        with self._lock:
            faded = self._seconds.get(container.id, 0.0) * _FADES
            _keep(self._seconds, container.id, max(seconds, faded))

    def _ask(self, container: Container, ends: float) -> JupyterSample | None:
        began = time.monotonic()
        try:
            server, address = self._server(container), _address(container)
            kernels = self._json(server, address, "api/kernels", ends)
            terminals = self._json(server, address, "api/terminals", ends, absent=[])
            sample = sample_of(kernels, terminals, self._now())
        except _NotReached:
            self._note_seconds(container, time.monotonic() - began)
            return None
        except (NoAnswer, Unavailable) as exc:
            self._note_silence(container, exc)
            return None
        self._note_seconds(container, time.monotonic() - began)
        with self._lock:
            self._silent.pop(container.id, None)
        return sample

    def _note_silence(self, container: Container, reason: Exception) -> None:
        """It is said once, and looked up anew before the next time."""
        with self._lock:
            news = container.id not in self._silent
            self._servers.pop(container.id, None)
            _keep(self._silent, container.id, None)
        if news:
            _log.info("%s: its Jupyter server does not answer: %s", container.name, reason)

    def _server(self, container: Container) -> _Server:
        """Where it listens and with what token; a container's environment never changes."""
        with self._lock:
            known = self._servers.get(container.id)
        if known is None:
            known = _server_of(self._engine.environment(container.id, _VARIABLES))
        with self._lock:
            _keep(self._servers, container.id, known)
        return known

    def _json(
        self, server: _Server, address: str, path: str, ends: float, *, absent: Any = None
    ) -> Any:
        """What the server says, or `absent` when it has no such page."""
        seconds = min(self._request_seconds, ends - time.monotonic())
        if seconds <= 0:
            raise _NotReached
        try:
            answer = get(
                (address, server.port),
                f"{server.prefix}{path}?no_track_activity=1",
                {"Authorization": f"token {server.token}", "Accept": "application/json"},
                Bounds(seconds),
            )
        except NoAnswer:
            if time.monotonic() >= ends:
                raise _NotReached from None
            raise
        if answer.status == HTTPStatus.NOT_FOUND and absent is not None:
            return absent
        if answer.status != HTTPStatus.OK:
            raise NoAnswer(f"{path} answers {answer.status}")
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise NoAnswer(f"{path} answers no JSON") from None


def _keep(remembered: OrderedDict[str, T], key: str, value: T) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def sample_of(kernels: Any, terminals: Any, now: datetime) -> JupyterSample:
    """From the answers of `api/kernels` and `api/terminals`.

    https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html

    Raises:
        NoAnswer: They are not what a server answers.
    """
    entries = _entries(kernels)
    return JupyterSample(
        busy_kernels=sum(_is_busy(kernel, now) for kernel in entries),
        connections=sum(map(_connections, entries)),
        kernels_active_at=max(map(_active_at, entries), default=None),
        terminals_active_at=max(map(_active_at, _entries(terminals)), default=None),
    )


def _is_busy(kernel: Mapping[str, Any], now: datetime) -> bool:
    state = _entry(kernel, "execution_state", str)
    if state == _STARTING and not _connections(kernel):
        return now - _active_at(kernel) < LONGEST_START
    return state not in _NOT_BUSY


def _connections(kernel: Mapping[str, Any]) -> int:
    number: int = _entry(kernel, "connections", int)
    if number < 0:
        raise NoAnswer("a kernel has fewer connections than none")
    return number


def _entries(answer: Any) -> list[Any]:
    if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
        raise NoAnswer("it answers no list of kernels or terminals")
    return answer


def _entry(model: Mapping[str, Any], key: str, kind: type) -> Any:
    value = model.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise NoAnswer(f"it does not say {key}")
    return value


def _active_at(model: Mapping[str, Any]) -> datetime:
    moment = labels.parse_timestamp(_entry(model, "last_activity", str))
    try:
        if moment is not None:
            return moment.astimezone(UTC)
    except OverflowError:
        pass
    raise NoAnswer("it does not say last_activity")


def _server_of(environment: Mapping[str, str]) -> _Server:
    try:
        url = urlsplit(environment[_URL])
        port = url.port or 80
        prefix, token = environment[_PREFIX], environment[_TOKEN]
    except (KeyError, ValueError):
        raise NoAnswer("its environment does not say where it listens") from None
    if url.scheme != "http" or not prefix.startswith("/") or not token:
        raise NoAnswer("its environment does not say where it listens without TLS")
    return _Server(port, prefix if prefix.endswith("/") else f"{prefix}/", token)


def _address(container: Container) -> str:
    """Its address on its owner's network, or another of its own."""
    addresses = container.addresses
    own = addresses.get(names.network_name(labels.owner_of(container.labels) or ""))
    address = own or next(iter(addresses.values()), None)
    if address is None:
        raise NoAnswer("it has no address")
    return address
