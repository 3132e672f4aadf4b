"""What the gateway costs somebody with the docker program, against the engine asked directly.

`script/bench gateway`. The gateway is a real process with its policy, its checks and its ledger;
the ways alternate, so that whatever else the machine does hits all alike. HAProxy, as a plain
socket proxy, is measured where Debian's package `haproxy` is installed. Exit 1 when a target is
missed.
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from gateway_crowd import (
    EVERYBODY,
    OWN,
    PERSON,
    POLICY,
    KeptAlive,
    Way,
    crowd,
    differences,
    inspected,
    person,
    settings_of,
)
from gateway_ways import ENGINE, attached, cpu_seconds, haproxy, medians, memory_mib, timed

from ds01_spawner.domain import labels
from ds01_spawner.gateway.docker.reading.filters import encode_filters
from integration.gateway.gateway_process import Gateway, engine_docker, running_gateway
from stubs.tiny_image import make_tiny_image

ROUNDS = 15
QUESTIONS = 200
MEBIBYTES = 256
STREAMS = 500
WATCHED_SECONDS = 10.0

MOST_ADDED_MS = 2.0
MOST_RUN_RATIO = 1.1
LEAST_THROUGHPUT = 0.7
MOST_MEMORY_MIB = 100.0
MOST_CPU = 0.02

_SERVES = f"""
while read way; do
    if [ $way = in ]; then head -c {MEBIBYTES << 20} > /dev/null
    else head -c {MEBIBYTES << 20} /dev/zero; fi
    echo END
