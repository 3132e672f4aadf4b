"""Real containers of one person, held together by the kernel: the same on every kind of host."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.real_cgroups import PATIENCE_SECONDS, directories, temporary_cgroups
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain import labels
from ds01_spawner.domain.cgroup import AggregateUsage
from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.ports import Cgroups
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog

MIB = 1024**2
USER = "alice"
GROUP = "student"
BOUND = AggregateLimits(cpus=1, memory_bytes=64 * MIB, pids=30)
LIMITS = Limits(group=GROUP, aggregate=BOUND)
HOLD_40_MIB = (
    "mkfifo /tmp/held; sleep 600 </tmp/held & exec dd if=/dev/zero of=/tmp/held bs=40M count=1"
)
"""dd fills its buffer and blocks on a pipe that nobody reads, as the container's first process."""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, not for long."""
    bound = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < bound, f"waited {PATIENCE_SECONDS} s for: {what}"
        time.sleep(0.02)


@dataclass
class Lab:
    """One person on this machine, and what the platform does for them."""

    engine: DockerEngine
    cgroups: Cgroups
    image: str
    network: str
    events: FakeEventLog = field(default_factory=FakeEventLog)
    started: list[str] = field(default_factory=list)

    @property
    def aggregates(self) -> Aggregates:
        return Aggregates(cgroups=self.cgroups, audit=Audit(FakeClock(), self.events, actor="test"))

    def start(self, command: str, **limits: float) -> Container:
        """Start a container of the person, bounded as every launch is."""
        parent = self.aggregates.apply(LIMITS, USER)
        spec = ContainerSpec(
            name=f"ds01test-agg-{secrets.token_hex(4)}._.{USER}",
            image=self.image,
            labels={
                labels.MANAGED: "true",
                labels.USER: USER,
                labels.GROUP: GROUP,
                labels.CGROUP_PARENT: parent,
                labels.CREATED_AT: labels.format_timestamp(datetime.now(UTC)),
            },
            cgroup_parent=parent,
            network=self.network,
            command=("sh", "-c", command),
            use_init=False,
        )
        container_id = self.engine.create(replace(spec, **limits))  # type: ignore[arg-type]
        self.started.append(container_id)
        self.engine.start(container_id)
        return self.see(container_id)

    def see(self, container_id: str) -> Container:
        container = self.engine.container(container_id)
        assert container is not None
        return container

    def mine(self) -> list[Container]:
        return [self.see(container_id) for container_id in self.started]

    def usage(self) -> AggregateUsage:
        usage = self.cgroups.usage(GROUP, USER)
        assert usage is not None
        return usage

    def memory_reaches(self, size_bytes: int) -> None:
        until(lambda: (self.usage().memory_bytes or 0) >= size_bytes, f"{size_bytes} bytes in use")

    def throttled(self) -> int:
        """How many 100 ms periods the person's CPU bound has ended early."""
        for place in directories(self.cgroups.parent(GROUP, USER)):
            for line in _lines(place / "cpu.stat"):
                if line.startswith("nr_throttled "):
                    return int(line.split()[1])
        return 0

    def close(self) -> None:
        for container_id in self.started:
            self.engine.remove(container_id)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []


