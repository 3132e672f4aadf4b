"""An API that answers the real client from memory: the table of routes, the models, the errors.

api = FakeApi()
api.has("thesis", gpu_slots=("0:1",))
api.refuses["startContainer"] = Conflict("…")
monkeypatch.setattr("ds01_cli.frame.session.connect", api.connect)
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Wire
from ds01_spawner.client.problems import MEDIA_TYPE, problem_of
from ds01_spawner.client.streams import STDOUT, Session, Wanted
from ds01_spawner.domain.errors import Conflict, DS01Error, NotFound
from ds01_spawner.gateway.api.reading import body_of, query_of
from ds01_spawner.gateway.api.routes import ROUTES, Route

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8"
Events = Sequence[tuple[str, Wire] | DS01Error]


@dataclass(frozen=True)
class Asked:
    """One request."""

    operation: str
    parts: Mapping[str, str]
    query: Any
    body: Any
    key: str | None


@dataclass
class FakeApi:
    """What there is, what is refused, and what was asked.

    Attributes:
        user: Who asks.
        containers: By name.
        servers: The hub's, by name.
        sizes: What servers may be started with.
        images: What may be started.
        places: What `create` tells before it ends.
        refuses: What an operation raises instead of an answer.
        answers: What an operation answers instead of the usual.
        outputs: What `exec` reads, by the program's name: stream and bytes, and the exit code last.
        asked: Every request, in order.
        ran: Every command that was run, with its container.
        sessions: One for each of them.
    """

    user: str = "alice"
    role: m.Role = m.Role.STUDENT
    containers: dict[str, m.Container] = field(default_factory=dict)
    servers: dict[str, m.Server] = field(default_factory=dict)
    sizes: tuple[m.ServerSize, ...] = (
        m.ServerSize(size="none", memory_bytes=None, equivalents=0.0, most=1),
    )
    images: list[m.Image] = field(default_factory=list)
    details: dict[str, m.ImageDetail] = field(default_factory=dict)
    places: list[m.Place] = field(default_factory=list)
    notices: list[m.Notice] = field(default_factory=list)
    keys: list[m.SshKey] = field(default_factory=list)
    events: list[m.AuditEvent] = field(default_factory=list)
    options: m.ImageOptions | None = None
    explanation: m.PolicyExplanation | None = None
    build_log: str = "Step 1/1 : FROM ds01/starter\n"
    build_end: m.Build | None = None
    refuses: dict[str, DS01Error] = field(default_factory=dict)
    answers: dict[str, Callable[[Asked], Wire | Events]] = field(default_factory=dict)
    outputs: dict[str, tuple[tuple[tuple[int, bytes], ...], int]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    ran: list[tuple[str, Wanted]] = field(default_factory=list)
    sessions: list["FakeSession"] = field(default_factory=list)

    def has(self, name: str, **facts: Any) -> m.Container:
        """Let there be a container."""
        found = self.containers[name] = container(name, user=self.user, **facts)
        return found

    def client(self) -> Client:
        """The real client, asking this."""
        transport = httpx.MockTransport(self.answer)
        return _Client(self, httpx.Client(transport=transport, base_url="http://fake/ds01/"))

    @contextmanager
    def connect(self, *_args: Any, **_options: Any) -> Iterator[Client]:
        """In the place of `frame.session.connect`."""
        with self.client() as client:
            yield client

    def operations(self) -> list[str]:
        """What was asked, in order."""
        return [each.operation for each in self.asked]

    def body(self, operation: str) -> Any:
        """What was sent with the last request of that kind."""
        return next(each.body for each in reversed(self.asked) if each.operation == operation)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What one request is answered."""
        route, parts = _route(request)
        try:
            asked = _asked(request, route, parts)
            self.asked.append(asked)
            if route.operation in self.refuses:
                raise self.refuses[route.operation]
            told = self._told(asked)
        except DS01Error as exc:
            problem = problem_of(exc, "r1")
            headers = {"Content-Type": MEDIA_TYPE}
            return httpx.Response(
                problem.status, headers=headers, content=problem.model_dump_json()
            )
        if isinstance(told, Wire):
            assert route.answer is not None
            assert isinstance(told, route.answer), f"{route.operation} answers {route.answer}"
            return httpx.Response(
                route.status,
                headers={"Content-Type": "application/json"},
                content=told.model_dump_json(),
            )
        return httpx.Response(
            200, headers={"Content-Type": "text/event-stream"}, content=_stream(route, told)
        )

    def _told(self, asked: Asked) -> Wire | Events:
        if asked.operation in self.answers:
            return self.answers[asked.operation](asked)
        usual = getattr(self, f"_{_snake(asked.operation)}", None)
        assert usual is not None, f"say what {asked.operation} answers: api.answers[…] = …"
        told: Wire | Events = usual(asked)
        return told

    def _get_me(self, _asked: Asked) -> m.Me:
        return m.Me(
            user=self.user,
            role=self.role,
            interface="socket",
            explanation=self.explanation,
            usage=(),
            containers=tuple(self.containers.values()),
            tickets=(),
            notices=tuple(self.notices),
        )

    def _list_notices(self, _asked: Asked) -> m.Notices:
        return m.Notices(notices=tuple(self.notices), next=None)

    def _list_containers(self, _asked: Asked) -> m.Containers:
        return m.Containers(taken_at=NOW, containers=tuple(self.containers.values()))

    def _get_container(self, asked: Asked) -> m.Container:
        return self._known(asked)

    def _create_container(self, asked: Asked) -> Events:
        wanted: m.CreateRequest = asked.body
        name = wanted.name or "run-0"
        if name in self.containers:
            raise Conflict(f"You have a container called {name} already.", "Choose another name.")
        slots = tuple(f"0:{number}" for number in range(wanted.gpus or (1 if wanted.gpu else 0)))
        made = self.has(
            name,
            image=wanted.image or "ds01/starter:latest",
            project=wanted.project,
            gpu_slots=slots,
            state="running" if wanted.start else "created",
        )
        return [*(("place", each) for each in self.places), ("end", made)]

    def _plan_container(self, asked: Asked) -> m.Plan:
        wanted: m.CreateRequest = asked.body
        return m.Plan(
            sentences=("It would be made now.",),
            name=wanted.name,
            image=wanted.image or "ds01/starter:latest",
        )

    def _start_container(self, asked: Asked) -> m.Container:
        return self._becomes(asked, "running")

    _restart_container = _unpause_container = _start_container

    def _stop_container(self, asked: Asked) -> m.Container:
        return self._becomes(asked, "exited")

    def _pause_container(self, asked: Asked) -> m.Container:
        return self._becomes(asked, "paused")

    def _retire_container(self, asked: Asked) -> m.Removed:
        return m.Removed(name=self.containers.pop(self._known(asked).name).name)

    def _remove_container(self, asked: Asked) -> m.Removed:
        if self._known(asked).state == "running" and not asked.query.force:
            raise Conflict(f"{asked.parts['name']} runs.", "Stop it first.")
        return self._retire_container(asked)

    def _get_logs(self, asked: Asked) -> m.Logs:
        return m.Logs(name=self._known(asked).name, lines=("hello",))

    def _extend_container(self, asked: Asked) -> m.Extended:
        return m.Extended(name=self._known(asked).name, until=NOW, shortened=False)

    def _get_stats(self, asked: Asked) -> m.Stats:
        found = [
            m.ContainerStats(name=each.name, user=each.user, state=each.state)
            for each in self.containers.values()
            if asked.query.name in {None, each.name}
        ]
        return m.Stats(taken_at=NOW, containers=tuple(found))

    def _follow_stats(self, asked: Asked) -> Events:
        return [("stats", self._get_stats(asked))]

    def _get_server_options(self, _asked: Asked) -> m.ServerOptions:
        return m.ServerOptions(sizes=self.sizes)

    def _list_servers(self, _asked: Asked) -> m.Servers:
        return m.Servers(named_limit=10, servers=tuple(self.servers.values()))

    def _start_server(self, asked: Asked) -> Events:
        wanted: m.ServerRequest = asked.body
        if wanted.name in self.servers and self.servers[wanted.name].state != "stopped":
            raise Conflict("Your server runs already.")
        slots = (wanted.gpu_count if wanted.gpu else 0) * ("0:0",)
        made = server(
            wanted.name,
            image=wanted.image,
            gpu=wanted.gpu,
            gpu_count=len(slots),
            gpu_slots=slots,
            project=wanted.project,
        )
        self.servers[wanted.name] = made
        step = m.Step(name="start", text="Starting your server")
        return [*(("place", each) for each in self.places), ("step", step), ("end", made)]

    def _stop_server(self, asked: Asked) -> m.Server:
        name = "" if asked.parts["name"] == "jupyter" else asked.parts["name"]
        if name not in self.servers:
            raise NotFound(f"You have no server called {name}.")
        stopped = {"state": "stopped", "gpu_slots": (), "started_at": None, "stops_at": None}
        self.servers[name] = self.servers[name].model_copy(update=stopped)
        return self.servers[name]

    def _list_gpus(self, _asked: Asked) -> m.Gpus:
        return m.Gpus(taken_at=NOW, source="simulated", slots=())

    def _get_health(self, _asked: Asked) -> m.Health:
        return m.Health(
            taken_at=NOW, ok=True, parts=(m.Part(name="engine", ok=True, detail="It answers."),)
        )

    def _list_gpu_processes(self, _asked: Asked) -> m.GpuProcesses:
        return m.GpuProcesses(taken_at=NOW, fresh=True, problem="", processes=())

    def _list_workloads(self, _asked: Asked) -> m.Workloads:
        return m.Workloads(taken_at=NOW, fresh=True, problem="", workloads=())

    def _get_usage(self, asked: Asked) -> m.UsageReport:
        query: m.UsageQuery = asked.query
        row = usage_row(self.user)
        return m.UsageReport(
            taken_at=NOW,
            begin=NOW,
            end=NOW,
            by=query.by or "project",
            user=self.user,
            rows=(row,),
            total=row,
            co2e_source=None,
        )

    def _get_usage_series(self, _asked: Asked) -> m.UsageSeries:
        return usage_series(self.user, [usage_row("2026-01-01")])

    def _list_queue(self, _asked: Asked) -> m.Queue:
        return m.Queue(taken_at=NOW, tickets=())

    def _list_images(self, _asked: Asked) -> m.Images:
        return m.Images(images=tuple(self.images))

    def _get_image(self, asked: Asked) -> m.ImageDetail:
        if asked.parts["name"] not in self.details:
            name = asked.parts["name"]
            raise NotFound(f"There is no image called {name}.", "See: ds01 image list.")
        return self.details[asked.parts["name"]]

    def _get_image_options(self, _asked: Asked) -> m.ImageOptions:
        assert self.options is not None, "say what images may be made of: api.options = …"
        return self.options

    def _delete_image(self, asked: Asked) -> m.Removed:
        return m.Removed(name=asked.parts["name"])

    def _prune_images(self, asked: Asked) -> m.Pruned:
        return m.Pruned(dry_run=asked.query.dry_run, images=(), freed_bytes=0)

    def _start_build(self, asked: Asked) -> m.Build:
        return build(asked.body.name, user=self.user, state="running")

    def _list_builds(self, _asked: Asked) -> m.BuildList:
        return m.BuildList(builds=())

    def _follow_build(self, _asked: Asked) -> Events:
        name = self.body("startBuild").name
        end = self.build_end or build(name, user=self.user, image_id="sha256:abc", size_bytes=10**9)
        return [("log", m.BuildLog(text=self.build_log)), ("end", end)]

    def _cancel_build(self, _asked: Asked) -> m.Build:
        return build(self.body("startBuild").name, user=self.user, state="cancelled")

    def _get_ssh(self, _asked: Asked) -> m.SshIdentity:
        home = f"/home/{self.user}"
        keys = len(self.keys)
        return m.SshIdentity(user=self.user, home=home, host_keys=(HOST_KEY,), keys=keys)

    def _get_ssh_access(self, asked: Asked) -> m.SshAccess:
        found = self._known(asked)
        return m.SshAccess(
            name=found.name,
            user=self.user,
            host_keys=(HOST_KEY,),
            command=("sshd", "-i"),
            started=False,
        )

    def _list_events(self, _asked: Asked) -> m.Events:
        return m.Events(events=tuple(self.events), next=None)

    def _add_ssh_key(self, asked: Asked) -> m.SshKey:
        kind, key, comment = asked.body.key.split()
        added = m.SshKey(
            id=key[-8:],
            fingerprint=f"SHA256:{key[-8:]}",
            type=kind,
            bits=None,
            comment=comment,
            key=asked.body.key,
            added_at=NOW,
        )
        self.keys.append(added)
        return added

    def _list_ssh_keys(self, _asked: Asked) -> m.SshKeys:
        return m.SshKeys(keys=tuple(self.keys))

    def _known(self, asked: Asked) -> m.Container:
        name = asked.parts["name"]
        if name not in self.containers:
            known = ", ".join(self.containers)
            raise NotFound(
                f"There is no container called {name}.",
                f"There are: {known}." if known else "Make one: ds01 container deploy.",
            )
        return self.containers[name]

    def _becomes(self, asked: Asked, state: str) -> m.Container:
        found = self._known(asked).model_copy(update={"state": state})
        self.containers[found.name] = found
        return found


