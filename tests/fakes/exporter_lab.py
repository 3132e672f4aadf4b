"""The exporter on fakes: a lab in which something of everything goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ds01_spawner.domain.allocation import Ticket, UsageInterval
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.card_health import (
    CardHealth,
    EccErrors,
    FaultCount,
    RemappedRows,
    RetiredPages,
    ThrottleReason,
)
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import CardPower, Inventory, SlotActivity
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.event_counts import DECISIONS, PHASES, WAITS
from ds01_spawner.exporter.facts import ServiceFacts
from ds01_spawner.exporter.reading import Parts, Reading
from ds01_spawner.operations.attribution.scan import Attribution
from ds01_spawner.operations.lifecycle.enforce import LEASE
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import ContainerList
from ds01_spawner.ports.usage import ContainerUsage
from fakes.accounts import FakeAccounts
from fakes.clock import EPOCH
from fakes.lab import Lab
from fakes.ledger import FakeLedger
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe, small_lab
from fakes.process_table import FakeProcessTable
from fakes.usage import FakeUsage

POLICY = """
defaults:
  max_gpu_slots: 2
  max_gpu_slots_per_container: 1
  max_gpu_equivalents: 1.0
  max_containers_per_user: 3
  storage: 100G
  aggregate:
    cpus: 8
    memory: 32G
groups:
  student:
    priority: 10
    members: [alice, bob]
  researcher:
    priority: 60
    max_gpu_slots: 4
    max_gpu_equivalents: 4.0
    allow_full_gpu: true
    members: [carol]
