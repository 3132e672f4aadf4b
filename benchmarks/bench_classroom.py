"""A class of 30 opens the first notebook together, each with the lab's page open beside it.

`script/bench classroom`. Hub, proxy and gateway are real processes; each student is a process with
a browser's session and with the notebooks' wizards, which ask the API through the hub's proxy. What
is asked together is asked at the same moment by all: the worst that a class can do. The peers are
what the hub itself answers to the same people. Exit 1 when a target is missed.
"""

import argparse
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from gateway_ways import ENGINE, cpu_seconds, memory_mib

from e2e.classroom import Asked, Student
from e2e.house import House, open_house
from e2e.hub import Hub
from e2e.lab_config import prepare_config
from integration.engine_proxy import EngineProxy

PEOPLE = 30
ROUNDS = 5
WATCHED_SECONDS = 20.0
MOST_P95_MS = 300.0
_TOO_MANY = 429


@dataclass(frozen=True)
class Seat:
    """Where a student sits: a process of their own."""

    process: multiprocessing.process.BaseProcess
    line: "Connection[str, tuple[list[Asked], list[str]]]"


@dataclass(frozen=True)
class Together:
    """What came of something that all did at once."""

    asked: tuple[Asked, ...]
    failures: tuple[str, ...]
    seconds: float
    cpu: Mapping[str, float]


class Straight:
    """In the place of a proxy that fails on demand: the engine."""

    socket_path = ENGINE

    def clear(self) -> None:
        """It never fails."""


def sit(
    line: "Connection[tuple[list[Asked], list[str]], str]",
    home: Path,
    who: tuple[str, str, str, str],
) -> None:
    """What a student's process does: each deed that it is told, and what came of it."""
    student = Student(*who)
    # As in a server of the hub: some steps of the wizards ask in processes of their own way.
    os.environ |= {"HOME": str(home), "DS01_API_URL": student.api, "JUPYTERHUB_API_TOKEN": who[-1]}
    while deed := line.recv():
        student.asked.clear()
        student.told.clear()
        try:
            getattr(student, deed)()
        except Exception as exc:  # noqa: BLE001 - a process's top: told
            student.failures.append(f"{student.name}: {exc!r}")
        line.send((list(student.asked), list(student.failures)))
        student.failures.clear()
    student.leave()


@contextmanager
def lab(folder: Path) -> Iterator[House]:
    """Hub and gateway, with nothing between them and the engine."""
    with ExitStack() as until_the_end:

        def new_hub(furnish: Callable[[Path], None], **environment: str) -> Hub:
            hub = Hub(folder, cast(EngineProxy, Straight()), environment=environment)
            until_the_end.callback(hub.clean)
            until_the_end.callback(hub.stop)
            prepare_config(hub.config, hub.prefix)
            furnish(hub.config)
            hub.start()
            return hub

        with open_house(new_hub) as house:
            yield house


@contextmanager
def classroom(house: House, count: int) -> Iterator[list[Seat]]:
    """The students."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["e2e.classroom"])
    seats = []
    for number in range(count):
        person = house.hub.person(f"s{number:02}")
        made = house.hub.request("POST", f"/users/{person.name}/tokens", note="bench")
        token = str(made.json()["token"])
        here, there = context.Pipe()
        home = house.hub.state / f"home-{person.name}"
        home.mkdir()
        who = (house.hub.url, person.name, house.hub.password, token)
        process = context.Process(target=sit, args=(there, home, who), daemon=True)
        process.start()
        seats.append(Seat(process, here))
    try:
        yield seats
    finally:
        for seat in seats:
            seat.line.send("")
        for seat in seats:
            seat.process.join(30)


class Watch:
    """The CPU that the processes of a lab use."""

    def __init__(self, house: House) -> None:
        hub = house.hub
        assert house._process is not None  # noqa: SLF001 - it runs
        assert hub._process is not None  # noqa: SLF001 - it runs
        self.pids = {
            "gateway": house._process.pid,  # noqa: SLF001 - it runs
            "hub": hub._process.pid,  # noqa: SLF001 - it runs
            "proxy": next(iter(hub.processes("configurable-http-proxy"))),
        }

    def used(self) -> dict[str, float]:
        """So far, by process."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}


