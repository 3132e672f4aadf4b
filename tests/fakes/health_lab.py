"""A lab as `ds01 health` looks at it."""

from datetime import timedelta

from ds01_spawner.domain.carbon import Rates
from ds01_spawner.domain.door import Finding
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.health import Checked, FileFacts, Verdict
from ds01_spawner.domain.keeper import Keeper
from ds01_spawner.operations.health.health import Health
from ds01_spawner.operations.health.machine import Machine, machine_checks
from ds01_spawner.operations.health.parts import Parts, part_checks
from ds01_spawner.operations.health.services import Services, service_checks
from ds01_spawner.policy.images import parse_images
from ds01_spawner.policy.resolution import Policy
from fakes.accounts import FakeAccounts
from fakes.cgroups import FakeCgroups
from fakes.clock import FakeClock
from fakes.engine import FakeEngine
from fakes.hub import FakeHub
from fakes.ledger import FakeLedger
from fakes.machine_doors import FakeGateway
from fakes.machine_look import ROOMY, FakeMachineLook
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe

STATE, CONFIG, RUN, LOG = "/var/lib/ds01", "/etc/ds01", "/run/ds01", "/var/log/ds01"
EVENTS, LEDGER = f"{LOG}/events.jsonl", f"{STATE}/ledger.sqlite"
SECRET = f"{STATE}/cookie-secret"
SOCKET = f"{RUN}/docker.sock"
PUBLIC, EXPORTER = "https://lab.example", "http://127.0.0.1:484/-/healthy"
IMAGES = """
images: {starter: {reference: "ds01/starter:latest", title: Starter}}
default: starter
"""


class EditedPolicy(FakePolicy):
    """A policy that may have an edit that is not in force."""

    problems: tuple[object, ...] = ()
    refusal = ""
    """Why there is none at all."""

    def current(self) -> Policy:
        if self.refusal:
            raise Unavailable(self.refusal, "Ask the administrator.")
        return super().current()


class HealthLab:
    """A lab in which all is well, until a test says otherwise."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock)
        self.cgroups = FakeCgroups()
        self.probe = FakeProbe()
        self.policy = EditedPolicy("defaults: {}")
        self.ledger = FakeLedger()
        self.accounts = FakeAccounts()
        self.images = parse_images(IMAGES, "images.yaml")
        self.engine.images = {"ds01/starter:latest"}
        self.hub: FakeHub | None = FakeHub()
        self.gateway = FakeGateway()
        self.doors: list[Finding] = [Finding("tcp", is_open=False, what="", why="")]
        self.public_url = ""
        self.exporter_named = False
        self.keeper = Keeper()
        self.lock_seconds = 0.0
        self.rates = Rates()
        self.look = FakeMachineLook(
            disks=dict.fromkeys((STATE, LOG, "/home"), ROOMY),
            files={
                STATE: FileFacts(0o750, 0),
                CONFIG: FileFacts(0o755, 0),
                RUN: FileFacts(0o755, 0),
                SECRET: FileFacts(0o600, 0),
                EVENTS: FileFacts(0o640, 0, 4096),
                LEDGER: FileFacts(0o600, 0, 1 << 20),
                SOCKET: FileFacts(0o666, 0, modified_at=self.clock.now()),
            },
        )
        self.pass_was()

    def pass_was(self, ago: timedelta = timedelta(0)) -> None:
        """The lifecycle service went round so long ago."""
        mark = self.clock.mark()
        with self.ledger.transaction() as transaction:
            transaction.put_pass_mark(mark)
        self.clock.advance(ago)

    @property
    def checks(self) -> Health:
        """Everything that is looked at."""
        ticks = iter([0.0, self.lock_seconds])
        parts = Parts(
            clock=self.clock,
            engine=lambda: self.engine,
            cgroups=lambda: self.cgroups,
            probe=lambda: self.probe,
            policy=lambda: self.policy,  # type: ignore[arg-type, return-value]
            ledger=lambda: self.ledger,
            care=lambda: self.ledger,
            ledger_path=LEDGER,
            accounts=self.accounts,
            images=lambda: self.images,
            machine=self.look,
            carbon=lambda: self.rates,
            monotonic=lambda: next(ticks, self.lock_seconds),
        )
        services = Services(
            clock=self.clock,
            ledger=lambda: self.ledger,
            hub=lambda: self.hub,
            public_url=self.public_url,
            gateway=self.gateway,
            exporter_url=EXPORTER,
            exporter_is_named=self.exporter_named,
            machine=self.look,
            doors=lambda: self.doors,
            keeper=self.keeper,
        )
        machine = Machine(
            look=self.look,
            clock=self.clock,
            ledger=lambda: self.ledger,
            places=lambda: {"homes": "/home", "state": STATE, "events": LOG, "engine": "/nowhere"},
            state=STATE,
            config=CONFIG,
            run=RUN,
            events=EVENTS,
            socket=SOCKET,
            secrets=(SECRET, f"{CONFIG}/gateway.env"),
        )
        return Health((*part_checks(parts), *machine_checks(machine), *service_checks(services)))

    def looked(self) -> dict[str, Checked]:
        """What each check found."""
        return {each.name: each for each in self.checks.look()}

    def verdict(self, name: str) -> Verdict:
        """What one check found; the only one that is made."""
        (check,) = (each for each in self.checks._checks if each.name == name)
        (found,) = Health([check]).look()
        return found.verdict
