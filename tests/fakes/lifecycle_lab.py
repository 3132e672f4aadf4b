"""The lifecycle service on fakes: minutes pass, and a process may be killed anywhere."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import ContainerSample, JupyterSample
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.work import RuleStop, SentWarning, Track
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.audit.troubles import Troubles
from ds01_spawner.operations.lifecycle.board import Board
from ds01_spawner.operations.lifecycle.checks import Checks
from ds01_spawner.operations.lifecycle.enforce import Enforcer, PassReport, Terms
from ds01_spawner.operations.lifecycle.pass_record import PassRecord
from ds01_spawner.operations.lifecycle.plan import Lifecycle
from ds01_spawner.operations.lifecycle.removals import Removals
from ds01_spawner.operations.lifecycle.stops import Patience, Stops
from ds01_spawner.operations.lifecycle.telling import Telling
from ds01_spawner.operations.notices.echoes import Echoes
from ds01_spawner.operations.notices.notify import Outbox
from ds01_spawner.operations.repair.leftovers import Leftovers
from ds01_spawner.operations.repair.reconcile import Reconciler
from ds01_spawner.operations.usage.books import Books
from fakes.activity import FakeActivityProbe, FakeContainerProcesses
from fakes.channels import FakeChannels
from fakes.hub import FakeHub
from fakes.jupyter_servers import FakeJupyterServers
from fakes.keep_alive_files import FakeKeepAliveFiles
from fakes.lab import Lab
from fakes.notice_board import FakeNoticeBoard
from fakes.policy import FakePolicy

POLICY = """
defaults:
  max_gpu_slots: 4
  max_gpu_slots_per_container: 1
  max_gpu_equivalents: 4.0
  allow_full_gpu: true
  max_containers_per_user: 9
  idle_timeout: 2h
  max_runtime: 24h
  gpu_hold_after_stop: 15m
  container_hold_after_stop: 30m
  policies:
    startup_grace: 30m
"""
LEASE_SECONDS = 185.0


class Killed(BaseException):
    """`kill -9`: nothing after it is done, and nobody catches it."""


class AtOnce(Executor):
    """Runs what it is given before `submit` returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:  # noqa: BLE001 - as a thread would keep it
            future.set_exception(exc)
        return future


