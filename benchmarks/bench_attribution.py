"""How long one look at everything on the GPUs takes; exit 1 when the target is missed.

`python benchmarks/bench_attribution.py`. Real processes, real /proc: as many children as the target
names sleep while they are looked at. The driver is the simulated one and the engine's answer is a
list in memory, read from JSON as it comes over the socket. The peer is one `ps` of the same
processes, which knows no container; tools that ask it, and the engine, once for each process or
person take that so many times. The target holds for the quickest of the looks, which other programs
disturbed least.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine.facts import ContainerFacts
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.attribution.scan import Attribution, Picture
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation

PROCESSES = 500
CONTAINERS = 200
ROUNDS = 15
TARGET_SECONDS = 0.05
AT_ONCE = timedelta(0)


class Listed:
    """The engine's list, parsed anew at each question, as it comes over the socket."""

    def __init__(self, containers: int) -> None:
        self._text = json.dumps([_listed(number) for number in range(containers)])
        self._facts = ContainerFacts(_inspected)

    def containers(self) -> tuple[Container, ...]:
        """Every container."""
        return self._facts.complete(json.loads(self._text))


class Nobody:
    """Accounts that are not asked for long: names are remembered."""

    def name_of(self, uid: int) -> str | None:
        """The user id in words."""
        return f"person-{uid}"

    def lookup(self, user: str) -> None:
        """Nobody."""
        raise Unavailable(f"{user} is not looked up here.")


def _listed(number: int) -> dict[str, Any]:
    user = f"person-{number // 3}"
    marks = {"ds01.managed": "true", "ds01.user": user, "ds01.interface": "hub"}
    return {
        "Id": f"{number:064x}",
        "Names": [f"/work-{number}._.{user}"],
        "State": "running",
        "Status": "Up 5 hours",
        "Created": 1_700_000_000 + number,
        "Labels": {**marks, **{f"ds01.more.{each}": "x" * 20 for each in range(15)}},
        "Mounts": [{"Type": "bind", "Source": f"/home/{user}", "Destination": "/w", "RW": True}],
        "NetworkSettings": {"Networks": {f"ds01-{user}": {"IPAddress": "10.0.0.2"}}},
    }


def _inspected(container_id: str) -> dict[str, Any]:
    return {
        "Id": container_id,
        "State": {"Status": "running"},
        "Config": {"User": "1000"},
        "HostConfig": {"Runtime": "runc"},
    }


@contextmanager
def children(count: int) -> Iterator[list[int]]:
    """So many processes that sleep."""
    running = [subprocess.Popen(["/bin/sleep", "600"]) for _ in range(count)]
    try:
        yield [each.pid for each in running]
    finally:
        for each in running:
            each.kill()
            each.wait()


def attribution(pids: list[int], state: Path) -> Attribution:
    """What looks at them, spread over 28 slots."""
    split = SimulatedCard(mig=("1g.5gb",) * 7)
    simulation = Simulation(seed="bench", gpus=(split, split, split, split))
    slots = [f"{gpu}:{part}" for gpu in range(4) for part in range(7)]
    shares = {
        slot: DeviceState(pids=tuple(pids[place :: len(slots)])) for place, slot in enumerate(slots)
    }
    write_state(state, SimulatedState(devices=shares))
    return Attribution(
        clock=SystemClock(),
        probe=NvmlProbe(SimulatedNvml(simulation, state), source="simulated"),
        table=KernelProcessTable(),
        engine=Listed(CONTAINERS),  # type: ignore[arg-type] - as much as it is asked
        accounts=Nobody(),  # type: ignore[arg-type] - likewise
    )


def measured(action: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float, float]:
    """The quickest and the middle of several runs, and the CPU seconds of one."""
    times, before = [], time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times), (time.process_time() - before) / rounds


def main() -> int:
    """Measure, print a table, and say whether the target is met."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, children(PROCESSES) as pids:
        for count in (PROCESSES // 10, PROCESSES):
            looks = attribution(pids[:count], Path(folder) / "gpus.json")
            picture: Picture = looks.picture(AT_ONCE)
            if len(picture.processes) != count or len(picture.workloads) < CONTAINERS:
                raise SystemExit(f"{len(picture.processes)} of {count} processes were seen.")
            rows.append((f"{count} processes", *measured(partial(looks.picture, AT_ONCE))))
        command = ["ps", "-o", "pid=,uid=,lstart=,cgroup=", "-p", ",".join(map(str, pids))]
        peer = measured(lambda: subprocess.run(command, capture_output=True, check=True), 5)
    print(f"one look, {CONTAINERS} containers, 28 slots, {os.cpu_count()} CPUs")
    print(f"  {'what':<28}{'quickest':>12}{'middle':>12}{'CPU':>12}{'target':>12}")
    for name, least, middle, cpu in rows:
        target = _figure(TARGET_SECONDS) if name.startswith(str(PROCESSES)) else "-"
        print(
            f"  {name:<28}{_figure(least):>12}{_figure(middle):>12}{_figure(cpu):>12}{target:>12}"
        )
    ps = f"{_figure(peer[0]):>12}{_figure(peer[1]):>12}"
    print(f"  {'one ps of 500 (peer)':<28}{ps}{'-':>12}{'-':>12}")
    met = rows[-1][1] < TARGET_SECONDS
    print("  target met" if met else "  TARGET MISSED")
    return 0 if met else 1


def _figure(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
