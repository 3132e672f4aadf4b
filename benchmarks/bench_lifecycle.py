"""Passes of the lifecycle service over 200 running containers, against one `docker stats` of them.

`script/bench lifecycle`. A pass is what `culler/service.py` makes: look at engine, GPUs, kernel
counters and keep-alive files, decide, write down, show, reconcile. It starts from cold each time:
what is kept for a second is waited out. Then the same with a hub of 2,000 people and 50 idle
Jupyter servers, and 1,000 passes in a row for the memory. Exit 1 when a target is missed.
"""

import argparse
import gc
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub_process import Hub, running_hub
from lifecycle_crowd import INTERFACES, crowd, idle_servers, installation, people

from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.composition import Platform
from ds01_spawner.culler.service import Pace
from ds01_spawner.operations.lifecycle.enforce import Terms
from ds01_spawner.ports import HubClient
from stubs.tiny_image import make_tiny_image

CONTAINERS = 200
ROUNDS = 7
PASSES = 1000
STATS_SHARE = 50
CPU_TARGET = 0.3
GROWTH_TARGET = 2.0
KNOWN_USERS = 2000
ACTIVE_SERVERS = 50

_PASSES_A_ROUND = 3
_WARM_UP = 5
_COLD_SECONDS = 1.1
"""The policy's and the GPUs' readings are kept for a second; passes are a minute apart."""

_SETTLED = 100
_MIB = 1024**2
_HUB = """
import http.server
import threading

from jupyterhub.spawner import Spawner


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()


class StandIn(Spawner):
    up = False

    async def start(self):
        self.up = True
        return server.server_address

    async def poll(self):
        return None if self.up else 0

    async def stop(self, now=False):
        self.up = False


c.JupyterHub.spawner_class = StandIn
c.JupyterHub.log_level = "INFO"
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took.

    Attributes:
        wall: Seconds that passed.
        cpu: CPU seconds of this process, its threads included.
    """

    wall: float
    cpu: float


class Passes:
    """The lifecycle service's passes, without its waiting."""

    def __init__(self, platform: Platform, hub: HubClient | None) -> None:
        pace = Pace()
        self._executor = ThreadPoolExecutor(1)
        self._enforcer = platform.enforcer(
            hub,
            executor=self._executor,
            terms=Terms("benchmark", pace.lease_seconds, pace.longest_pass_seconds),
            recheck_after=pace.recheck_after,
        )
        self._reconciler = platform.reconciler(hub)

    def one(self, names: Sequence[str]) -> None:
        """One pass, which must have decided about these containers and missed no signal."""
        plan = self._enforcer.run().plan
        assert plan is not None
        assert plan.situation is not None
        self._reconciler.run(plan.situation, plan.servers)
        assert not plan.troubles, plan.troubles
        assert {each.subject.container.name for each in plan.decisions}.issuperset(names)

    def end(self) -> None:
        """Let another process pass."""
        self._enforcer.end()
        self._executor.shutdown()


