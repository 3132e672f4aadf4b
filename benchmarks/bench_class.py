"""A class of 32 starts at once: how many become ready, and when.

`script/bench class`. No GPU, the starter image, our spawner. The floor is what the boots cost in
CPU: people x CPU seconds of one boot / cores. Exit 1 when a target is missed. Run it on a quiet
machine: the floor counts whatever else is busy.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hub_process import DS01, Hub, ds01_environment, remove_containers, running_hub

PEOPLE = 32
PREFIX = "benchclass"
PATIENCE_SECONDS = 180
FIRST_POLL_SECONDS = 0.05
POLL_SECONDS = 0.3  # asking costs CPU that the boots need


def busy_seconds() -> float:
    """CPU that the whole machine has spent working since it started."""
    user, nice, system, _idle, _wait, irq, softirq = (
        int(field) for field in Path("/proc/stat").read_text().split()[1:8]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def idle_share(seconds: float = 5.0) -> float:
    """CPUs that are busy while nothing of ours happens, such as the hub's own polling."""
    begin = busy_seconds()
    time.sleep(seconds)
    return (busy_seconds() - begin) / seconds


def lone_spawn(hub: Hub, user: str) -> tuple[float, float]:
    """Seconds, and CPU seconds of the machine, of one boot: medians of five.

    A boot's CPU is what container, engine, hub and proxy spend on it together: the work that the
    cores must get through for each person, less what the machine spends anyway.
    """
    background = idle_share()
    walls: list[float] = []
    cpus: list[float] = []
    for turn in range(6):
        begin = busy_seconds()
        wall = hub.seconds_to_ready(user, {})
        cpu = busy_seconds() - begin - wall * background
        hub.stop(user)
        if turn:
            walls.append(wall)
            cpus.append(cpu)
    return statistics.median(walls), statistics.median(cpus)


def class_starts(hub: Hub, users: list[str]) -> list[float]:
    """When each of these people's servers became ready, in seconds from the first click."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(users)) as clicks:
        started = [clicks.submit(hub.start, user, {}) for user in users]
        ready: dict[str, float] = {}
        while len(ready) < len(users) and time.perf_counter() - begin < PATIENCE_SECONDS:
            for user in hub.ready():
                ready.setdefault(user, time.perf_counter() - begin)
            time.sleep(POLL_SECONDS if ready else FIRST_POLL_SECONDS)
        for future in started:
            future.exception()
    return sorted(ready.values())


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    people = parser.parse_args().people
    users = [f"{PREFIX}{number:02}" for number in range(people)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = ds01_environment(folder, {})
        try:
            with running_hub(folder / "ds01", DS01, environment) as hub:
                hub.call("POST", "/users", {"usernames": users})
                alone, cpu = lone_spawn(hub, users[0])
                times = class_starts(hub, users)
                for user in users:
                    hub.stop(user)
        finally:
            remove_containers(PREFIX)
    return report(times, people, alone, cpu)


def report(times: list[float], people: int, alone: float, cpu: float) -> int:
    """Print the figures against their targets; the exit status."""
    cores = os.cpu_count() or 1
    floor = people * cpu / cores
    print(f"{people} people start at once on {cores} cores")
    print(f"  lone spawn {alone:.2f} s, CPU of one boot {cpu:.2f} s, floor {floor:.1f} s")
    if len(times) < people:
        print(f"  only {len(times)} of {people} became ready: missed")
        return 1
    first, median, last = times[0], statistics.median(times), times[-1]
    checks = (
        ("ready", f"{len(times)} of {people}", True),
        ("first", f"{first:.2f} s = {first / alone:.2f} x a lone spawn (2)", first <= 2 * alone),
        ("median", f"{median:.1f} s = {median / last:.2f} x the last (0.6)", median <= 0.6 * last),
        ("last", f"{last:.1f} s = {last / floor:.2f} x the floor (1.15)", last <= 1.15 * floor),
    )
    for name, text, met in checks:
        print(f"  {name:<7} {text}: {'met' if met else 'missed'}")
    return int(not all(met for _, _, met in checks))


if __name__ == "__main__":
    sys.exit(main())
