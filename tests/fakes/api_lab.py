"""The API on a lab of fakes, answering on loopback; a header says who asks."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from ds01_spawner.adapters.carbon_files import CarbonFiles
from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.api.application import application, http_server
from ds01_spawner.gateway.api.ask import Api, Builder
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.api.serving import served_by
from ds01_spawner.gateway.rates import Rate
from ds01_spawner.gateway.wire.call import Answer, EngineLink
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.admission import Grant, Queued
from ds01_spawner.operations.allocation.disk_room import DiskRoom
from ds01_spawner.operations.attribution.scan import Attribution
from ds01_spawner.operations.containers.binds import Binds
from ds01_spawner.operations.containers.stillness import Stillness
from ds01_spawner.operations.health.health import Health
from ds01_spawner.operations.health.parts import Parts, part_checks
from ds01_spawner.operations.health.services import Services, service_checks
from ds01_spawner.operations.people.ssh_access import SshAccess
from ds01_spawner.operations.usage.report import Reports
from ds01_spawner.policy.gpu_config import GpuConfig
from ds01_spawner.policy.images import parse_images
from ds01_spawner.ports import HubClient
from ds01_spawner.recipes.starter import STARTER
from fakes.builder import FakeBuilder
from fakes.creator import FakeCreator
from fakes.engine_link import FakeEngineLink
from fakes.event_log import FakeEventLog
from fakes.folders import FakeStage
from fakes.hub import FakeHub
from fakes.hub_spawning import FakeHubSpawning
from fakes.lab import POLICY as ONE_SLOT
from fakes.lab import Lab
from fakes.ledger import FakeLedger
from fakes.lifecycle_lab import LifecycleLab
from fakes.machine_look import FakeMachineLook
from fakes.people import FakeLeavingMark
from fakes.policy import FakePolicy
from fakes.process_table import FakeProcessTable
from fakes.ssh_folder import FakeSshFolder
from fakes.usage import FakeUsage

IMAGES = """
images:
  starter:
    reference: ds01/starter:latest
    title: Starter
    gpu_recommended: true
  heavy:
    reference: lab/heavy:2
    title: Heavy
    groups: [researcher]
