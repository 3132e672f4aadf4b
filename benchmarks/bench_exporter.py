"""What a scrape costs; exit 1 when a target is missed.

`python benchmarks/bench_exporter.py`. Everything is real but the driver, which is the simulated
one, and the engine, whose list is read from JSON as it comes over its socket: the ledger has a year
of 200 people in it, the event log is a file that grows, cgroups are files, processes are children
of this program. A scrape ends with the text that Prometheus gets.

All are told that 15 s pass between two scrapes, Prometheus' interval: so each reads the driver
anew, and each fourth reads the totals of all time beside it, which are counted in the mean; the
lifecycle service has put the books together today. What the simulated driver takes, where a real
one has its own calls, is told by itself.

Targets: 100 ms, of which 50 ms CPU, with 200 running containers and 28 slots; and four times the
containers take no more than four times as long. The quickest of the scrapes counts for the time,
which other programs disturb, and the mean of all for the CPU.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench_attribution import Listed, Nobody, children
from bench_usage import filled

from ds01_spawner.adapters.activity.kernel_text import Roots
from ds01_spawner.adapters.activity.usage import KernelUsage
from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.policy_files import PolicyFiles
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import Grain, UsageMark
from ds01_spawner.exporter.__main__ import set_apart
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.facts import ServiceFacts
from ds01_spawner.exporter.reading import SLOW_SECONDS, Parts, Reading
from ds01_spawner.operations.attribution.scan import Attribution
from ds01_spawner.operations.usage.all_time import AllTime
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from ds01_spawner.ports import EngineInfo

CONTAINERS = 200
COUNTS = (50, 100, CONTAINERS)
PROCESSES = 56
ROUNDS = 40
INTERVAL_SECONDS = 15.0
TARGET_SECONDS = 0.1
TARGET_CPU_SECONDS = 0.05
GROWTH = 4
MOST_GROWTH = 4.4
"""Four times as many, and what measuring leaves open."""

INFO = EngineInfo("bench", "20.10", "cgroupfs", 2, "/var/lib/docker")
POLICY = Path(__file__).parent.parent / "config"
_V2_MEMORY = (
    *("anon", "file", "kernel", "kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock"),
    *("vmalloc", "shmem", "file_mapped", "file_dirty", "file_writeback", "swapcached", "anon_thp"),
    *("file_thp", "shmem_thp", "inactive_anon", "active_anon", "inactive_file", "active_file"),
    *("unevictable", "slab_reclaimable", "slab_unreclaimable", "slab", "pgscan", "pgsteal"),
    *("workingset_refault_anon", "workingset_refault_file", "workingset_activate_anon"),
    *("workingset_activate_file", "workingset_restore_anon", "workingset_restore_file"),
    *("workingset_nodereclaim", "pgfault", "pgmajfault", "pgrefill", "pgactivate"),
    *("pgdeactivate", "pglazyfree", "pglazyfreed", "thp_fault_alloc", "thp_collapse_alloc"),
)
"""Lines of `memory.stat` as Linux 6.1 has them: what is looked for is in the middle."""


class Intervals:
    """A clock that stands still but for the time between two scrapes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class WithSlots(Listed):
    """The same, where the first containers have a slot each."""

    def __init__(self, containers: int, uuids: list[str]) -> None:
        super().__init__(containers)
        listed = json.loads(self._text)
        for each, uuid in zip(listed, uuids, strict=False):
            each["Labels"] |= {"ds01.gpu.uuids": uuid, "ds01.group": "student"}
        self._text = json.dumps(listed)


def cgroups(folder: Path, containers: int) -> Roots:
    """Files of so many containers, as cgroup v2 has them."""
    stat = "".join(f"{name} 4096\n" for name in _V2_MEMORY)
    cpu = "".join(f"{name} 0\n" for name in ("nr_periods", "nr_throttled", "throttled_usec"))
    for number in range(containers):
        place = folder / "docker" / f"{number:064x}"
        place.mkdir(parents=True)
        (place / "cpu.stat").write_text(f"usage_usec 123456789\nuser_usec 1\nsystem_usec 1\n{cpu}")
        (place / "memory.current").write_text("1073741824\n")
        (place / "memory.stat").write_text(stat)
    return Roots(cgroup=str(folder))


def simulated(state: Path, now: Intervals) -> NvmlProbe:
    """Four cards of seven parts, read as the service reads them."""
    split = SimulatedCard(mig=("1g.5gb",) * 7)
    simulation = Simulation(seed="bench", gpus=(split,) * 4)
    return NvmlProbe(SimulatedNvml(simulation, state), source="simulated", monotonic=now)


