"""Times one allocation decision, and what admission adds to a launch; exit 1 on a missed target.

`script/bench admission`. The decision is pure: which slots, if any, on a machine nine tenths full.
The overhead is a whole admission on the real engine with 100 containers present: accounts, policy,
one list of containers, the GPUs, the decision, the ledger and the audit log.
"""

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.composition import Directories, Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.allocator import Granted, decide
from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import Inventory, Slot, SlotActivity
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.occupancy import Snapshot, occupancy
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.domain.strategies import least_allocated
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from stubs.tiny_image import TINY_IMAGE, make_tiny_image

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOLD = timedelta(minutes=15)
PREFIX = "ds01bench-admission"
PRESENT = 100
SLOTS_PER_CARD = 7
DECISION_TARGETS = {4: 1e-3, 512: 10e-3}
OVERHEAD_TARGET = 30e-3
POLICY = "defaults:\n  max_gpu_slots: 1\n"
IMAGES = f"default: tiny\nimages:\n  tiny: {{reference: {TINY_IMAGE}, title: Tiny}}\n"
GPU_CONFIG = f"""
source: simulated
simulated:
  seed: {PREFIX}
  gpus:
    - {{model: A100-40GB, count: 4, mig: [{", ".join(["1g.5gb"] * SLOTS_PER_CARD)}]}}
"""


def marks_of(user: str, slots: Sequence[Slot]) -> dict[str, str]:
    """The labels of a container that holds these slots."""
    return {
        labels.MANAGED: "true",
        labels.USER: user,
        labels.INSTANCE: PREFIX,
        labels.INTERFACE: "hub",
        labels.CREATED_AT: labels.format_timestamp(NOW),
        labels.GPU_ALLOCATED_AT: labels.format_timestamp(NOW),
        labels.GPU_SLOTS: ",".join(slot.id for slot in slots),
        labels.GPU_UUIDS: ",".join(slot.uuid for slot in slots),
    }


def crowded(cards: int) -> Snapshot:
    """A machine of so many cards, every tenth slot free."""
    simulation = Simulation(
        seed=PREFIX, gpus=(SimulatedCard(count=cards, mig=("1g.5gb",) * SLOTS_PER_CARD),)
    )
    inventory = NvmlProbe(SimulatedNvml(simulation), source="simulated").inventory()
    taken = [slot for number, slot in enumerate(inventory.slots) if number % 10]
    return Snapshot(NOW, inventory, _idle(inventory), tuple(map(_holder, taken)))


def _idle(inventory: Inventory) -> dict[str, SlotActivity]:
    return {slot.uuid: SlotActivity(0.0, 0) for slot in inventory.slots}


def _holder(slot: Slot) -> Container:
    user = f"user-{slot.id.replace(':', '-')}"
    return Container(
        id=user,
        name=container_name("jupyter", user),
        state=ContainerState.RUNNING,
        labels=marks_of(user, [slot]),
        created_at=NOW,
        demand=DeviceDemand(uuids=(slot.uuid,)),
    )


def seconds_of(action: Callable[[], object], rounds: int) -> list[float]:
    """How long each of many runs takes, shortest first; garbage is collected between them."""
    times = []
    for _ in range(rounds):
        gc.collect(0)
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return sorted(times)


def p99(times: Sequence[float]) -> float:
    """The time that one in a hundred exceeds."""
    return times[int(len(times) * 0.99)]


def decision_rows(cards: int) -> list[tuple[str, list[float], float | None]]:
    """The decision on a machine of so many cards, and finding out who has what before it."""
    snapshot = crowded(cards)
    count = len(snapshot.inventory.slots)
    rounds = 2000 if cards < 100 else 300
    asker = Asker("newcomer", "jupyter._.newcomer", Limits())
    found = occupancy(snapshot, (), lambda *_: HOLD, NOW)
    request = GpuRequest.parse("mig")

    def choose() -> None:
        assert isinstance(decide(request, asker, found, least_allocated), Granted)

    return [
        (f"decision, {count:,} slots", seconds_of(choose, rounds), DECISION_TARGETS[cards]),
        (
            f"who has what, {count:,} slots",
            seconds_of(lambda: occupancy(snapshot, (), lambda *_: HOLD, NOW), rounds),
            None,
        ),
    ]


@contextmanager
def containers_present(platform: Platform, count: int) -> Iterator[None]:
    """So many containers that run and do nothing; half of the GPU slots are theirs."""
    slots = platform.probe.inventory().slots
    names = [f"{PREFIX}-{number}" for number in range(count)]
    try:
        for number, name in enumerate(names):
            mine = slots[2 * number : 2 * number + 1]
            spec = ContainerSpec(
                name=name,
                image=TINY_IMAGE,
                labels=marks_of(name, mine) if mine else {labels.INSTANCE: PREFIX},
                cgroup_parent="",
                network="none",
                gpu_uuids=tuple(slot.uuid for slot in mine),
                use_device_requests=False,
                command=("sleep", "3600"),
            )
            platform.engine.start(platform.engine.create(spec))
        yield
    finally:
        for name in names:  # one by one: Docker 20.10 deadlocks when many go at once
            platform.engine.remove(name)


def overhead_rows(rounds: int = 200) -> list[tuple[str, list[float], float | None]]:
    """A whole admission, and the part of it that the engine's list of containers takes."""
    with tempfile.TemporaryDirectory() as folder:
        config, state = Path(folder, "config"), Path(folder, "state")
        config.mkdir()
        (config / "resource-limits.yaml").write_text(POLICY)
        (config / "images.yaml").write_text(IMAGES)
        (config / "gpu-config.yaml").write_text(GPU_CONFIG)
        platform = Platform(Directories(config, state, state / "events.jsonl"), actor="benchmark")
        request = LaunchRequest(
            "newcomer", "jupyter", labels.Interface.HUB, "tiny", GpuRequest.parse("mig")
        )
        grants: list[Grant] = []

        def admit() -> None:
            answer = platform.admission.admit(request)
            assert isinstance(answer, Grant)
            grants.append(answer)

        times = []
        with containers_present(platform, PRESENT):
            admit()
            platform.admission.release(grants.pop())
            for _ in range(rounds):
                times += seconds_of(admit, 1)
                platform.admission.release(grants.pop())
            listing = seconds_of(platform.engine.containers, rounds)
        return [
            (f"admission, {PRESENT} containers", sorted(times), OVERHEAD_TARGET),
            ("of it: the engine's list", listing, None),
        ]


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    make_tiny_image()
    rows = [row for cards in DECISION_TARGETS for row in decision_rows(cards)] + overhead_rows()
    print(f"  {'what':<32}{'median':>12}{'p99':>12}{'target':>12}")
    for name, times, target in rows:
        wanted = "-" if target is None else _figure(target)
        median = _figure(statistics.median(times))
        print(f"  {name:<32}{median:>12}{_figure(p99(times)):>12}{wanted:>12}")
    met = all(target is None or p99(times) < target for _, times, target in rows)
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


def _figure(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds > 1e-3 else f"{seconds * 1e6:.0f} us"


if __name__ == "__main__":
    sys.exit(main())