def usage_row(name: str, **facts: Any) -> m.UsageRow:
    """Two hours on a slot of which nothing more is known."""
    usual: dict[str, Any] = {
        "gpu_hours": 2.0,
        "equivalent_hours": 0.5,
        "busy_hours": None,
        "measured_hours": 0.0,
        "efficiency": None,
        "unseen_hours": 0.0,
        "energy_kwh": None,
        "metered_hours": 0.0,
        "co2e_kg": None,
        "grants": 1,
        "waits": 0,
        "mean_wait_seconds": None,
        "longest_wait_seconds": None,
    }
    return m.UsageRow(name=name, **{**usual, **facts})


def usage_series(user: str | None, rows: Sequence[m.UsageRow], **facts: Any) -> m.UsageSeries:
    """One day after the other, to the one before `NOW`; they are all in the books."""
    day = timedelta(days=1)
    end = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = end - len(rows) * day
    usual: dict[str, Any] = {
        "taken_at": NOW,
        "begin": begin,
        "end": end,
        "step": "day",
        "user": user,
        "steps": tuple(
            m.UsageStep(
                begin=begin + place * day,
                end=begin + (place + 1) * day,
                hours=24.0,
                missing_hours=0.0,
                used=row.model_copy(update={"name": f"{begin + place * day:%Y-%m-%d}"}),
            )
            for place, row in enumerate(rows)
        ),
        "total": usage_row("", gpu_hours=sum(row.gpu_hours for row in rows)),
        "kept_from": begin,
        "kept_until": NOW,
        "co2e_source": None,
    }
    return m.UsageSeries(**{**usual, **facts})