@dataclass
class LifecycleLab:
    """A lab, its hub, and one process of the service after the other."""

    policy: str = POLICY
    lab: Lab = field(init=False)

    def __post_init__(self) -> None:
        self.lab = Lab(policy=FakePolicy(self.policy))
        self.hub = FakeHub()
        self.hub.on_stop = self._hub_stops
        self.counters = FakeActivityProbe()
        self.counters.pid_of = self.lab.engine.pid_of
        self.jupyter = FakeJupyterServers()
        self.files = FakeKeepAliveFiles()
        self.processes = FakeContainerProcesses()
        self.board = FakeNoticeBoard()
        self.channels = FakeChannels()
        self.generation = 0
        self.restart()

    def restart(self) -> None:
        """A new process of the service: it knows what the ledger knows."""
        lab = self.lab
        self.generation += 1
        self.echoes = Echoes()
        self.lifecycle = Lifecycle(
            policy=lab.policy,
            engine=lab.engine,
            admission=lab.admission,
            checks=Checks(activity=self.counters, jupyter=self.jupyter),
            keep_alive_files=self.files,
            echoes=self.echoes,
            hub=self.hub,
        )
        self.outbox = Outbox(
            clock=lab.clock,
            ledger=lab.ledger,
            engine=lab.engine,
            processes=self.processes,
            channels=self.channels,
            audit=lab.audit,
            zone=UTC,
            echoes=self.echoes,
        )
        telling = Telling(policy=lab.policy, outbox=self.outbox, audit=lab.audit, zone=UTC)
        self.stops = Stops(
            clock=lab.clock,
            ledger=lab.ledger,
            engine=lab.engine,
            hub=self.hub,
            lifecycle=self.lifecycle,
            telling=telling,
            audit=lab.audit,
            patience=Patience(timedelta(seconds=5), self.wait_seconds),
        )
        self.enforcer = Enforcer(
            clock=lab.clock,
            ledger=lab.ledger,
            lifecycle=self.lifecycle,
            record=PassRecord(telling=telling, audit=lab.audit),
            stops=self.stops,
            removals=Removals(
                clock=lab.clock,
                ledger=lab.ledger,
                engine=lab.engine,
                admission=lab.admission,
                audit=lab.audit,
            ),
            board=Board(ledger=lab.ledger, board=self.board),
            processes=self.processes,
            troubles=Troubles(lab.audit),
            executor=AtOnce(),
            terms=Terms(f"process-{self.generation}", LEASE_SECONDS, LEASE_SECONDS / 2),
        )
        leftovers = Leftovers(
            clock=lab.clock,
            cgroups=lab.cgroups,
            ledger=lab.ledger,
            hub=self.hub,
            audit=lab.audit,
            instance="here",
        )
        leftovers.recall()
        self.reconciler = Reconciler(
            clock=lab.clock,
            policy=lab.policy,
            engine=lab.engine,
            ledger=lab.ledger,
            admission=lab.admission,
            aggregates=Aggregates(cgroups=lab.cgroups, audit=lab.audit),
            audit=lab.audit,
            hub=self.hub,
            leftovers=leftovers,
            books=Books(ledger=lab.ledger, events=lab.events, probe=lab.probe, instance="here"),
        )
        self.while_waiting: Callable[[], None] = lambda: None

    def wait_seconds(self, seconds: float) -> None:
        """What a thread of the service sleeps."""
        self.lab.clock.advance(timedelta(seconds=seconds))
        self.while_waiting()

    def run(
        self,
        user: str = "alice",
        gpu: str = "mig",
        name: str = "jupyter",
        interface: Interface = Interface.HUB,
    ) -> str:
        """The engine's id of a container that runs now, of a server that the hub knows."""
        request = self.lab.request(user, gpu, name=name, interface=interface)
        container_id = self.lab.launch(request, self.lab.granted(request))
        if interface is Interface.HUB:
            server = "" if name == "jupyter" else name
            self.hub.add(user, server)
            self.jupyter.samples[container_id] = JupyterSample()
        return container_id

    def stop(self, user: str = "alice", name: str = "jupyter") -> None:
        """The person stops a server on the hub's page."""
        self.hub.known.pop((user, "" if name == "jupyter" else name), None)
        self.lab.stop(user, name)

    def uses_cpu(self, container_id: str, seconds: float) -> None:
        """It has computed so much since the last pass."""
        before = self.counters.by_id.get(container_id, ContainerSample(0.0, 0, 0))
        self.counters.by_id[container_id] = replace(
            before, cpu_seconds=(before.cpu_seconds or 0.0) + seconds
        )

    def kernel(self, container_id: str, *, busy: int = 0) -> None:
        """Its server says that so many kernels are busy."""
        self.jupyter.samples[container_id] = JupyterSample(
            busy_kernels=busy, kernels_active_at=self.lab.clock.now()
        )

    def terminal(self, container_id: str) -> None:
        """Something is typed or shown in a terminal of its server."""
        self.jupyter.samples[container_id] = replace(
            self.jupyter.samples[container_id], terminals_active_at=self.lab.clock.now()
        )

    def gpu(self, container_id: str, utilisation: float) -> None:
        """Its GPU slots are that busy."""
        container = self.lab.engine.container(container_id)
        assert container is not None
        for uuid in labels.gpu_uuids_of(container.labels):
            self.lab.probe.busy[uuid] = SlotActivity(utilisation, 0, ())

    def one_pass(self) -> PassReport:
        """A minute passes, then the service looks."""
        self.lab.wait(60)
        report = self.enforcer.run()
        self.outbox.deliver_due()
        return report

    def minutes(self, count: int, each: Callable[[], None] = lambda: None) -> None:
        """So many passes, a minute apart; `each` happens before every one."""
        for _ in range(count):
            each()
            self.one_pass()

    def until(self, done: Callable[[], bool], limit: int = 3000) -> int:
        """Passes until something is so; how many it took."""
        for passes in range(1, limit + 1):
            self.one_pass()
            if done():
                return passes
        raise AssertionError(f"not within {limit} passes")

    def lives(self, container_id: str) -> bool:
        """Whether the container runs."""
        found = self.lab.engine.container(container_id)
        return found is not None and found.state.is_live

    def container(self, user: str = "alice", name: str = "jupyter") -> Container | None:
        """The person's container as the engine shows it."""
        return self.lab.container(user, name)

    def track(self, container_id: str) -> Track:
        """What the ledger remembers of a container."""
        with self.lab.ledger.transaction() as transaction:
            return next(each for each in transaction.tracks() if each.container_id == container_id)

    def warnings(self) -> list[SentWarning]:
        """Every warning given to containers that exist."""
        with self.lab.ledger.transaction() as transaction:
            return list(transaction.warnings())

    def rule_stops(self) -> list[RuleStop]:
        """Every stop by rule."""
        with self.lab.ledger.transaction() as transaction:
            return list(transaction.rule_stops())

    def notices(self, *kinds: NoticeKind) -> list[Notice]:
        """What people were told, of these kinds or of all."""
        with self.lab.ledger.transaction() as transaction:
            found = transaction.notices_since(self.lab.clock.now() - timedelta(days=365))
        return [each for each in found if not kinds or each.kind in kinds]

    def standing(self, user: str = "alice", name: str = "jupyter") -> tuple[NoticeKind, ...]:
        """What stands on the board of a container now."""
        return tuple(each.kind for each in self.board.standing.get((user, name), ()))

    def events(self, action: str) -> list[Mapping[str, object]]:
        """Details of every event of an action."""
        return [each.details for each in self.lab.events.of(action)]

    def _hub_stops(self, user: str, server: str) -> None:
        self.lab.servers.stop(container_name(server or "jupyter", user), interface="hub")