def cost_of(action: Callable[[], object]) -> Cost:
    """What one call takes; garbage of before is collected before."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def docker_stats(names: Sequence[str]) -> None:
    """What Docker's own client does to look at these containers once."""
    subprocess.run(["docker", "stats", "--no-stream", *names], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Passes and their peer, in turns.

    Attributes:
        first: The first pass of the process.
        passes: The others.
        stats: `docker stats` of the same containers.
    """

    first: Cost
    passes: Sequence[Cost]
    stats: Sequence[Cost]

    @property
    def share(self) -> float:
        """How many passes fit into one `docker stats`."""
        return _median_wall(self.stats) / _median_wall(self.passes)


def rounds_of(
    platform: Platform, hub: HubClient | None, names: Sequence[str], count: int
) -> Rounds:
    """So many rounds of one `docker stats` and three passes."""
    passes = Passes(platform, hub)
    first = cost_of(lambda: passes.one(names))
    for _ in range(_WARM_UP):  # until all are idle and the warnings stand
        passes.one(names)
    measured, stats = [], []
    for _ in range(count):
        stats.append(cost_of(lambda: docker_stats(names)))
        for _ in range(_PASSES_A_ROUND):
            time.sleep(_COLD_SECONDS)
            measured.append(cost_of(lambda: passes.one(names)))
    passes.end()
    return Rounds(first, measured, stats)


@dataclass(frozen=True, slots=True)
class Growth:
    """What 1,000 passes leave in the process.

    Attributes:
        mib: Resident memory.
        objects: Python objects that the collector follows.
    """

    mib: float
    objects: int


def growth_of(platform: Platform, names: Sequence[str], count: int) -> Growth:
    """From the hundredth pass to the last."""
    passes = Passes(platform, None)
    before = (0, 0)
    for number in range(count):
        passes.one(names)
        if number + 1 == min(_SETTLED, count // 2):
            before = _memory()
    after = _memory()
    passes.end()
    return Growth((after[0] - before[0]) / _MIB, after[1] - before[1])


def _memory() -> tuple[int, int]:
    """Resident bytes and objects, without garbage."""
    gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024, len(gc.get_objects())
    raise RuntimeError("/proc/self/status does not say how much memory is resident")


@contextmanager
def big_hub(folder: Path, users: Sequence[str]) -> Iterator[Hub]:
    """A real hub that knows 2,000 people; servers of these are active, and nothing is behind."""
    with running_hub(folder, _HUB, {}) as hub:
        others = [f"known{number:04}" for number in range(KNOWN_USERS - len(users))]
        hub.call("POST", "/users", {"usernames": [*users, *others]})
        for user in users:
            hub.start(user, {})
        deadline = time.monotonic() + 60
        while len(HubApi(f"{hub.url}/hub/api", hub.token).servers()) < len(users):
            if time.monotonic() > deadline:
                raise RuntimeError("The hub did not start its stand-ins.")
            time.sleep(0.1)
        yield hub


def requests_in(log: Path) -> list[str]:
    """What the hub's API was asked for people and servers, by the hub's own log."""
    return re.findall(r"GET (/hub/api/users\S*)", log.read_text())


@dataclass(frozen=True, slots=True)
class HubCost:
    """What asking the hub takes.

    Attributes:
        servers: How many it has.
        requests: Those of one question, by the hub's log.
        ours: Seconds of asking for active servers.
        everybody: Seconds of going through all users, 200 at a time.
    """

    servers: int
    requests: int
    ours: float
    everybody: float


def hub_cost(hub: Hub, api: HubApi, log: Path, rounds: int) -> HubCost:
    """Ours against a list of everybody, in turns."""

    def list_everybody() -> None:
        for offset in range(0, KNOWN_USERS, 200):
            hub.call("GET", f"/users?limit=200&offset={offset}")

    before = len(requests_in(log))
    servers = len(api.servers())
    asked = len(requests_in(log)) - before
    ours, everybody = [], []
    for _ in range(rounds):
        ours.append(cost_of(api.servers).wall)
        everybody.append(cost_of(list_everybody).wall)
    return HubCost(servers, asked, statistics.median(ours), statistics.median(everybody))


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=CONTAINERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--passes", type=int, default=PASSES)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    make_tiny_image()
    users = people(asked.containers // len(INTERFACES))
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        platform = installation(folder)
        names = stack.enter_context(crowd(platform, users, folder / "homes"))
        alone = rounds_of(platform, None, names, asked.rounds)
        growth = growth_of(platform, names, asked.passes)
        hub = stack.enter_context(big_hub(folder / "hub", users[:ACTIVE_SERVERS]))
        api = HubApi(f"{hub.url}/hub/api", hub.token)
        hub_figures = hub_cost(hub, api, folder / "hub" / "hub.log", asked.rounds)
        servers = stack.enter_context(
            idle_servers(platform, users[:ACTIVE_SERVERS], folder / "homes")
        )
        together = rounds_of(platform, api, [*names, *servers], asked.rounds)
    return report(names, alone, growth, hub_figures, together)


def report(
    names: Sequence[str], alone: Rounds, growth: Growth, hub: HubCost, together: Rounds
) -> int:
    """Print the figures against their targets; the exit status."""
    cpu = statistics.median(each.cpu for each in alone.passes)
    checks = (
        (
            f"a pass over {len(names)} containers, wall",
            f"{_told(alone)} (1/{STATS_SHARE})",
            alone.share >= STATS_SHARE,
        ),
        ("... CPU", f"{cpu * 1e3:.0f} ms ({CPU_TARGET * 1e3:.0f} ms)", cpu < CPU_TARGET),
        (
            "... memory over the passes",
            f"{growth.mib:+.2f} MiB, {growth.objects:+d} objects ({GROWTH_TARGET:.0f} MiB)",
            growth.mib < GROWTH_TARGET,
        ),
        (
            f"a hub of {KNOWN_USERS:,} people, {hub.servers} servers, requests",
            f"{hub.requests} (1)",
            hub.requests == 1,
        ),
    )
    for name, text, met in checks:
        print(f"  {name}: {text}: {'met' if met else 'missed'}")
    print(f"  the first pass: {alone.first.wall * 1e3:.0f} ms, CPU {alone.first.cpu * 1e3:.0f} ms")
    print(f"  asking that hub: {hub.ours * 1e3:.0f} ms; everybody: {hub.everybody * 1e3:.0f} ms")
    cpu = statistics.median(each.cpu for each in together.passes)
    print(
        f"  a pass with that hub and {hub.servers} idle Jupyter servers more: {_told(together)},"
        f" CPU {cpu * 1e3:.0f} ms"
    )
    return int(not all(met for _, _, met in checks))


def _told(rounds: Rounds) -> str:
    passes, stats = _median_wall(rounds.passes), _median_wall(rounds.stats)
    return f"{passes * 1e3:.0f} ms / {stats:.2f} s = 1/{rounds.share:.0f}"


def _median_wall(costs: Sequence[Cost]) -> float:
    return statistics.median(each.wall for each in costs)


if __name__ == "__main__":
    sys.exit(main())