class FakeSession(Session):
    """A command that has said all that it will.

    Attributes:
        written: What it was given.
        sizes: What its terminal became.
        input_ended: Whether it was told that there is no more.
        closed: Whether nobody listens any more.
    """

    def __init__(self, outputs: Sequence[tuple[int, bytes]] = (), code: int = 0) -> None:
        self._outputs = list(outputs)
        self._code = code
        self.written = b""
        self.sizes: list[tuple[int, int]] = []
        self.input_ended = False
        self.closed = False

    def read(self) -> tuple[int, bytes] | None:
        return self._outputs.pop(0) if self._outputs else None

    def write(self, data: bytes) -> None:
        self.written += data

    def end_input(self) -> None:
        self.input_ended = True

    def resize(self, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))

    def exit_code(self) -> int:
        return self._code

    def close(self) -> None:
        self.closed = True


class _Client(Client):
    """Runs commands nowhere."""

    def __init__(self, api: FakeApi, http: httpx.Client) -> None:
        super().__init__(http)
        self._api = api

    def exec(self, name: str, command: Sequence[str], **options: Any) -> Session:
        found = self.container(name, user=options.pop("user", None))
        if "exec" in self._api.refuses:
            raise self._api.refuses["exec"]
        if found.state != "running":
            raise Conflict(f"{name} does not run.", "Start it first.")
        wanted = Wanted(
            tuple(command),
            options.get("tty", False),
            options.get("size"),
            dict(options.get("environment") or {}),
            options.get("workdir"),
        )
        self._api.ran.append((found.name, wanted))
        usual = (((STDOUT, b"done\n"),), 0)
        session = FakeSession(*self._api.outputs.get(wanted.command[0], usual))
        self._api.sessions.append(session)
        return session


