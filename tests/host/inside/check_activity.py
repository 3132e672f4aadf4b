"""Counters, sessions, terminals and signals with systemd's cgroups."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from contracts.activity import ActivityContract
from ds01_spawner.adapters.activity import KernelActivity, KernelProcesses
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable

_BOUND_SECONDS = 180
_SLICE = "ds01activity-student-alice.slice"
_NAME = "activity._.alice"
_SHARED = "shared._.alice"


class SilentEngine(DockerEngine):
    """An engine that must not be needed to find a container."""

    def container(self, name_or_id: str) -> Container | None:
        raise Unavailable(f"{name_or_id} was asked for.")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + _BOUND_SECONDS
    while not condition():
        assert time.monotonic() < bound
        time.sleep(0.1)


@pytest.fixture
def activity(docker_engine: DockerEngine) -> KernelActivity:
    return KernelActivity(docker_engine.info(), SilentEngine())


@pytest.fixture
def processes(docker_engine: DockerEngine) -> KernelProcesses:
    return KernelProcesses(docker_engine.info(), SilentEngine())


@pytest.fixture(
    scope="module",
    params=[(), ("--cgroup-parent", _SLICE, "--label", f"ds01.cgroup_parent={_SLICE}")],
    ids=["default", "slice"],
)
def container(
    request: pytest.FixtureRequest, docker_engine: DockerEngine, tiny_image: str
) -> Iterator[Container]:
    docker("run", "-d", "--init", "--name", _NAME, *request.param, tiny_image, "sleep", "600")
    yield next(each for each in docker_engine.containers() if each.name == _NAME)
    docker_engine.remove(_NAME)


class TestOnTheKernel(ActivityContract):
    pass


def test_exec_is_a_session_with_a_terminal_and_uses_cpu_time(
    activity: KernelActivity, processes: KernelProcesses, container: Container
) -> None:
    master, slave = pty.openpty()
    script = "trap 'echo saved' USR1; echo here; while :; do :; done"
    command = ["docker", "exec", "-it", _NAME, "sh", "-c", script]
    session = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    try:
        shown_on(master, b"here")
        assert activity.samples([container])[container.id].sessions == 1
        until(lambda: (activity.samples([container])[container.id].cpu_seconds or 0) > 0.5)
        assert processes.write_to_terminals(container, "It stops at 15:40.") == 1
        shown_on(master, b"15:40")
        assert processes.send_signal(container, "SIGUSR1") == 1
        shown_on(master, b"saved")
        docker("restart", "-t", "0", _NAME)
        until(lambda: activity.samples([container])[container.id].sessions == 0)
    finally:
        session.kill()
        session.wait()
        os.close(master)
        os.close(slave)


def test_network_of_the_host_is_never_a_containers(
    activity: KernelActivity, docker_engine: DockerEngine, tiny_image: str
) -> None:
    docker("run", "-d", "--network", "host", "--name", _SHARED, tiny_image, "sleep", "600")
    try:
        (shared,) = (each for each in docker_engine.containers() if each.name == _SHARED)
        sample = activity.samples([shared])[shared.id]
        assert (sample.network_bytes, sample.sessions) == (None, 0)
    finally:
        docker_engine.remove(_SHARED)


def shown_on(master: int, text: bytes) -> None:
    seen = b""
    bound = time.monotonic() + _BOUND_SECONDS
    while text not in seen:
        assert time.monotonic() < bound, seen
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 4096)