default: starter
"""
POLICY = ONE_SLOT.replace("max_gpu_slots: 1", "max_gpu_slots: 2", 1)
ROLES = {"boss": Role.ADMIN, "mia": Role.MANAGER}
"""Everybody else is a student."""

ENOUGH = Rate(burst=100_000.0, per_second=100_000.0)
PREFIX = "/ds01"


class _Policy(FakePolicy):
    problems: tuple[Any, ...] = ()


@dataclass
class Told:
    """An answer."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class ApiLab:
    """The fakes, and the API that stands on them."""

    folder: Path
    rate: Rate = ENOUGH
    builder: Builder | None = None
    url: str = ""
    hub: FakeHub = field(default_factory=FakeHub)
    spawning: FakeHubSpawning = field(default_factory=FakeHubSpawning)
    link: FakeEngineLink = field(default_factory=FakeEngineLink)
    usage: FakeUsage = field(default_factory=FakeUsage)
    table: FakeProcessTable = field(default_factory=FakeProcessTable)
    seconds: Iterator[int] = field(default_factory=lambda: count(step=100))
    ssh_folder: FakeSshFolder = field(default_factory=FakeSshFolder)
    mark: FakeLeavingMark = field(default_factory=FakeLeavingMark)

    def __post_init__(self) -> None:
        self.config = self.folder / "config"
        self.config.mkdir()
        (self.config / "resource-limits.yaml").write_text(POLICY)
        self.log = self.folder / "events.jsonl"
        life = LifecycleLab(POLICY)
        self.lab: Lab = life.lab
        self.lab.policy = _Policy(POLICY)
        self.lab.events = cast(FakeEventLog, EventFile(self.log))
        self.lab.resolve_image = _resolve_image
        self.lab.restart()
        self.hub = life.hub
        self.reconciler = life.reconciler
        carbon = CarbonFiles(self.config)
        platform = SimpleNamespace(
            **{name: getattr(self.lab, name) for name in _PARTS},
            instance="here",
            ssh_access=SshAccess(
                accounts=self.lab.accounts, ledger=self.lab.ledger, folder=self.ssh_folder
            ),
            zone=UTC,
            gpu_config=GpuConfig(),
            images=parse_images(IMAGES, "images.yaml"),
            directories=SimpleNamespace(config=self.config, events=self.log),
            reconciler=lambda _hub: self.reconciler,
            build_catalogue=STARTER,
            usage=self.usage,
            reports=Reports(
                clock=self.lab.clock,
                ledger=self.lab.ledger,
                source=lambda: carbon.config().source,
            ),
            health=self._health,
            disk_room=DiskRoom(lambda: "/"),
            stillness=Stillness(),
            leaving_mark=self.mark,
            binds=Binds(self.lab.paths, FakeStage()),
            attribution=Attribution(
                clock=self.lab.clock,
                probe=self.lab.probe,
                table=self.table,
                engine=self.lab.engine,
                accounts=self.lab.accounts,
                monotonic=lambda: float(next(self.seconds)),
            ),
        )
        self.link.answers["GET /images/json"] = Answer(200, [])
        starter = {"Id": f"sha256:{1:064}", "RepoTags": ["ds01/starter:latest"], "Config": {}}
        self.link.answers["GET /images/ds01/starter:latest/json"] = Answer(200, starter)
        threads = Threads(4)
        self.creator = FakeCreator(self.lab, threads)
        self.api = Api(
            platform=cast(Platform, platform),
            threads=threads,
            engine=cast(EngineLink, self.link),
            hub=self.hub,
            builds=self.builder,
            creating=self.creator,
            spawning=self.spawning,
            named_servers=10,
        )
        self.served = served_by(self.api, self.rate)

    def _health(self, hub: Callable[[], HubClient | None], *, inside: bool) -> Health:
        """Checks of the fakes; the machine is not looked at."""
        assert inside
        lab, look = self.lab, FakeMachineLook()
        parts = Parts(
            clock=lab.clock,
            engine=lambda: lab.engine,
            cgroups=lambda: lab.cgroups,
            probe=lambda: lab.probe,
            policy=lambda: cast("_Policy", lab.policy),
            ledger=lambda: lab.ledger,
            care=lambda: cast(FakeLedger, lab.ledger),
            ledger_path="/ledger.sqlite",
            accounts=lab.accounts,
            images=lambda: parse_images(IMAGES, "images.yaml"),
            machine=look,
        )
        services = Services(
            clock=lab.clock,
            ledger=lambda: lab.ledger,
            hub=hub,
            public_url="",
            gateway=None,
            exporter_url="http://127.0.0.1:484/-/healthy",
            machine=look,
        )
        return Health(
            (*part_checks(parts), *service_checks(services)), monotonic=lab.clock.monotonic
        )

    def server(self, user: str, name: str = "jupyter", gpu: str = "mig") -> str:
        """The engine's id of a server that runs, and that the hub has."""
        container_id = self.lab.run(user, gpu, name=name)
        self.hub.add(user, "" if name == "jupyter" else name)
        return container_id

    def container(self, user: str, name: str = "run", gpu: str = "none") -> str:
        """The engine's id of a container that a Docker client started."""
        request = self.lab.request(user, gpu, name=name, interface=Interface.DOCKER)
        return self.lab.launch(request, self.lab.granted(request))

    def elsewhere(self, user: str, name: str = "run", gpu: str = "mig") -> str:
        """The engine's id of a container that another installation on the engine made."""
        container_id = self.container(user, name, gpu)
        made = self.lab.engine.container(container_id)
        assert made is not None
        marks = {**made.labels, labels.INSTANCE: "elsewhere"}
        self.lab.engine.put(replace(made, labels=marks))
        return container_id

    def waiting(self, user: str, name: str = "jupyter") -> Ticket:
        """A place in the queue of somebody who waits: others have taken every slot."""
        taken = 0
        while isinstance(answer := self._asked(f"p{taken:02}"), Grant):
            taken += 1
        self.lab.admission.cancel(answer.ticket)
        return self.lab.queued(self.lab.request(user, name=name)).ticket

    def _asked(self, user: str) -> Grant | Queued:
        return self.lab.admission.admit(self.lab.request(user), wait=True)

    def events(self, action: str) -> list[dict[str, Any]]:
        """Lines of the log with that action."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [each for each in map(json.loads, lines) if each["action"] == action]

    async def ask(  # noqa: PLR0917 - the parts of a request
        self,
        user: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Told:
        """The answer to one request; `user` may be empty."""
        answer = await self._fetch(user, method, path, body, headers, raw)
        text = answer.body.decode()
        is_json = text and "json" in answer.headers.get("Content-Type", "")
        return Told(answer.code, json.loads(text) if is_json else text, dict(answer.headers))

    async def _fetch(  # noqa: PLR0917 - the parts of a request
        self,
        user: str,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None,
        raw: bytes | None,
    ) -> HTTPResponse:
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = {} if sent is None else {"Content-Type": "application/json"}
        return await AsyncHTTPClient().fetch(
            f"{self.url}{PREFIX}{path}",
            method=method,
            headers={"X-User": user, **kind, **(headers or {})},
            body=sent,
            allow_nonstandard_methods=True,
            raise_error=False,
            follow_redirects=False,
        )


_PARTS = (
    *("policy", "probe", "ledger", "clock", "accounts", "cgroups", "engine", "audit"),
    *("admission", "launcher", "outlook", "keep_alives", "servers", "starts"),
)


def _resolve_image(_user: str, _group: str | None, text: str) -> str:
    if text not in {"", "image", "ds01/starter:latest"}:
        raise Forbidden(f"The image {text} is not offered to you.", "Choose another.")
    return "image"


async def by_header(handler: RequestHandler) -> Requester | None:
    """Who the header says; a test's stand-in for kernel and hub."""
    user = handler.request.headers.get("X-User", "")
    if not user:
        return None
    return Requester(user, ROLES.get(user, Role.STUDENT))