def container(name: str, *, user: str = "alice", **facts: Any) -> m.Container:
    """A container that runs."""
    usual: dict[str, Any] = {
        "name": name,
        "user": user,
        "container": f"{name}._.{user}",
        "id": f"{abs(hash(name)):064x}"[-64:],
        "interface": "cli",
        "state": "running",
        "gpu_slots": (),
        "started_at": NOW,
        "stops_at": None,
        "ends": (),
        "idle_timeout_seconds": None,
        "kept_until": None,
        "keep_until": None,
        "removed_at": None,
        "stopped_by": None,
        "server": None,
        "sentences": ("Runs until you stop it.",),
        "image": "ds01/starter:latest",
        "created_at": NOW,
    }
    return m.Container.model_validate(usual | facts)


def server(name: str = "", *, user: str = "alice", **facts: Any) -> m.Server:
    """A server that runs."""
    usual: dict[str, Any] = {
        "name": name,
        "title": name or "My server",
        "container": name or "jupyter",
        "state": "running",
        "url": f"https://hub.example.org/user/{user}/{name}".rstrip("/") + "/",
        "image": None,
        "gpu": None,
        "gpu_slots": (),
        "started_at": NOW,
        "stops_at": None,
    }
    return m.Server.model_validate(usual | facts)


def build(name: str, *, user: str = "alice", state: str = "done", **facts: Any) -> m.Build:
    """A build."""
    usual: dict[str, Any] = {
        "id": "b1",
        "name": f"ds01-{user}/{name}:latest",
        "state": state,
        "began_at": NOW,
        "ended_at": None if state == "running" else NOW,
        "image_id": None,
    }
    return m.Build.model_validate(usual | facts)


