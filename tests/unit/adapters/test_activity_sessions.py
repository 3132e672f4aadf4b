from pathlib import Path

import pytest

from ds01_spawner.adapters.activity import KernelActivity
from ds01_spawner.adapters.activity.members import HEALTH_CHECK_SECONDS
from ds01_spawner.domain.activity import ContainerSample
from fakes.kernel_tree import SHIM, KernelTree, engine_id, running

FIRST, CHILD, EXEC, GRANDCHILD = SHIM + 100, SHIM + 101, SHIM + 102, SHIM + 103
TERMINAL = 34816


class Inside:
    """One container, whose processes change."""

    def __init__(self, tree: KernelTree) -> None:
        self.tree = tree
        self.container = running()
        self.probe: KernelActivity = tree.probe()

    def are(self, *pids: int) -> None:
        self.tree.cgroup(f"docker/{engine_id()}", *pids)

    def sessions(self) -> int | None:
        return self.probe.samples([self.container])[self.container.id].sessions


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def inside(tmp_path: Path, request: pytest.FixtureRequest) -> Inside:
    tree = KernelTree(tmp_path, request.param)
    tree.process(FIRST)
    tree.process(CHILD, FIRST)
    tree.process(EXEC, SHIM, started=200.0)
    tree.process(GRANDCHILD, EXEC, started=201.0)
    inside = Inside(tree)
    inside.are(FIRST, CHILD)
    return inside


def test_what_the_container_started_is_no_session(inside: Inside) -> None:
    assert inside.sessions() == 0


def test_exec_is_a_session_until_it_ends(inside: Inside) -> None:
    seen = [inside.sessions()]
    inside.are(FIRST, CHILD, EXEC, GRANDCHILD)
    seen += [inside.sessions(), inside.sessions()]
    inside.are(FIRST, CHILD)
    seen.append(inside.sessions())
    assert seen == [0, 1, 1, 0]


def test_order_of_process_ids_does_not_tell_which_was_first(inside: Inside) -> None:
    low = SHIM + 5
    inside.tree.process(low, SHIM, started=300.0)
    inside.are(low, FIRST)
    assert inside.sessions() == 1
    assert inside.probe._known[engine_id()].members.first == FIRST


def test_dead_processes_are_no_sessions(inside: Inside) -> None:
    inside.are(FIRST, EXEC)
    assert inside.sessions() == 1
    inside.tree.process(EXEC, SHIM, state="Z")
    assert inside.sessions() == 0


def test_ended_process_that_is_still_listed_is_no_session(inside: Inside) -> None:
    inside.are(FIRST, EXEC)
    inside.tree.end(EXEC)
    assert inside.sessions() == 0


def test_orphan_of_a_session_is_no_session(inside: Inside) -> None:
    inside.are(FIRST, EXEC, GRANDCHILD)
    assert inside.sessions() == 1
    inside.tree.end(EXEC)
    inside.tree.process(GRANDCHILD, FIRST, started=201.0)
    inside.are(FIRST, GRANDCHILD)
    assert inside.sessions() == 0


def test_health_check_is_no_session_unless_it_goes_on(inside: Inside) -> None:
    inside.tree.process(EXEC, SHIM, started=inside.tree.uptime - 1, stdin="/dev/null")
    inside.are(FIRST, EXEC)
    assert inside.sessions() == 0
    inside.tree.uptime += HEALTH_CHECK_SECONDS
    assert inside.sessions() == 1


@pytest.mark.parametrize(
    ("terminal", "stdin"), [(TERMINAL, "/dev/pts/0"), (0, "pipe:[5]"), (TERMINAL, "/dev/null")]
)
def test_session_with_a_person_at_it_counts_at_once(
    inside: Inside, terminal: int, stdin: str
) -> None:
    now = inside.tree.uptime
    inside.tree.process(EXEC, SHIM, started=now, terminal=terminal, stdin=stdin)
    inside.are(FIRST, EXEC)
    assert inside.sessions() == 1


def test_session_in_a_restarted_container_is_seen(inside: Inside) -> None:
    inside.are(FIRST, EXEC)
    inside.sessions()
    inside.tree.end(FIRST)
    again = SHIM + 200
    inside.tree.process(again, SHIM, started=500.0)
    inside.tree.process(EXEC, SHIM, started=600.0)
    inside.are(again, EXEC)
    assert inside.sessions() == 1


def test_processes_in_cgroups_below_count_as_inside(inside: Inside) -> None:
    inside.tree.cgroup(f"docker/{engine_id()}/init.scope", FIRST)
    inside.tree.cgroup(f"docker/{engine_id()}/system/deep", CHILD)
    inside.tree.cgroup(f"docker/{engine_id()}/system", EXEC)
    inside.are()
    assert inside.sessions() == 1


def test_dying_container_tells_nothing(inside: Inside) -> None:
    inside.tree.process(FIRST, state="Z")
    inside.are(FIRST, EXEC)
    assert inside.probe.samples([inside.container]) == {engine_id(): ContainerSample(0.0)}


def test_empty_cgroup_tells_nothing(inside: Inside) -> None:
    inside.are()
    assert inside.probe.samples([inside.container]) == {engine_id(): ContainerSample(0.0)}


def test_process_that_cannot_be_read_makes_it_unreadable_and_no_longer(inside: Inside) -> None:
    inside.are(FIRST, EXEC)
    (inside.tree.proc / str(EXEC) / "stat").write_text("nonsense")
    assert inside.sessions() is None
    inside.tree.process(EXEC)
    assert inside.sessions() == 1


@pytest.mark.parametrize("text", ["12\nx\n", "5\n" * 200_000], ids=["malformed", "too-long"])
def test_list_that_makes_no_sense_is_unreadable(inside: Inside, text: str) -> None:
    (inside.tree.cgroup(f"docker/{engine_id()}", FIRST) / "cgroup.procs").write_text(text)
    assert inside.sessions() is None


def test_unchanged_processes_are_not_read_again(inside: Inside) -> None:
    assert inside.sessions() == 0
    inside.tree.end(CHILD)
    (inside.tree.proc / str(FIRST) / "stat").unlink()
    assert inside.sessions() == 0
