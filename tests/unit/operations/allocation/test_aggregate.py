from collections.abc import Callable
from dataclasses import replace

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.cgroup import OomBound
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.domain.names import cgroup_slug
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.audit.lines import Audit
from fakes.cgroups import FakeCgroups
from fakes.clock import EPOCH, FakeClock
from fakes.event_log import FakeEventLog

GIB = 1024**3
BOUND = AggregateLimits(cpus=4, memory_bytes=8 * GIB, pids=1000)
TIGHT = replace(BOUND, memory_bytes=4 * GIB)


class Bench:
    def __init__(self) -> None:
        self.cgroups = FakeCgroups()
        self.events = FakeEventLog()
        self.aggregates = Aggregates(
            cgroups=self.cgroups, audit=Audit(FakeClock(), self.events, "ds01-lifecycle")
        )

    def container(
        self,
        user: str = "alice",
        *,
        group: str | None = "student",
        state: ContainerState = ContainerState.RUNNING,
        parent: str | None = None,
        managed: str = "true",
    ) -> Container:
        marks = {
            labels.MANAGED: managed,
            labels.USER: user,
            labels.CGROUP_PARENT: parent or self.cgroups.parent(group, user),
        }
        if group is not None:
            marks[labels.GROUP] = group
        return Container(f"id-{user}", f"thesis._.{user}", state, marks, EPOCH)

    def bound_of(self, user: str = "alice", group: str | None = "student") -> AggregateLimits:
        usage = self.cgroups.usage(group, user)
        assert usage is not None
        return usage.limits


@pytest.fixture
def bench() -> Bench:
    return Bench()


def always(aggregate: AggregateLimits) -> Callable[[str], Limits]:
    return lambda _: Limits(group="student", aggregate=aggregate)


def test_apply_bounds_the_person_and_names_the_parent(bench: Bench) -> None:
    parent = bench.aggregates.apply(Limits(group="student", aggregate=BOUND), "alice")

    assert parent == "/ds01/student/alice"
    assert bench.bound_of() == BOUND
    assert bench.events.events == []


def test_nothing_is_applied_when_the_kernel_cannot_be_asked(bench: Bench) -> None:
    bench.cgroups.stuck = True

    with pytest.raises(Unavailable):
        bench.aggregates.apply(Limits(aggregate=BOUND), "alice")


def test_verify_sets_again_what_the_engine_overwrote(bench: Bench) -> None:
    limits = Limits(group="student", aggregate=BOUND)
    bench.aggregates.apply(limits, "alice")
    bench.cgroups.overwrite("student", "alice", AggregateLimits(cpus=4, pids=1000))

    bench.aggregates.verify(limits, "alice")

    assert bench.bound_of() == BOUND
    (event,) = bench.events.of("quota.restore")
    assert event.user == "alice"
    assert event.details["changes"] == {"memory": {"before": None, "after": 8 * GIB}}


def test_verify_says_nothing_when_all_is_as_applied(bench: Bench) -> None:
    limits = Limits(group="student", aggregate=BOUND)
    bench.aggregates.apply(limits, "alice")

    assert bench.aggregates.verify(limits, "alice") == ()
    assert bench.events.events == []


def test_a_policy_edit_reaches_everyone_who_runs_something(bench: Bench) -> None:
    everyone = [bench.container("alice"), bench.container("bob", group=None)]

    first = bench.aggregates.sync_all(everyone, always(BOUND))
    bench.aggregates.sync_all(everyone, always(TIGHT), first)

    assert bench.bound_of("alice") == TIGHT
    assert bench.bound_of("bob", None) == TIGHT
    assert [event.user for event in bench.events.of("quota.update")][-2:] == ["alice", "bob"]


def test_a_person_with_two_containers_is_bounded_once(bench: Bench) -> None:
    bench.aggregates.sync_all([bench.container(), bench.container()], always(BOUND))

    assert len(bench.cgroups.ensured) == 1


def test_an_unchanged_pass_writes_no_event(bench: Bench) -> None:
    first = bench.aggregates.sync_all([bench.container()], always(BOUND))
    count = len(bench.events.events)

    bench.aggregates.sync_all([bench.container()], always(BOUND), first)

    assert len(bench.events.events) == count