default_group: student
"""
GIB = 1024**3
RAW = "b2" * 32
CULLER = """# HELP ds01_culler_passes_total Passes by outcome.
# TYPE ds01_culler_passes_total counter
ds01_culler_passes_total{outcome="good"} 7.0
# HELP ds01_culler_last_good_pass_timestamp_seconds When the last good pass ended.
# TYPE ds01_culler_last_good_pass_timestamp_seconds gauge
ds01_culler_last_good_pass_timestamp_seconds 1.7698607e+09
"""


@dataclass
class PolicyOfFiles:
    """A policy, with what is known of its files.

    Attributes:
        inner: The policy.
        problems: What is wrong with them.
        loaded_at: When they were read.
    """

    inner: FakePolicy
    problems: Sequence[object] = ()
    loaded_at: datetime | None = EPOCH

    def current(self) -> Policy:
        return self.inner.current()


@dataclass
class ExporterLab:
    """Parts that a test may break, and the exporter that reads them.

    Attributes:
        folder: Where the event log's file is.
        present: The GPUs.
        bound_seconds: How long a scrape waits.
    """

    folder: Path = Path("/nonexistent")
    present: Inventory = field(default_factory=small_lab)
    bound_seconds: float = 4.0

    def __post_init__(self) -> None:
        self.lab = Lab(policy=FakePolicy(POLICY), probe=FakeProbe(self.present))
        self.policy = PolicyOfFiles(self.lab.policy)
        self.accounts = FakeAccounts()
        self.table = FakeProcessTable()
        self.usage = FakeUsage()
        self.xids: dict[tuple[str, int], FaultCount] | None = {}
        self.services = ServiceFacts()
        self.places: dict[str, str] = {"state": "/", "events": "/", "homes": "/", "engine": "/"}
        self.seconds = 0.0
        self.restart()

    @property
    def ledger(self) -> FakeLedger:
        assert isinstance(self.lab.ledger, FakeLedger)
        return self.lab.ledger

    def restart(self, data_root: Callable[[], str | None] = lambda: None) -> None:
        """A new process."""
        self.reading = Reading(
            Parts(
                clock=self.lab.clock,
                engine=lambda: self.lab.engine,
                probe=lambda: self.lab.probe,
                ledger=lambda: self.ledger,
                policy=lambda: self.policy,
                usage=lambda: self.usage,
                attribution=self._attribution,
                events=self.lab.events,
                log_file=self.folder / "events.jsonl",
                faults=self._faults,
                ledger_bytes=lambda: 40_960,
                places=lambda: self.places,
                services=lambda: self.services,
                excluded=lambda _inventory: self.lab.excluded,
                version="0.0-test",
                instance=lambda: "here",
                data_root=data_root,
            )
        )
        self.exporter = Exporter(
            self.reading, bound_seconds=self.bound_seconds, monotonic=lambda: self.seconds
        )

    def text(self) -> str:
        """What Prometheus gets: a new scrape each time."""
        self.seconds += 10
        return self.exporter.text()

    def scrape(self) -> "Scraped":
        """The same, to be asked."""
        return Scraped(self.text())

    def write(self, action: str, user: str | None = None, **more: object) -> None:
        """Let somebody write an event."""
        details = more.pop("details", {})
        assert isinstance(details, Mapping)
        said = {"resource": "r", "actor": "hub", "interface": "hub", "outcome": "ok", **more}
        self.lab.events.append(
            Event(self.lab.clock.now(), user, action, details=details, **said)  # type: ignore[arg-type]
        )

    def busy(self, slot: str, share: float, *processes: GpuProcess) -> None:
        """Let a slot compute."""
        uuid = self.lab.probe.slot(slot).uuid
        pids = tuple(each.pid for each in processes if each.computes)
        draws = tuple(each.pid for each in processes if not each.computes)
        self.lab.probe.busy[uuid] = SlotActivity(share, 2 * GIB, pids, draws)
        self.lab.probe.shares[uuid] = tuple(replace(each, uuid=uuid) for each in processes)

    def _attribution(self, engine: ContainerList) -> Attribution:
        return Attribution(
            clock=self.lab.clock,
            probe=self.lab.probe,
            table=self.table,
            engine=engine,
            accounts=self.accounts,
            monotonic=lambda: self.seconds,
        )

    def _faults(self) -> Mapping[tuple[str, int], FaultCount]:
        if self.xids is None:
            raise Unavailable("The kernel's log cannot be read: Operation not permitted.")
        return self.xids


class Scraped:
    """What a scrape gave."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = tuple(sorted(sample.labels.items()))
                self._values.setdefault(sample.name, {})[key] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """The one row that has exactly these labels."""
        return self._values.get(name, {}).get(tuple(sorted(labels.items())))

    def rows(self, name: str) -> dict[tuple[str, ...], float]:
        """Every row, by its labels' values in the order of the labels' names."""
        found = self._values.get(name, {})
        return {tuple(value for _, value in key): each for key, each in found.items()}

    def up(self) -> dict[str, bool]:
        """Which parts could be read whole."""
        return {key[0]: bool(value) for key, value in self.rows("ds01_collector_up").items()}

    def down(self) -> set[str]:
        """Those that could not."""
        return {part for part, up in self.up().items() if not up}


def lively_lab(folder: Path = Path("/nonexistent")) -> ExporterLab:
    """A lab in which every metric has a row: what boards and rules are checked against."""
    lab = ExporterLab(folder)
    lab.text()  # what is counted is counted from here on
    lab.seconds += 600  # and nothing of this is young any more
    core = lab.lab
    alice, carol = core.run("alice"), core.run("carol", "full")
    core.run("bob", "none", count=0)
    core.engine.put(
        Container(
            id=RAW,
            name="raw",
            state=ContainerState.RUNNING,
            labels={},
            created_at=core.clock.now(),
            demand=DeviceDemand(indices=("3",)),
        )
    )
    _machine(lab, alice)
    for key in (alice, carol):
        lab.usage.used[key] = ContainerUsage(cpu_seconds=12.5, memory_bytes=3 * GIB)
    _books(lab)
    _events(lab)
    lab.xids = {
        ("0000:01:00", 79): FaultCount(2, core.clock.now()),
        ("0000:ff:00", 13): FaultCount(1, core.clock.now()),
    }
    lab.services = ServiceFacts(
        answers={"hub": True, "gateway": True},
        last_good={name: core.clock.now() for name in ("hub", "gateway", "culler")},
        passed_on=list(text_string_to_metric_families(CULLER)),
    )
    return lab


