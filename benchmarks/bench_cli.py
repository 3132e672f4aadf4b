"""How soon `ds01` answers: its help, one command's help, a question, the start of `ssh-proxy`.

`script/bench cli`. In turns with `python -c pass` of the same interpreter: what a busy machine does
to one it does to the other, so their ratio says more than milliseconds. Exit 1 when a target is
missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PASS = [sys.executable, "-c", "pass"]
DS01 = [str(Path(sys.executable).with_name("ds01"))]
MODULES = "import ds01_cli.main, ds01_cli.ssh.proxy"
LIST = "ds01 container list, nobody answers"
NOBODY = {**os.environ, "DS01_GATEWAY_SOCKET": "/nonexistent/docker.sock"}
WAYS = {
    "python -c pass": PASS,
    "ds01 --help": [*DS01, "--help"],
    "ds01 container --help": [*DS01, "container", "--help"],
    "ds01 gpu status --help": [*DS01, "gpu", "status", "--help"],
    LIST: [*DS01, "container", "list"],
    "import of ssh-proxy": [sys.executable, "-c", MODULES],
}
HELP = "ds01 --help"
MOST_SECONDS = 0.150
MOST_RATIO = 6.0


def seconds(command: list[str]) -> float:
    """How long a program runs."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=NOBODY, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    taken = time.perf_counter() - begin
    if done.returncode != (command == WAYS[LIST]):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return taken


def main() -> int:
    """Measure, print, and say whether help is quick enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    turns = parser.parse_args().turns
    for command in WAYS.values():
        seconds(command)  # what is compiled and cached once
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(turns):
        for name, command in WAYS.items():
            found[name].append(seconds(command))
    base = found["python -c pass"]
    for name, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, base, strict=True))
        middle, best = statistics.median(times) * 1000, min(times) * 1000
        print(f"{name:<36} {middle:7.1f} ms median {best:7.1f} ms least {ratio:6.2f} x pass")
    ratio = statistics.median(a / b for a, b in zip(found[HELP], base, strict=True))
    quick = statistics.median(found[HELP]) < MOST_SECONDS or min(found[HELP]) < MOST_SECONDS
    if not quick or ratio > MOST_RATIO:
        print(f"missed: {HELP} in {MOST_SECONDS * 1000:.0f} ms and {MOST_RATIO:g} x pass")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
