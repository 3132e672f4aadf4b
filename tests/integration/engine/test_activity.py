import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.activity import ActivityContract
from ds01_spawner.adapters.activity import KernelActivity, KernelProcesses
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import Container

_BOUND_SECONDS = 15
_PREFIX = f"ds01act-{os.getpid()}"
_MIB = 1024**2

Run = Callable[..., Container]
Exec = Callable[..., subprocess.Popen[bytes]]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + _BOUND_SECONDS
    while not condition():
        assert time.monotonic() < bound
        time.sleep(0.02)


@pytest.fixture
def run(docker_engine: DockerEngine, tiny_image: str) -> Iterator[Run]:
    made: list[str] = []

    def run(*options: str, command: tuple[str, ...] = ("sleep", "600")) -> Container:
        name = f"{_PREFIX}-{len(made)}"
        made.append(name)
        docker("run", "-d", "--name", name, *options, tiny_image, *command)
        return listed(docker_engine, name)

    yield run
    for name in made:
        docker_engine.remove(name)


def listed(engine: DockerEngine, name: str) -> Container:
    return next(each for each in engine.containers() if each.name == name)


@pytest.fixture
def probe(docker_engine: DockerEngine) -> KernelActivity:
    return KernelActivity(docker_engine.info(), docker_engine)


@pytest.fixture
def processes(docker_engine: DockerEngine) -> KernelProcesses:
    return KernelProcesses(docker_engine.info(), docker_engine)