@contextmanager
def scrapes(folder: Path, ledger: SqliteLedger, count: int) -> Iterator[Callable[[], str]]:
    """Makes scrapes of so many containers, a few lines of the event log each."""
    clock = SystemClock()
    state = folder / f"gpus-{count}.json"
    now = Intervals()
    probe = simulated(state, now)
    slots = probe.inventory().slots
    listed = WithSlots(count, [slot.uuid for slot in slots])
    log = EventFile(folder / f"events-{count}.jsonl")
    accounts = Nobody()
    usage = KernelUsage(INFO, listed, cgroups(folder / f"cgroup-{count}", count))  # type: ignore[arg-type]
    policy = PolicyFiles(POLICY, clock, log)
    with children(PROCESSES) as pids:
        shares = {
            slot.id: DeviceState(utilisation=0.5, pids=tuple(pids[place :: len(slots)]))
            for place, slot in enumerate(slots)
        }
        write_state(state, SimulatedState(devices=shares))
        reading = Reading(
            Parts(
                clock=clock,
                engine=lambda: listed,
                probe=lambda: probe,
                ledger=lambda: ledger,
                policy=lambda: policy,
                usage=lambda: usage,
                attribution=lambda engine: Attribution(
                    clock=clock,
                    probe=probe,
                    table=KernelProcessTable(),
                    engine=engine,
                    accounts=accounts,  # type: ignore[arg-type] - as much as is asked
                    monotonic=now,
                ),
                events=EventTail(log.path),
                log_file=log.path,
                faults=dict,
                ledger_bytes=lambda: 0,
                places=lambda: {"state": str(folder)},
                services=ServiceFacts,
                excluded=lambda _inventory: frozenset(),
                version="bench",
                instance=lambda: "bench",
            )
        )

        exporter = Exporter(reading, monotonic=now)

        def scrape() -> str:
            now.now += INTERVAL_SECONDS
            for number in range(5):
                log.append(Event(clock.now(), "alice", "container.start", f"c{number}", "h", "h"))
            return exporter.text(openmetrics=True)

        yield scrape


def measured(folder: Path, ledger: SqliteLedger, count: int) -> tuple[float, float, float, int]:
    """The quickest and the middle of several scrapes, CPU seconds of one, and its lines."""
    with scrapes(folder, ledger, count) as scrape:
        scrape()
        set_apart()  # as the service does
        text = scrape()
        down = [line for line in text.splitlines() if line.startswith("ds01_collector_up")]
        if any(line.endswith(" 0.0") for line in down):
            raise SystemExit("\n".join(line for line in down if line.endswith(" 0.0")))
        times, cpu = [], time.process_time()
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            text = scrape()
            times.append(time.perf_counter() - begin)
        used = (time.process_time() - cpu) / ROUNDS
    return min(times), statistics.median(times), used, text.count("\n")


def driver_cpu(folder: Path) -> float:
    """CPU seconds that the simulated driver takes of a scrape."""
    now = Intervals()
    probe = simulated(folder / "gpus.json", now)
    before = time.process_time()
    for _ in range(ROUNDS):
        now.now += INTERVAL_SECONDS
        probe.inventory()
        probe.gpu_processes()
        probe.activity()
        probe.health()
    return (time.process_time() - before) / ROUNDS


def totals_cpu(ledger: SqliteLedger) -> float:
    """CPU seconds of the totals of all time, which are read once a minute."""
    all_time = AllTime(SystemClock())
    with ledger.reading() as reading:
        all_time.totals(reading)  # with days, once a day
    before = time.process_time()
    for _ in range(5):
        with ledger.reading() as reading:
            all_time.totals(reading)
    return (time.process_time() - before) / 5


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = filled(folder / "ledger.sqlite")
        with ledger.transaction() as transaction:
            for person in range(200):
                home = StorageUse(f"person-{person:03}", 10**10, datetime.now(UTC), "quota")
                transaction.put_storage(home)
            today = Grain.DAY.begin_of(datetime.now(UTC))
            transaction.put_usage_mark(UsageMark("", today, today))
        counts = (*COUNTS, GROWTH * CONTAINERS)
        found = {count: measured(folder, ledger, count) for count in counts}
        slow, driver = totals_cpu(ledger), driver_cpu(folder)
        ledger.close()
    print(f"one scrape, 28 slots, {PROCESSES} processes, {os.cpu_count()} CPUs")
    print(f"  {'containers':<14}{'lines':>8}{'quickest':>12}{'middle':>12}{'CPU':>12}")
    for count, (least, middle, used, lines) in found.items():
        figures = f"{_figure(least):>12}{_figure(middle):>12}{_figure(used):>12}"
        print(f"  {count:<14}{lines:>8}{figures}")
    print(f"  {'target, 200':<14}{'':>8}{_figure(TARGET_SECONDS):>12}", end="")
    print(f"{'':>12}{_figure(TARGET_CPU_SECONDS):>12}")
    print(f"  of the CPU of each: {_figure(driver)} the simulated driver", end="")
    print(f", {_figure(slow * INTERVAL_SECONDS / SLOW_SECONDS)} totals ({_figure(slow)} a minute)")
    least, _, used, _ = found[CONTAINERS]
    growth = found[GROWTH * CONTAINERS][2] / used
    print(f"  {GROWTH} times the containers take {growth:.1f} times the CPU")
    met = least < TARGET_SECONDS and used < TARGET_CPU_SECONDS and growth < MOST_GROWTH
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


def _figure(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
