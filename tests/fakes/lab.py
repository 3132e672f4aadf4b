"""The core of the platform on fakes: who asks gets an answer, and time passes when told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import Site
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.domain.strategies import STRATEGIES
from ds01_spawner.operations.allocation.admission import Admission, Grant, Queued, Rules
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.allocation.observe import Observer
from ds01_spawner.operations.allocation.readmission import Readmission
from ds01_spawner.operations.allocation.succession import Succession
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.containers.binds import Binds
from ds01_spawner.operations.containers.launch import Launcher, Progress, Step
from ds01_spawner.operations.containers.readiness import Readiness
from ds01_spawner.operations.containers.servers import Servers
from ds01_spawner.operations.containers.starts import Starts
from ds01_spawner.operations.lifecycle.keep_alive import KeepAlives
from ds01_spawner.operations.lifecycle.outlook import Outlook
from ds01_spawner.operations.lifecycle.survey import Survey
from ds01_spawner.ports import Ledger
from fakes.accounts import FakeAccounts
from fakes.cgroups import FakeCgroups
from fakes.clock import FakeClock
from fakes.engine import FakeEngine
from fakes.event_log import FakeEventLog
from fakes.folders import FakePaths, FakeRoots, FakeStage, FakeVolumeFolders
from fakes.ledger import FakeLedger
from fakes.notice_board import FakeNoticeBoard
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe

POLICY = """
defaults:
  max_gpu_slots: 1
  max_gpu_slots_per_container: 1
  max_gpu_equivalents: 1.0
  max_containers_per_user: 3
  gpu_hold_after_stop: 15m
  container_hold_after_stop: 30m
groups:
  student:
    priority: 10
  researcher:
    priority: 60
    max_gpu_slots: 4
    max_gpu_slots_per_container: 4
    max_gpu_equivalents: 4.0
    allow_full_gpu: true
