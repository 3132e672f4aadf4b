"""What the wire of the gateway costs: the docker program through it, past it, and through HAProxy.

`script/bench gateway_wire`. The ways alternate, so that whatever else the machine does hits all
alike. The wire is measured alone, without a rule: everything is passed on. HAProxy, as a plain
socket proxy, is measured where Debian's package `haproxy` is installed. Exit 1 when a target is
missed.
"""

import argparse
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from gateway_ways import ENGINE, attached, cpu_seconds, haproxy, medians, memory_mib, running

from stubs.tiny_image import make_tiny_image

ROUNDS = 7
QUESTIONS = 200
MEBIBYTES = 256
STREAMS = 500
WATCHED_SECONDS = 5.0

MOST_ADDED_MS = 2.0
MOST_RUN_RATIO = 1.1
LEAST_THROUGHPUT = 0.7
MOST_MEMORY_MIB = 100.0
MOST_CPU = 0.02


def docker(way: Path, *arguments: str, give: Path | None = None) -> float:
    """Seconds of one command of the docker program."""
    with ExitStack() as stack:
        source = subprocess.DEVNULL if give is None else stack.enter_context(give.open("rb"))
        began = time.perf_counter()
        subprocess.run(
            ["docker", "--host", f"unix://{way}", *arguments],
            stdin=source,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began


def question_seconds(way: Path) -> float:
    """Seconds of one `GET /containers/json`, connection included."""
    request = b"GET /v1.41/containers/json HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(way))
        asking.sendall(request)
        while asking.recv(65536):
            pass
    return time.perf_counter() - began


def idle_streams(way: Path, pid: int, container: str) -> tuple[float, float]:
    """MiB and share of a CPU that a proxy takes for many attached streams that say nothing."""
    with ExitStack() as stack:
        for _ in range(STREAMS):
            stack.enter_context(attached(way, container))
        began, cpu_began = time.monotonic(), cpu_seconds(pid)
        time.sleep(WATCHED_SECONDS)
        cpu = (cpu_seconds(pid) - cpu_began) / (time.monotonic() - began)
        return memory_mib(pid), cpu


def deeds(container: str, image: str, folder: Path) -> dict[str, Callable[[Path], float]]:
    """What is measured, by name."""
    big = folder / "big"
    with big.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    tar = folder / "big.tar"
    subprocess.run(["tar", "-C", str(folder), "-cf", str(tar), "big"], check=True)
    size = str(MEBIBYTES << 20)
    return {
        "run --rm tiny true": lambda way: docker(way, "run", "--rm", image, "true"),
        "stream out of a process": lambda way: docker(
            way, "exec", container, "head", "-c", size, "/dev/zero"
        ),
        "stream into a process": lambda way: docker(
            way, "exec", "-i", container, "sh", "-c", "cat > /dev/null", give=big
        ),
        "cp into a container": lambda way: docker(way, "cp", "-", f"{container}:/tmp", give=tar),
        "cp out of a container": lambda way: docker(way, "cp", f"{container}:/tmp/big", "-"),
    }


def report(name: str, times: dict[str, float]) -> None:
    """One row of the table."""
    figures = "".join(f"{seconds * 1e3:>12.1f}" for seconds in times.values())
    ratios = "".join(
        f"{seconds / times['direct']:>10.2f}" for way, seconds in times.items() if way != "direct"
    )
    print(f"  {name:<26}{figures}{ratios}")


def compare(ways: dict[str, Path], container: str, image: str, folder: Path, rounds: int) -> bool:
    """Print the table; whether its targets are met."""
    names = "".join(f"{way + ' ms':>12}" for way in ways)
    print(f"  {'median of ' + str(rounds):<26}{names}" + "   to direct")
    listing = medians(ways, question_seconds, QUESTIONS)
    report("GET /containers/json", listing)
    met = (listing["wire"] - listing["direct"]) * 1e3 <= MOST_ADDED_MS
    for name, deed in deeds(container, image, folder).items():
        times = medians(ways, deed, rounds)
        report(name, times)
        ratio = times["wire"] / times["direct"]
        met &= ratio <= (MOST_RUN_RATIO if name.startswith("run") else 1 / LEAST_THROUGHPUT)
    return met


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    image = make_tiny_image()
    container = f"ds01bench-wire-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        ways = {"direct": ENGINE, "wire": folder / "wire.sock"}
        wire = [sys.executable, "-m", "integration.gateway.wire_server", str(ways["wire"])]
        pid = stack.enter_context(running(wire, ways["wire"]))
        if (proxy := stack.enter_context(haproxy(folder))) is not None:
            ways["haproxy"] = proxy
        docker(ENGINE, "run", "-di", "--name", container, image, "cat")
        stack.callback(docker, ENGINE, "rm", "-f", container)
        met = compare(ways, container, image, folder, rounds)
        memory, cpu = idle_streams(ways["wire"], pid, container)
    print(
        f"  {STREAMS} idle streams: {memory:.0f} MiB (target {MOST_MEMORY_MIB:.0f}), "
        f"{cpu:.1%} of a CPU (target {MOST_CPU:.0%})"
    )
    met &= memory < MOST_MEMORY_MIB and cpu < MOST_CPU
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