def _machine(lab: ExporterLab, alice: str) -> None:
    core = lab.lab
    taken = {user: slot for slot, user in core.taken().items()}
    lab.table.put(100, cgroup=f"0::/docker/{alice}\n")
    lab.table.put(200, uid=0, cgroup="0::/system.slice/x.service\n")
    lab.table.put(300, cgroup=f"0::/docker/{'f' * 64}\n")
    lab.busy(taken["alice"], 0.75, GpuProcess(100, "", memory_bytes=GIB, sm_share=0.7))
    lab.busy("1:4", 0.1, GpuProcess(200, "", memory_bytes=GIB), GpuProcess(300, ""))
    for gpu in core.probe.present.gpus:
        core.probe.healths[gpu.uuid] = CardHealth(
            power=CardPower(180.0, 5_000_000.0),
            temperature_celsius=61.0,
            slowdown_celsius=92.0,
            power_limit_watts=250.0,
            sm_hertz=1.41e9,
            memory_hertz=1.215e9,
            throttled=frozenset({ThrottleReason.POWER}) if gpu.index == 0 else frozenset(),
            ecc=EccErrors(3, 0),
            retired=RetiredPages(1, 0),
            remapped=RemappedRows(0, 0, pending=False, failed=False),
            pci_bus_id=f"0000:{gpu.index + 1:02x}:00",
        )


def _books(lab: ExporterLab) -> None:
    now = lab.lab.clock.now()
    hour = 3600 * 10**6
    amount = Amount(
        held_microseconds=5 * hour,
        seen_microseconds=5 * hour,
        measured_microseconds=5 * hour,
        busy_microseconds=2 * hour,
        metered_microseconds=5 * hour,
        energy_millijoules=720_000_000,
        rated_millijoules=720_000_000,
        co2e_micrograms=76_000_000,
    )
    with lab.ledger.transaction() as transaction:
        for user, group in (("alice", "student"), ("carol", "researcher")):
            holder = Holder(user, group, "", "hub", "1g.5gb", 1 / 7)
            transaction.book_usage(Grain.HOUR, [Booking(holder, now, amount)])
            home = StorageUse(user, 20 * GIB, now, "quota", limit_bytes=100 * GIB)
            transaction.put_storage(home)
        transaction.put_usage(
            [UsageInterval("c", "MIG-lab-0-0", "alice", 1 / 7, now - timedelta(hours=1))]
        )
        transaction.put_ticket(
            Ticket(
                id="t1",
                user="bob",
                container_name=container_name("work", "bob"),
                gpu=GpuRequest.parse("mig", 1),
                priority=10,
                created_at=now - timedelta(minutes=10),
                seen_at=now,
            )
        )
        transaction.put_bare_metal_grant(
            BareMetalGrant(
                user="carol",
                uid=1002,
                reason="drivers",
                granted_by="root",
                granted_at=now,
                until=now + timedelta(hours=8),
                boot_id="boot-1",
                uptime_seconds=1.0,
            )
        )
        transaction.take_lease(LEASE, "culler-1", lab.lab.clock.mark(), 300.0)


def _events(lab: ExporterLab) -> None:
    phases = dict.fromkeys(PHASES, 120)
    lab.write("server.spawn", "alice", details={"end": "ready", "phases_ms": phases})
    for end, cause in (
        ("refused", "max_gpu_slots"),
        ("failed", "not_ready"),
        ("cancelled", "cancelled"),
    ):
        outcome = "refused" if end == "refused" else "failed"
        lab.write("server.spawn", "bob", outcome=outcome, details={"end": end, "cause": cause})
    lab.write("gpu.allocate", "alice", details={"waited_seconds": 75.0, "decided_ms": 8})
    lab.write("quota.reject", "bob", outcome="refused", details={"decided_ms": 3})
    lab.write("gpu.unqueue", "bob", details={"waited_seconds": 30.0})
    lab.write("cleanup.ticket", "bob", details={"waited_seconds": 900.0})
    rule = "container_types.hub.idle_timeout"
    lab.write("cleanup.idle", "bob", actor="culler", details={"rule": rule})
    assert len(WAITS) == 3
    assert len(DECISIONS) == 2
