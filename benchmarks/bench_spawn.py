"""Click to ready through the hub's API: ours against stock DockerSpawner, tuned image and plain.

`script/bench spawn`. The four combinations alternate, so that whatever else the machine does hits
all alike. Exit 1 when a target is missed.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hub_process import DS01, STOCK, Hub, ds01_environment, remove_containers, running_hub

STARTER = "ds01/starter:latest"
PLAIN = "ds01/plain:latest"
PAIRS = 10
USER = "benchspawn"

TARGETS = (
    ("spawner: ours / stock, starter image", ("ds01", STARTER), ("stock", STARTER), 0.7),
    ("image: starter / plain, our spawner", ("ds01", STARTER), ("ds01", PLAIN), 0.5),
    ("both: ours + starter / stock + plain", ("ds01", STARTER), ("stock", PLAIN), 0.4),
)


def measure(hubs: dict[str, Hub], pairs: int) -> dict[tuple[str, str], list[float]]:
    """Seconds to ready of every combination, in turns."""
    combinations = [(spawner, image) for spawner in hubs for image in (STARTER, PLAIN)]
    times: dict[tuple[str, str], list[float]] = {each: [] for each in combinations}
    for turn in range(pairs + 1):
        order = combinations if turn % 2 else combinations[::-1]
        for spawner, image in order:
            hub = hubs[spawner]
            seconds = hub.seconds_to_ready(USER, {"image": image})
            hub.stop(USER)
            if turn:  # the first turn warms caches, networks and volumes
                times[spawner, image].append(seconds)
    return times


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        environment = ds01_environment(folder, {"plain": PLAIN})
        stack.callback(remove_containers, USER)
        hubs = {
            "ds01": stack.enter_context(running_hub(folder / "ds01", DS01, environment)),
            "stock": stack.enter_context(running_hub(folder / "stock", STOCK, {})),
        }
        for hub in hubs.values():
            hub.call("POST", f"/users/{USER}")
        times = measure(hubs, pairs)
    print(f"request to ready server, {pairs} alternating turns, seconds")
    print(f"  {'spawner':<8} {'image':<22} {'median':>7} {'min':>7} {'max':>7}")
    for (spawner, image), values in times.items():
        print(
            f"  {spawner:<8} {image:<22} {statistics.median(values):7.2f}"
            f" {min(values):7.2f} {max(values):7.2f}"
        )
    missed = 0
    for name, ours, peer, target in TARGETS:
        ratio = statistics.median(times[ours]) / statistics.median(times[peer])
        met = ratio <= target
        missed |= not met
        print(f"  {name:<40} {ratio:5.2f} (target {target}): {'met' if met else 'missed'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