class AggregateLimitsScenario:
    """Inherit, and give the fixtures `driver`, `docker_engine` and `tiny_image`."""

    @pytest.fixture
    def lab(self, driver: str, docker_engine: DockerEngine, tiny_image: str) -> Iterator[Lab]:
        with temporary_cgroups(driver) as cgroups:
            lab = Lab(docker_engine, cgroups, tiny_image, "none")
            yield lab
            lab.close()

    def test_kernel_kills_when_two_containers_exceed_the_memory_of_one_person(
        self, lab: Lab
    ) -> None:
        first = lab.start(HOLD_40_MIB, memory_bytes=60 * MIB)
        lab.memory_reaches(40 * MIB)
        mark, _ = lab.aggregates.report_oom_kills([], None)
        assert first.state is ContainerState.RUNNING

        lab.start(HOLD_40_MIB, memory_bytes=60 * MIB)

        until(lambda: not all(c.state.is_live for c in lab.mine()), "one container killed")
        dead = [container for container in lab.mine() if not container.state.is_live]
        mark, kills = lab.aggregates.report_oom_kills(lab.mine(), mark)
        events = lab.events.of("memory.oom_kill")
        assert [event.resource for event in events] == [container.name for container in dead]
        assert len(dead) == 1
        assert events[0].user == USER
        assert events[0].details["bound"] == "aggregate"
        assert events[0].details["limit_bytes"] == 64 * MIB
        assert events[0].details["process"] == "dd"
        assert "64 MiB" in events[0].reason
        assert len(kills) == 1
        assert lab.aggregates.report_oom_kills(lab.mine(), mark)[1] == ()

    def test_a_containers_own_limit_is_told_apart(self, lab: Lab) -> None:
        mark, _ = lab.aggregates.report_oom_kills([], None)

        small = lab.start(HOLD_40_MIB, memory_bytes=16 * MIB)

        until(lambda: not lab.see(small.id).state.is_live, "the container killed")
        lab.aggregates.report_oom_kills(lab.mine(), mark)
        event = lab.events.of("memory.oom_kill")[0]
        assert event.resource == small.name
        assert event.details["bound"] == "container"
        assert event.details["limit_bytes"] == 16 * MIB

    def test_bounds_stand_before_the_start_and_after_it(self, lab: Lab) -> None:
        parent = lab.aggregates.apply(LIMITS, USER)
        assert lab.usage().limits == BOUND

        container = lab.start("sleep 600", memory_bytes=32 * MIB, cpus=0.5, pids_limit=20)

        assert lab.aggregates.verify(LIMITS, USER) == ()
        assert lab.usage().limits == BOUND
        levels = [line.split(":", 2)[2] for line in _lines(Path(f"/proc/{container.pid}/cgroup"))]
        assert [level for level in levels if f"{parent}/" in level]

    def test_tasks_and_cpu_time_are_bounded_over_all_containers(self, lab: Lab) -> None:
        spawn = (
            "(i=0; while [ $i -lt 20 ]; do sleep 600 & i=$((i+1)); done); echo settled;"
            " while :; do :; done"
        )

        both = [lab.start(spawn), lab.start(spawn)]

        until(lambda: all("settled" in lab.engine.logs(one.id, 5) for one in both), "both settled")
        assert 25 <= (lab.usage().pids or 0) <= 30
        before = lab.throttled()
        until(lambda: lab.throttled() > before, "the bound on CPU time")

    def test_what_something_else_changed_is_set_again_and_logged(
        self, lab: Lab, meddle: Callable[[str, int], None]
    ) -> None:
        lab.start("sleep 600")
        meddle(lab.cgroups.parent(GROUP, USER), 32 * MIB)
        assert lab.usage().limits.memory_bytes == 32 * MIB

        changed = lab.aggregates.verify(LIMITS, USER)

        assert "memory" in [change.name for change in changed]
        assert lab.usage().limits == BOUND
        assert lab.events.actions == ["quota.restore"]

    def test_running_containers_follow_a_policy_edit(self, lab: Lab) -> None:
        container = lab.start("sleep 600", cpus=1.0)
        edited = replace(LIMITS, aggregate=AggregateLimits(0.5, 48 * MIB, None, 40))

        first = lab.aggregates.sync_all(lab.mine(), lambda _: LIMITS)
        second = lab.aggregates.sync_all(lab.mine(), lambda _: edited, first)

        assert lab.usage().limits == edited.aggregate
        assert second.failed == {}
        assert lab.events.actions == ["quota.update"]
        lab.aggregates.sync_all(lab.mine(), lambda _: Limits(group=GROUP), second)
        assert lab.usage().limits == AggregateLimits()
        assert lab.see(container.id).state is ContainerState.RUNNING

    def test_an_edit_below_what_is_in_use_waits_and_kills_nothing(self, lab: Lab) -> None:
        container = lab.start(HOLD_40_MIB)
        lab.memory_reaches(40 * MIB)
        tight = replace(LIMITS, aggregate=replace(BOUND, memory_bytes=20 * MIB))

        first = lab.aggregates.sync_all(lab.mine(), lambda _: tight)
        second = lab.aggregates.sync_all(lab.mine(), lambda _: tight, first)

        assert list(second.failed) == [(GROUP, USER)]
        assert lab.usage().limits == BOUND
        assert lab.see(container.id).state is ContainerState.RUNNING
        assert [event.outcome for event in lab.events.of("quota.update")] == ["failed"]
        lab.engine.stop(container.id, timedelta(0))
        lab.aggregates.apply(tight, USER)
        assert lab.usage().limits == tight.aggregate