def test_a_bound_changed_by_something_else_is_told_from_an_edit(bench: Bench) -> None:
    first = bench.aggregates.sync_all([bench.container()], always(BOUND))
    bench.cgroups.overwrite("student", "alice", AggregateLimits())

    bench.aggregates.sync_all([bench.container()], always(BOUND), first)

    assert bench.events.actions[-1] == "quota.restore"


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"state": ContainerState.EXITED}, id="stopped"),
        pytest.param({"managed": ""}, id="not-ours"),
        pytest.param({"parent": "/docker"}, id="in-another-cgroup"),
    ],
)
def test_leaves_alone_what_it_does_not_bound(bench: Bench, container: dict[str, str]) -> None:
    bench.aggregates.sync_all([bench.container(**container)], always(BOUND))  # type: ignore[arg-type]

    assert bench.cgroups.people() == ()


def test_a_bound_below_use_is_retried_and_logged_once(bench: Bench) -> None:
    containers = [bench.container("alice"), bench.container("bob")]
    report = bench.aggregates.sync_all(containers, always(BOUND))
    bench.cgroups.used["student", "alice"] = 6 * GIB
    bench.events.events.clear()

    for _ in range(3):
        report = bench.aggregates.sync_all(containers, always(TIGHT), report)

    assert bench.bound_of("alice") == BOUND
    assert bench.bound_of("bob") == TIGHT
    (failure,) = [event for event in bench.events.events if event.outcome == "failed"]
    assert failure.user == "alice"
    assert str(6 * GIB) in failure.reason
    assert failure.details["memory_bytes"] == 4 * GIB

    bench.cgroups.used.clear()
    report = bench.aggregates.sync_all(containers, always(TIGHT), report)

    assert bench.bound_of("alice") == TIGHT
    assert report.failed == {}


def test_one_persons_error_does_not_keep_others_from_the_policy(bench: Bench) -> None:
    def limits_of(user: str) -> Limits:
        if user == "daemon":
            raise Forbidden("daemon is a system account.")
        return Limits(aggregate=BOUND)

    report = bench.aggregates.sync_all(
        [bench.container("daemon"), bench.container("alice")], limits_of
    )

    assert bench.bound_of("alice") == BOUND
    assert report.failed["student", "daemon"] == (None, "daemon is a system account.")


def test_bounds_are_set_even_when_the_log_is_full(bench: Bench) -> None:
    bench.events.full = True

    with pytest.raises(Unavailable):
        bench.aggregates.sync_all([bench.container("alice"), bench.container("bob")], always(BOUND))

    assert bench.bound_of("alice") == BOUND
    assert bench.bound_of("bob") == BOUND


def test_a_kill_names_person_container_process_and_limit(bench: Bench) -> None:
    user = "Anna.Lena@uni"
    container = bench.container(user)
    bench.aggregates.apply(Limits(group="student", aggregate=BOUND), user)
    mark, _ = bench.aggregates.report_oom_kills([container], None)
    bench.cgroups.kill("student", user, container_id=container.id)

    mark, kills = bench.aggregates.report_oom_kills([container], mark)

    (event,) = bench.events.of("memory.oom_kill")
    assert event.user == user
    assert event.resource == container.name
    assert event.details["group"] == "student"
    assert event.details["limit_bytes"] == 8 * GIB
    assert event.details["process"] == "python"
    assert "(8192 MiB), so the kernel killed python" in event.reason
    assert len(kills) == 1
    assert bench.aggregates.report_oom_kills([container], mark)[1] == ()


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        pytest.param(OomBound.CONTAINER, "The container reached", id="container"),
        pytest.param(OomBound.MACHINE, "The machine ran out", id="machine"),
    ],
)
def test_a_kill_says_whose_memory_was_full(bench: Bench, bound: OomBound, words: str) -> None:
    mark, _ = bench.aggregates.report_oom_kills([], None)
    bench.cgroups.kill("student", "alice", bound=bound)

    bench.aggregates.report_oom_kills([bench.container()], mark)

    (event,) = bench.events.of("memory.oom_kill")
    assert event.reason.startswith(words)
    assert event.details["bound"] == bound.value


def test_a_kill_of_somebody_whose_containers_are_gone_is_logged_by_slug(bench: Bench) -> None:
    mark, _ = bench.aggregates.report_oom_kills([], None)
    bench.cgroups.kill("student", "x@y", container_id="gone")

    bench.aggregates.report_oom_kills([], mark)

    (event,) = bench.events.of("memory.oom_kill")
    assert event.user == cgroup_slug("x@y")
    assert event.resource == "gone"