def _route(request: httpx.Request) -> tuple[Route, dict[str, str]]:
    path = request.url.raw_path.decode().partition("?")[0].removeprefix("/ds01")
    for route in sorted(ROUTES, key=lambda each: len(each.names)):
        match = re.fullmatch(route.pattern, path)
        if match and route.method == request.method:
            return route, dict(zip(route.names, map(unquote, match.groups()), strict=True))
    raise AssertionError(f"nothing answers {request.method} {path}")


def _asked(request: httpx.Request, route: Route, parts: Mapping[str, str]) -> Asked:
    given: dict[str, list[bytes]] = {}
    for name, value in parse_qsl(request.url.query.decode(), keep_blank_values=True):
        given.setdefault(name, []).append(value.encode())
    body = None
    if route.body is not None:
        body = body_of(route.body, request.headers.get("Content-Type", ""), request.content)
    return Asked(
        route.operation,
        parts,
        query_of(route.query, given),
        body,
        request.headers.get("Idempotency-Key"),
    )


def _stream(route: Route, events: Events) -> Iterator[bytes]:
    models = dict(route.stream)
    for event in events:
        name, value = ("problem", problem_of(event)) if isinstance(event, DS01Error) else event
        assert isinstance(value, models[name]), f"{route.operation} has no event {name}"
        data = json.dumps(value.model_dump(mode="json", exclude_unset=True))
        yield f"event: {name}\ndata: {data}\n\n".encode()


def _snake(operation: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", operation)