done
"""


@dataclass(frozen=True)
class Bench:
    """What is measured.

    Attributes:
        gateway: The gateway.
        through: Through it.
        direct: Past it.
        proxied: Through HAProxy; `None` where there is none.
        image: The image of every container.
        folder: For files.
        rounds: How often each command is run.
    """

    gateway: Gateway
    through: Way
    direct: Way
    proxied: Way | None
    image: str
    folder: Path
    rounds: int

    @property
    def ways(self) -> dict[str, Way]:
        """By name."""
        found = [self.direct, self.through, *filter(None, [self.proxied])]
        return {way.name: way for way in found}


@contextmanager
def prepared(rounds: int) -> Iterator[Bench]:
    """A gateway, a proxy, and somebody who may use both and the engine."""
    image = make_tiny_image()
    account = person()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        folder.chmod(0o755)
        gateway = stack.enter_context(running_gateway(folder / "state", image, policy=POLICY))
        through = Way("gateway", gateway.socket, account)
        proxy = stack.enter_context(haproxy(folder))
        settings = _granted_settings(through, image)
        yield Bench(
            gateway,
            through,
            Way("direct", ENGINE, account, settings),
            None if proxy is None else Way("haproxy", proxy, account, settings),
            image,
            folder,
            rounds,
        )


def _granted_settings(through: Way, image: str) -> tuple[str, ...]:
    """What `docker run` is told past the gateway for the same container.

    Raises:
        RuntimeError: It makes another one.
    """
    names = [f"ds01bench-{secrets.token_hex(4)}" for _ in range(2)]
    through.docker("create", "--name", names[0], image, "true")
    mine = inspected(f"{names[0]}._.{PERSON}")
    settings = settings_of(mine)
    Way("direct", ENGINE, through.account).docker(
        "create", "--name", names[1], *settings, image, "true"
    )
    try:
        if told := differences(mine, inspected(names[1])):
            raise RuntimeError(f"not the same container: {told}")
    finally:
        for name in (str(mine["Id"]), names[1]):
            engine_docker("rm", name)
    return settings


def listing(bench: Bench) -> bool:
    """`GET /containers/json` on a connection that is kept."""
    marks = {labels.MANAGED: "true", labels.USER: PERSON, labels.INSTANCE: bench.gateway.instance}
    filters = encode_filters({"label": [f"{name}={value}" for name, value in marks.items()]})
    clients = {name: KeptAlive(way) for name, way in bench.ways.items()}

    def ask(name: str) -> float:
        query = "" if name == "gateway" else f"?filters={quote(filters)}"
        seconds, found = clients[name].ask("GET", f"/containers/json{query}")
        assert len(found) == OWN, f"{name}: {len(found)} containers"
        return seconds

    every = timed({name: name for name in clients}, ask, QUESTIONS)
    for client in clients.values():
        client.close()
    times = {name: statistics.median(each) for name, each in every.items()}
    added = (times["gateway"] - times["direct"]) * 1e3
    report(f"GET /containers/json, {OWN} of {EVERYBODY}", times)
    report("  the quickest", {name: min(each) for name, each in every.items()})
    told(f"{added:.2f} ms more", MOST_ADDED_MS, met := added <= MOST_ADDED_MS)
    return met


def runs(bench: Bench) -> bool:
    """`docker run --rm tiny true`, in turns with the same container made past the gateway."""
    ways = bench.ways | {"plain": replace(bench.direct, settings=())}

    def run(way: Way) -> float:
        return way.docker("run", "--rm", *way.settings, bench.image, "true")

    times = timed(ways, run, bench.rounds)
    report(
        "docker run --rm tiny true", {name: statistics.median(each) for name, each in times.items()}
    )
    report("  the quickest", {name: min(each) for name, each in times.items()})
    pairs = [one / other for one, other in zip(times["gateway"], times["direct"], strict=True)]
    ratio = statistics.median(pairs)
    told(
        f"{ratio:.2f} of direct, the median of pairs",
        MOST_RUN_RATIO,
        met := ratio <= MOST_RUN_RATIO,
    )
    return met


def requests(bench: Bench) -> None:
    """What of a `docker run` takes how long: its requests, one by one."""
    mine = f"ds01bench-{secrets.token_hex(4)}"
    bench.through.docker("create", "--name", mine, bench.image, "true")
    found = inspected(f"{mine}._.{PERSON}")
    engine_docker("rm", found["Id"])
    network = found["HostConfig"]["NetworkMode"]
    same = {
        **{key: found["Config"][key] for key in ("User", "Env", "Labels")},
        "HostConfig": found["HostConfig"],
        "NetworkingConfig": {"EndpointsConfig": {network: {}}},
    }
    same["Labels"] = {}
    times: dict[str, dict[str, list[float]]] = {}
    ways = {name: KeptAlive(way) for name, way in bench.ways.items()}

    def go(name: str) -> float:
        body = {"Image": bench.image, "Cmd": ["true"], **({} if name == "gateway" else same)}
        client = ways[name]
        seconds, made = client.ask("POST", "/containers/create", body)
        parts = {"create": seconds}
        path = f"/containers/{made['Id']}"
        parts["start"] = client.seconds("POST", f"{path}/start")
        parts["wait"] = client.seconds("POST", f"{path}/wait")
        parts["inspect"] = client.seconds("GET", f"{path}/json")
        parts["remove"] = client.seconds("DELETE", path)
        for part, each in parts.items():
            times.setdefault(part, {}).setdefault(name, []).append(each)
        return sum(parts.values())

    timed({name: name for name in ways}, go, bench.rounds)
    for part, by_way in times.items():
        report(f"  {part}", {name: statistics.median(by_way[name]) for name in ways})
    for client in ways.values():
        client.close()


def throughput(bench: Bench) -> bool:
    """Attach, exec and cp of an own container, with and without a folder of the host."""
    big, tar = bench.folder / "big", bench.folder / "big.tar"
    with big.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    subprocess.run(["tar", "-C", str(bench.folder), "-cf", str(tar), "big"], check=True)
    met = True
    with tempfile.TemporaryDirectory(dir=bench.through.account.home) as home:
        os.chown(home, bench.through.account.uid, bench.through.account.gid)
        for title, options in (("", ()), (", host folder", ("-v", f"{home}:/work"))):
            target = "/work" if options else "/tmp"
            with _serving(bench, *options) as container:
                for way in bench.ways:  # what one way copies is not another's to replace
                    bench.through.docker("exec", container, "mkdir", f"{target}/{way}")
                for name, deed in _streams(container, target, big, tar).items():
                    times = medians(bench.ways, deed, max(3, bench.rounds // 3))
                    report(f"{name}{title}", times)
                    share = times["direct"] / times["gateway"]
                    told(
                        f"{share:.0%} of direct",
                        LEAST_THROUGHPUT,
                        fine := share >= LEAST_THROUGHPUT,
                    )
                    met &= fine
    return met


@contextmanager
def _serving(bench: Bench, *options: str) -> Iterator[str]:
    """A container of the person's that takes and gives bytes; its id."""
    name = f"ds01bench-{secrets.token_hex(4)}"
    silent = ("--log-driver", "none")
    bench.through.docker(
        "run", "-di", "--name", name, *silent, *options, bench.image, "sh", "-c", _SERVES
    )
    container = str(inspected(f"{name}._.{PERSON}")["Id"])
    try:
        yield container
    finally:
        engine_docker("rm", "-f", container)