default_group: student
"""


class TickingClock(FakeClock):
    """Like a real one, no two readings are the same."""

    def now(self) -> datetime:
        self.advance(timedelta(microseconds=1))
        return super().now()


def resolve_image(user: str, group: str | None, text: str) -> str:
    """A catalogue of one image."""
    del user, group
    if text not in {"", "image"}:
        raise Forbidden(f"The image {text} is not offered to you.", "Choose another.")
    return "image"


@dataclass
class Lab:
    """Admission, launcher and servers, and the fakes that they stand on."""

    policy: FakePolicy = field(default_factory=lambda: FakePolicy(POLICY))
    probe: FakeProbe = field(default_factory=FakeProbe)
    ledger: Ledger = field(default_factory=FakeLedger)
    clock: FakeClock = field(default_factory=TickingClock)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    cgroups: FakeCgroups = field(default_factory=FakeCgroups)
    events: FakeEventLog = field(default_factory=FakeEventLog)
    board: FakeNoticeBoard = field(default_factory=FakeNoticeBoard)
    strategy: str = "least_allocated"
    excluded: frozenset[str] = frozenset()
    zone: tzinfo = UTC
    resolve_image: Callable[[str, str | None, str], str] = resolve_image

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.clock)
        self.paths, self.volumes = FakePaths(), FakeVolumeFolders()
        self.restart()

    def restart(self) -> None:
        """A new process: it knows what engine and ledger know, and nothing else."""
        self.audit = Audit(self.clock, self.events, "hub")
        self.admission = Admission(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            cgroups=self.cgroups,
            ledger=self.ledger,
            board=self.board,
            observer=Observer(self.clock, self.engine, self.probe),
            audit=self.audit,
            rules=Rules(
                strategy=STRATEGIES[self.strategy],
                resolve_image=self.resolve_image,
                may_pull=lambda _reference: True,
                site=Site(instance="here", is_main=True),
                excluded_gpus=lambda _inventory: self.excluded,
            ),
            monotonic=self.clock.monotonic,
        )
        self.launcher = Launcher(
            admission=self.admission,
            engine=self.engine,
            aggregates=Aggregates(cgroups=self.cgroups, audit=self.audit),
            succession=Succession(clock=self.clock, policy=self.policy, ledger=self.ledger),
            audit=self.audit,
        )
        survey = Survey(policy=self.policy, engine=self.engine, admission=self.admission)
        self.outlook = Outlook(
            clock=self.clock, ledger=self.ledger, survey=survey, monotonic=self.clock.monotonic
        )
        self.keep_alives = KeepAlives(
            clock=self.clock, ledger=self.ledger, survey=survey, audit=self.audit
        )
        self.servers = Servers(
            admission=self.admission, engine=self.engine, policy=self.policy, audit=self.audit
        )
        self.starts = Starts(
            admission=self.admission,
            readmission=Readmission(
                clock=self.clock,
                ledger=self.ledger,
                observer=Observer(self.clock, self.engine, self.probe),
                admission=self.admission,
            ),
            engine=self.engine,
            aggregates=Aggregates(cgroups=self.cgroups, audit=self.audit),
            succession=Succession(clock=self.clock, policy=self.policy, ledger=self.ledger),
            outlook=self.outlook,
            audit=self.audit,
            readiness=Readiness(
                self.accounts, FakeRoots(), Binds(self.paths, FakeStage()), self.volumes
            ),
        )

    def request(  # noqa: PLR0917 - what a person says
        self,
        user: str,
        gpu: str = "mig",
        count: int = 1,
        name: str = "jupyter",
        interface: Interface = Interface.HUB,
        groups: tuple[str, ...] = (),
    ) -> LaunchRequest:
        """What a door gathers."""
        return LaunchRequest(
            user, name, interface, "image", GpuRequest.parse(gpu, count), hub_groups=groups
        )

    def granted(self, request: LaunchRequest, ticket: Ticket | None = None) -> Grant:
        """The grant, which must come at once."""
        answer = self.admission.admit(request, wait=True, ticket=ticket)
        assert isinstance(answer, Grant), answer
        return answer

    def queued(self, request: LaunchRequest, ticket: Ticket | None = None) -> Queued:
        """The place in the queue, which must be the answer."""
        answer = self.admission.admit(request, wait=True, ticket=ticket)
        assert isinstance(answer, Queued), answer
        return answer

    def launch(
        self,
        request: LaunchRequest,
        grant: Grant,
        say: Callable[[Step], None] = lambda _step: None,
        abandoned: threading.Event | None = None,
    ) -> str:
        """The engine's id of the container made from a grant."""
        progress = Progress(say, abandoned or threading.Event())
        return self.launcher.launch(request, grant, grant.spec, progress)

    def run(self, user: str, gpu: str = "mig", count: int = 1, name: str = "jupyter") -> str:
        """The engine's id of a container that runs now."""
        request = self.request(user, gpu, count, name)
        return self.launch(request, self.granted(request))

    def create(self, user: str, gpu: str = "mig", count: int = 1, name: str = "run") -> str:
        """The engine's id of a container that a Docker client made and did not start yet."""
        request = self.request(user, gpu, count, name, Interface.DOCKER)
        grant = self.granted(request)
        return self.launcher.create(request, grant, grant.spec)

    def stop(self, user: str, name: str = "jupyter") -> None:
        """The person stops a container."""
        self.servers.stop(container_name(name, user), interface="hub")

    def container(self, user: str, name: str = "jupyter") -> Container | None:
        """The person's container as the engine shows it."""
        return self.engine.container(container_name(name, user))

    def states(self) -> dict[str, SlotState]:
        """What each slot is doing, by slot id."""
        return {use.slot.id: use.state for use in self.admission.current().occupancy.uses}

    def taken(self) -> dict[str, str | None]:
        """Who has each slot that is not free, by slot id."""
        return {
            use.slot.id: use.user
            for use in self.admission.current().occupancy.uses
            if use.state is not SlotState.FREE
        }

    def reservations(self) -> tuple[Reservation, ...]:
        """The promises in force."""
        now = self.clock.now()
        with self.ledger.transaction() as transaction:
            return tuple(each for each in transaction.reservations() if each.expires_at > now)

    def tickets(self) -> tuple[Ticket, ...]:
        """Everybody in the queue, alive or not."""
        with self.ledger.transaction() as transaction:
            return tuple(transaction.tickets())

    def held_lately(self, hold: timedelta, times: int = 5) -> None:
        """As if slots had been held for so long and given back, so many times, until now."""
        now = self.clock.now()
        ends = [now - timedelta(hours=hours) for hours in range(times)]
        with self.ledger.transaction() as transaction:
            transaction.put_usage(
                [UsageInterval(str(end), "u", "bob", 0.1, end - hold, end) for end in ends]
            )

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(timedelta(seconds=seconds))