def socket_like(lab: ApiLab) -> Application:
    """The API as on the Unix socket, but for who says who asks."""
    return application(lab.served, by_header, PREFIX)


@asynccontextmanager
async def api_lab(
    folder: Path,
    rate: Rate = ENOUGH,
    builder: Builder | None = None,
    *,
    make: Callable[[ApiLab], Application] = socket_like,
    port: int = 0,
) -> AsyncIterator[ApiLab]:
    """A lab whose API answers on loopback."""
    lab = ApiLab(folder, rate, builder)
    (listener,) = bind_sockets(port, "127.0.0.1")
    port = listener.getsockname()[1]
    server = http_server(make(lab))
    server.add_socket(listener)
    lab.url = f"http://127.0.0.1:{port}"
    try:
        yield lab
    finally:
        server.stop()
        await server.close_all_connections()
        lab.api.threads.close()


def minutes(count: float) -> timedelta:
    """A time."""
    return timedelta(minutes=count)


@contextmanager
def api_lab_beside(
    folder: Path, *, make: Callable[[ApiLab], Application] = socket_like, port: int = 0
) -> Iterator[ApiLab]:
    """The same in a thread of its own, for clients that block."""
    ready: Future[ApiLab] = Future()
    ended = threading.Event()

    async def serve() -> None:
        builder = FakeBuilder()
        builder.may_end.set()
        async with api_lab(folder, ENOUGH, builder, make=make, port=port) as lab:
            ready.set_result(lab)
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield ready.result(timeout=30)
    finally:
        ended.set()
        thread.join(timeout=30)