def together(seats: Sequence[Seat], watch: Watch, deed: str, rounds: int = 1) -> Together:
    """Have all do the same at the same moment, some times over."""
    asked: list[Asked] = []
    failures: list[str] = []
    before, begin = watch.used(), time.perf_counter()
    for _ in range(rounds):
        for seat in seats:
            seat.line.send(deed)
        for seat in seats:
            done, failed = seat.line.recv()
            asked += done
            failures += failed
    after, seconds = watch.used(), time.perf_counter() - begin
    cpu = {name: after[name] - before[name] for name in after}
    return Together(tuple(asked), tuple(failures), seconds, cpu)


def watched(watch: Watch, seconds: float) -> dict[str, float]:
    """The share of one CPU that each process uses while nobody does anything."""
    before, begin = watch.used(), time.perf_counter()
    time.sleep(seconds)
    past = time.perf_counter() - begin
    return {name: (used - before[name]) / past for name, used in watch.used().items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them is."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def table(title: str, found: Together) -> None:
    """Print what was asked, by endpoint."""
    each: dict[str, list[float]] = defaultdict(list)
    for one in found.asked:
        each[one.what].append(one.seconds * 1e3)
    cpu = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found.cpu.items())
    per = found.cpu["gateway"] / max(1, len(found.asked)) * 1e3
    print(f"\n{title}: {found.seconds:.2f} s; CPU {cpu} ({per:.1f} ms of the gateway a request)")
    for what, times in sorted(each.items()):
        figures = " ".join(f"{percentile(times, share):7.0f}" for share in (0.5, 0.95, 0.99))
        print(f"  {what:<44} {len(times):4} {figures} ms")


def p95(found: Together, what: str = "") -> float:
    """Of everything whose name begins so, in milliseconds."""
    return percentile([one.seconds for one in found.asked if one.what.startswith(what)], 0.95) * 1e3


def measured(house: House, people: int, rounds: int) -> int:
    """Go through a lesson; the exit status."""
    watch = Watch(house)
    with classroom(house, people) as seats:
        lesson = {
            title: together(seats, watch, deed, times)
            for title, deed, times in (
                ("log in", "sign_in", 1),
                ("open the lab's page, and keep it open", "see_lab", 1),
                ("follow the queue", "follow_queue", 1),
                ("open 00-welcome", "open_welcome", rounds),
                ("open the wizards after it", "open_others", rounds),
                ("open the form for a server", "see_form", rounds),
                ("peer: who am I, of the hub", "ask_hub", rounds),
                ("peer: the hub's home", "see_home", rounds),
            )
        }
        rest = watched(watch, WATCHED_SECONDS)
    print(f"{people} people, load {os.getloadavg()[0]:.1f}; requests, p50, p95, p99")
    for title, found in lesson.items():
        table(title, found)
    memory = ", ".join(f"{name} {memory_mib(pid):.0f} MiB" for name, pid in watch.pids.items())
    shares = ", ".join(f"{name} {share:.0%}" for name, share in rest.items())
    print(f"\n{people} pages and {people} queues open, nobody does anything: {shares}; {memory}")
    return judged(lesson)


def judged(lesson: Mapping[str, Together]) -> int:
    """Compare with the targets; the exit status."""
    welcome, others = lesson["open 00-welcome"], lesson["open the wizards after it"]
    peer, home = lesson["peer: who am I, of the hub"], lesson["peer: the hub's home"]
    failures = [each for found in lesson.values() for each in found.failures]
    held_back = sum(one.status == _TOO_MANY for found in lesson.values() for one in found.asked)
    api = [one.seconds * 1e3 for one in (*welcome.asked, *others.asked)]
    middle, late, latest = (percentile(api, share) for share in (0.5, 0.95, 0.99))
    ratios = (
        f"{p95(welcome) / p95(peer):.2f} of the hub's own answer,"
        f" {p95(welcome) / p95(home):.2f} of its home"
    )
    print()
    for each in failures[:10]:
        print(f"  {each}")
    checks = (
        ("failures", f"{len(failures)} (0); {held_back} answers were 429", not failures),
        (
            "00-welcome",
            f"p95 {p95(welcome):.0f} ms ({MOST_P95_MS:.0f}); {ratios}",
            p95(welcome) <= MOST_P95_MS,
        ),
        (
            "all wizards",
            f"p50, p95, p99 {middle:.0f}, {late:.0f}, {latest:.0f} ms ({MOST_P95_MS:.0f})",
            late <= MOST_P95_MS,
        ),
    )
    for name, text, met in checks:
        print(f"  {name:<12} {text}: {'met' if met else 'missed'}")
    return int(not all(met for _, _, met in checks))


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, lab(Path(folder)) as house:
        return measured(house, options.people, options.rounds)


if __name__ == "__main__":
    sys.exit(main())