def _streams(
    container: str, target: str, big: Path, tar: Path
) -> dict[str, Callable[[Way], float]]:
    size = str(MEBIBYTES << 20)
    return {
        "attach, into": lambda way: _attach(way, container, "in"),
        "attach, out of": lambda way: _attach(way, container, "out"),
        "exec, out of": lambda way: way.docker("exec", container, "head", "-c", size, "/dev/zero"),
        "exec, into": lambda way: way.docker(
            "exec", "-i", container, "sh", "-c", "cat > /dev/null", give=big
        ),
        "cp, into": lambda way: way.docker("cp", "-", f"{container}:{target}/{way.name}", give=tar),
        "cp, out of": lambda way: way.docker("cp", f"{container}:{target}/{way.name}/big", "-"),
    }


def _attach(way: Way, container: str, direction: str) -> float:
    with way.as_person():
        stream = attached(way.path, container)
    part = bytes(1 << 20)
    with stream:
        began = time.perf_counter()
        stream.sendall(f"{direction}\n".encode())
        if direction == "in":
            for _ in range(MEBIBYTES):
                stream.sendall(part)
        end = b""
        while not end.endswith(b"END\n"):
            received = stream.recv(1 << 18)
            assert received, "the stream ended"
            end = (end + received[-4:])[-4:]
        return time.perf_counter() - began


def idle_streams(bench: Bench) -> bool:
    """What many attached streams that say nothing take."""
    pid = bench.gateway.pid
    with _serving(bench) as container, ExitStack() as stack:
        before = memory_mib(pid)
        with bench.through.as_person():
            for _ in range(STREAMS):
                stack.enter_context(attached(bench.through.path, container))
        began, cpu_began = time.monotonic(), cpu_seconds(pid)
        time.sleep(WATCHED_SECONDS)
        cpu = (cpu_seconds(pid) - cpu_began) / (time.monotonic() - began)
        grown = memory_mib(pid) - before
    print(f"  {STREAMS} idle streams, attached")
    told(
        f"{grown:.0f} MiB more than the {before:.0f} before",
        MOST_MEMORY_MIB,
        fits := grown < MOST_MEMORY_MIB,
    )
    told(f"{cpu:.1%} of a CPU", MOST_CPU, rests := cpu < MOST_CPU)
    return fits and rests


def report(name: str, times: Mapping[str, float]) -> None:
    """One row of the table."""
    print(
        f"  {name:<36}" + "".join(f"{way:>9} {each * 1e3:8.2f} ms" for way, each in times.items())
    )


def told(figure: str, target: float, met: bool) -> None:  # noqa: FBT001 - what is told
    """A figure against its target."""
    print(f"    {figure} (target {target:g}){'' if met else ': MISSED'}", flush=True)


PARTS: Mapping[str, Callable[[Bench], bool | None]] = {
    "runs": runs,
    "requests": requests,
    "throughput": throughput,
    "idle": idle_streams,
    "list": listing,
}


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    asked = parser.parse_args()
    met = True
    with prepared(asked.rounds) as bench:
        for name in asked.parts or PARTS:
            with ExitStack() as stack:
                if name == "list":
                    stack.enter_context(crowd(bench.gateway, bench.image))
                met &= PARTS[name](bench) is not False
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
