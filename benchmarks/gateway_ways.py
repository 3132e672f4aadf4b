"""Ways to the engine that benchmarks compare, and how they are compared."""

import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ENGINE = Path("/var/run/docker.sock")
WAIT_SECONDS = 20.0
TESTS = Path(__file__).resolve().parents[1] / "tests"

_HAPROXY = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend docker
  bind unix@{path} mode 666
  default_backend engine
backend engine
  server engine unix@{engine}
"""

T = TypeVar("T")


@contextmanager
def running(command: list[str], path: Path) -> Iterator[int]:
    """A proxy that listens on `path`; its process id."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"{command[0]} does not listen on {path}")
        time.sleep(0.02)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


@contextmanager
def haproxy(folder: Path) -> Iterator[Path | None]:
    """The socket of an HAProxy that passes everything on; `None` where it is not installed."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        yield None
        return
    path, settings = folder / "haproxy.sock", folder / "haproxy.cfg"
    settings.write_text(_HAPROXY.format(path=path, engine=ENGINE))
    with running([program, "-f", str(settings)], path):
        yield path


def timed(ways: Mapping[str, T], deed: Callable[[T], float], rounds: int) -> dict[str, list[float]]:
    """What a deed takes by each way, in turns; the first turn only warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name in list(ways) if turn % 2 else list(ways)[::-1]:
            seconds = deed(ways[name])
            if turn:
                times[name].append(seconds)
    return times


def medians(ways: Mapping[str, T], deed: Callable[[T], float], rounds: int) -> dict[str, float]:
    """The median of each way."""
    return {name: statistics.median(each) for name, each in timed(ways, deed, rounds).items()}


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """What of a process is in memory."""
    status = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1]
    return int(status.split()[0]) / 1024


def connected(way: Path) -> socket.socket:
    """A connection."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(way))
    return made


def attached(way: Path, container: str, streams: str = "stdin=1&stdout=1") -> socket.socket:
    """A raw stream to a container's main process."""
    stream = connected(way)
    stream.sendall(
        f"POST /v1.41/containers/{container}/attach?stream=1&{streams} HTTP/1.1\r\n"
        "Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.recv(1)
        head += part
        if not part or (b"\r\n" in head and b" 101 " not in head):
            raise RuntimeError(f"{way} does not attach: {head + stream.recv(2000)!r}")
    return stream
