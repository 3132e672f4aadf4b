"""What it takes to connect to a container by SSH, against `docker exec` in the same run.

`script/bench ssh`. The client is the real OpenSSH, the gateway and the hub are real processes; the
ways alternate, so that whatever else the machine does hits all alike. Exit 1 when a target is
missed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from integration.gateway.people import Person
from integration.ssh.house import SSH_IMAGE, Seat, seat, ssh_house
from integration.unix_people import ALICE, own_folder, unix_person

ROUNDS = 15
MEBIBYTES = 64
MOST_RATIO = 1.3
MOST_ADDED_MS = 200.0
_HOST = "bench.ds01"


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds: int = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as state,
        ssh_house(Path(state), SSH_IMAGE) as house,
        own_folder(unix_person(ALICE)) as server_folder,
        own_folder(unix_person(ALICE)) as hub_folder,
    ):
        person = Person(unix_person(ALICE), house.gateway.socket)
        by_hub = {"DS01_URL": house.url, "DS01_TOKEN": house.token_of(ALICE)}
        by_socket = {"DS01_GATEWAY_SOCKET": str(house.gateway.socket)}
        server, elsewhere = seat(person, server_folder, by_socket), seat(person, hub_folder, by_hub)
        person.docker("run", "-d", "--name", "bench", SSH_IMAGE, "sleep", "3600")
        for each in (server, elsewhere):
            each.shell("ds01 ssh-config --no-include")
        ways: dict[str, Callable[[], object]] = {
            "docker exec true": lambda: person.docker("exec", "bench", "true"),
            "ssh, on the server": lambda: _checked(server, "true"),
            "ssh, through the hub": lambda: _checked(elsewhere, "true"),
        }
        for way in ways.values():
            way()
        taken = _alternating(ways, rounds)
        rates = {"on the server": _rate(server), "through the hub": _rate(elsewhere)}
    return _told(taken, rates)


def _alternating(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            taken[name].append((time.perf_counter() - begin) * 1000)
    return taken


def _rate(at: Seat) -> float:
    """MiB a second out of a container."""
    begin = time.perf_counter()
    done = at.shell(f"ssh $F {_HOST} 'head -c {MEBIBYTES << 20} /dev/zero' | wc -c")
    if int(done.out) != MEBIBYTES << 20:
        raise RuntimeError(f"{done}")
    return MEBIBYTES / (time.perf_counter() - begin)


def _checked(at: Seat, command: str) -> None:
    done = at.ssh(_HOST, command)
    if done.code:
        raise RuntimeError(f"ssh: {done}")


def _told(taken: dict[str, list[float]], rates: dict[str, float]) -> int:
    medians = {name: statistics.median(times) for name, times in taken.items()}
    base, missed = medians["docker exec true"], False
    most = MOST_RATIO * base + MOST_ADDED_MS
    for name, median in medians.items():
        spread = f"{min(taken[name]):.0f} to {max(taken[name]):.0f}"
        late = median > most
        missed |= late
        print(f"{name:<22} {median:6.0f} ms  ({spread}){'  MISSED' if late else ''}")
    print(f"{'at most':<22} {most:6.0f} ms  ({MOST_RATIO} x docker exec + {MOST_ADDED_MS:.0f} ms)")
    for name, rate in rates.items():
        print(f"out of it, {name:<17} {rate:6.0f} MiB/s")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