@pytest.fixture
def inside() -> Iterator[Exec]:
    """Start `docker exec`; what is given as `on` is its terminal."""
    begun: list[subprocess.Popen[bytes]] = []

    def inside(name: str, *command: str, on: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        flags = "-i" if on == subprocess.PIPE else "-it"
        output = subprocess.DEVNULL if on == subprocess.PIPE else on
        process = subprocess.Popen(
            ["docker", "exec", flags, name, *command], stdin=on, stdout=output, stderr=output
        )
        begun.append(process)
        return process

    yield inside
    for process in begun:
        process.kill()
        process.communicate()


class TestOnTheKernel(ActivityContract):
    @pytest.fixture
    def activity(self, probe: KernelActivity) -> KernelActivity:
        return probe

    @pytest.fixture
    def container(self, run: Run) -> Container:
        return run()


def sample(probe: KernelActivity, container: Container) -> ContainerSample:
    return probe.samples([container])[container.id]


@pytest.mark.parametrize("options", [(), ("--init",)], ids=["plain", "init"])
def test_idle_container_uses_next_to_nothing(
    run: Run, probe: KernelActivity, options: tuple[str, ...]
) -> None:
    container = run(*options)
    first = sample(probe, container)
    second = sample(probe, container)
    assert first.cpu_seconds is not None
    assert second.cpu_seconds is not None
    assert 0 <= second.cpu_seconds - first.cpu_seconds < 0.05
    assert first.network_bytes is not None
    assert first.network_bytes < _MIB
    assert second.sessions == 0


def test_work_shows_as_cpu_time_of_container_and_process(
    run: Run, probe: KernelActivity, docker_engine: DockerEngine
) -> None:
    container = run(command=("sh", "-c", "while :; do :; done"))
    full = docker_engine.container(container.id)
    assert full is not None
    pid = full.pid
    assert pid is not None
    until(lambda: (sample(probe, container).cpu_seconds or 0) > 0.5)
    until(lambda: (probe.cpu_seconds_of([pid, 2**22 + 1]) or 0) > 0.5)
    docker("kill", container.name)
    assert probe.cpu_seconds_of([pid]) == 0.0


def test_traffic_between_containers_is_counted_at_both_ends(
    run: Run, probe: KernelActivity
) -> None:
    send = ("nc", "-ll", "-p", "9000", "-e", "dd", "if=/dev/zero", "bs=1048576", "count=9")
    server = run(command=send)
    shown = json.loads(docker("inspect", server.name))[0]
    address = shown["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    client = run(command=("sh", "-c", f"while :; do sleep 3 | nc {address} 9000 >/dev/null; done"))
    until(lambda: (sample(probe, server).network_bytes or 0) > 8 * _MIB)
    until(lambda: (sample(probe, client).network_bytes or 0) > 8 * _MIB)


def test_network_of_the_host_is_never_a_containers(run: Run, probe: KernelActivity) -> None:
    shared, none = run("--network", "host"), run("--network", "none")
    assert sample(probe, shared).network_bytes is None
    assert sample(probe, shared).sessions == 0
    assert sample(probe, none).network_bytes == 0


@pytest.mark.parametrize("options", [(), ("--init",)], ids=["plain", "init"])
def test_exec_is_a_session_while_it_lives(
    run: Run, probe: KernelActivity, inside: Exec, options: tuple[str, ...]
) -> None:
    container = run(*options)
    assert sample(probe, container).sessions == 0
    process = inside(container.name, "sh", "-c", "(sleep 300 &); sleep 301 & cat")
    until(lambda: sample(probe, container).sessions == 1)
    assert process.stdin is not None
    process.stdin.close()
    process.wait(_BOUND_SECONDS)
    # What it left behind belongs to the container's first process now.
    until(lambda: sample(probe, container).sessions == 0)
    assert docker("top", container.name, "-o", "pid,args").count("sleep 30") == 2


def test_detached_exec_and_health_check_count_when_they_go_on(
    run: Run, docker_engine: DockerEngine
) -> None:
    later = 0.0
    probe = KernelActivity(
        docker_engine.info(),
        docker_engine,
        uptime=lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + later,
    )
    checked = run("--health-cmd", "sleep 600", "--health-interval", "1s", "--health-timeout", "1h")
    detached = run()
    docker("exec", "-d", detached.name, "sleep", "600")
    procs = [docker("top", each.name, "-o", "pid") for each in (checked, detached)]
    assert procs[1].count("\n") == 2
    until(lambda: docker("top", checked.name, "-o", "pid").count("\n") == 2)
    assert [sample(probe, each).sessions for each in (checked, detached)] == [0, 0]
    later = 31.0
    assert [sample(probe, each).sessions for each in (checked, detached)] == [1, 1]


def test_restart_begins_anew(run: Run, probe: KernelActivity, inside: Exec) -> None:
    container = run(command=("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; cat"))
    until(lambda: (sample(probe, container).cpu_seconds or 0) > 0.2)
    docker("restart", "-t", "0", container.name)
    after = sample(probe, container)
    assert after.cpu_seconds is not None
    assert after.network_bytes is not None
    assert after.sessions == 0
    inside(container.name, "cat")
    until(lambda: sample(probe, container).sessions == 1)


def test_paused_container_is_still_read(
    run: Run, probe: KernelActivity, docker_engine: DockerEngine
) -> None:
    container = run()
    docker("pause", container.name)
    paused = listed(docker_engine, container.name)
    found = sample(probe, paused)
    docker("unpause", container.name)
    assert None not in (found.cpu_seconds, found.network_bytes, found.sessions)


def test_container_below_another_parent_is_found(
    run: Run, probe: KernelActivity, processes: KernelProcesses
) -> None:
    parent = f"/ds01acttest{os.getpid()}"
    labelled = run("--cgroup-parent", parent, "--label", f"ds01.cgroup_parent={parent}")
    unlabelled = run("--cgroup-parent", parent, "--label", "ds01.cgroup_parent=/../../tmp")
    try:
        found = probe.samples([labelled, unlabelled])
        assert all(each.sessions == 0 and each.cpu_seconds for each in found.values())
        assert processes.send_signal(unlabelled, "SIGUSR1") == 0
    finally:
        for each in (labelled, unlabelled):
            docker("rm", "-f", each.name)
        for tree in Path("/sys/fs/cgroup").iterdir():
            with suppress(OSError):
                (tree / parent.strip("/")).rmdir()


def test_container_that_vanishes_meanwhile_is_no_error(
    run: Run, probe: KernelActivity, processes: KernelProcesses
) -> None:
    known, unknown = run(), run()
    assert sample(probe, known).sessions == 0
    for each in (known, unknown):
        docker("rm", "-f", each.name)
    assert probe.samples([known, unknown]) == {
        known.id: ContainerSample(),
        unknown.id: ContainerSample(),
    }
    assert processes.write_to_terminals(known, "text") == 0


def shown_on(master: int, text: bytes) -> bytes:
    seen = b""
    bound = time.monotonic() + _BOUND_SECONDS
    while text not in seen:
        assert time.monotonic() < bound, seen
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 4096)
    return seen


def test_text_is_shown_on_the_terminal_of_an_exec(
    run: Run, probe: KernelActivity, processes: KernelProcesses, inside: Exec
) -> None:
    container = run("--init", "--cap-drop", "ALL", "--user", "1000:1000")
    assert processes.write_to_terminals(container, "Nobody sees this.") == 0
    master, slave = pty.openpty()
    try:
        inside(container.name, "sh", "-c", "echo here; sleep 600 & cat", on=slave)
        shown_on(master, b"here")
        assert sample(probe, container).sessions == 1
        assert processes.write_to_terminals(container, "It stops at 15:40.\n\x1b[2JWhy") == 1
        assert b"\a" in shown_on(master, b"[2JWhy")
    finally:
        os.close(master)
        os.close(slave)


def test_text_is_shown_on_a_terminal_made_inside(run: Run, processes: KernelProcesses) -> None:
    # As Jupyter does: the terminal's other end is held by a program in the container.
    script = "telnetd -p 23 -l sh; (sleep 600 | nc 127.0.0.1 23 >/tmp/seen) & sleep 600"
    container = run(command=("sh", "-c", script))
    until(lambda: processes.write_to_terminals(container, "It stops at 15:40.") == 1)
    count = "grep -c 15:40 /tmp/seen || true"
    until(lambda: docker("exec", container.name, "sh", "-c", count) != "0")


def test_signal_reaches_a_program_that_handles_it(run: Run, processes: KernelProcesses) -> None:
    script = "trap 'echo saved' USR1; echo ready; while :; do sleep 1; done"
    container = run("--init", command=("sh", "-c", script))
    until(lambda: "ready" in docker("logs", container.name))
    assert processes.send_signal(container, "SIGUSR1") == 1
    until(lambda: "saved" in docker("logs", container.name))
    assert processes.send_signal(container, "SIGUSR2") == 0
