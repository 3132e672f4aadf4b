"""What every `Cgroups` does, the fake and the real ones."""

from collections.abc import Callable

import pytest

from ds01_spawner.domain.cgroup import BoundChange
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import NO_GROUP, cgroup_slug
from ds01_spawner.ports import Cgroups

MIB = 1024**2
GIB = 1024**3
BOUNDED = AggregateLimits(cpus=1.5, memory_bytes=GIB, pids=100)

UseMemory = Callable[[str | None, str, int], None]
"""Make something use that many bytes in a person's cgroup, until the test ends."""


class CgroupsContract:
    """Inherit, and give the fixtures `cgroups`, with no one in it, and `use_memory`."""

    def test_nobody_has_a_cgroup_at_first(self, cgroups: Cgroups) -> None:
        assert cgroups.usage("student", "alice") is None
        assert cgroups.people() == ()

    def test_bounds_are_in_force_after_ensure(self, cgroups: Cgroups) -> None:
        changed = cgroups.ensure("student", "alice", BOUNDED)

        usage = cgroups.usage("student", "alice")
        assert usage is not None
        assert usage.limits == BOUNDED
        assert BoundChange("cpus", None, 1.5) in changed
        assert BoundChange("memory", None, GIB) in changed
        assert BoundChange("pids", None, 100) in changed

    def test_ensuring_twice_changes_nothing(self, cgroups: Cgroups) -> None:
        cgroups.ensure("student", "alice", BOUNDED)

        assert cgroups.ensure("student", "alice", BOUNDED) == ()

    @pytest.mark.parametrize(
        "limits",
        [
            pytest.param(AggregateLimits(cpus=2, memory_bytes=2 * GIB, pids=200), id="raised"),
            pytest.param(AggregateLimits(cpus=0.5, memory_bytes=GIB // 2, pids=20), id="lowered"),
            pytest.param(AggregateLimits(), id="unlimited"),
            pytest.param(AggregateLimits(memory_bytes=GIB), id="some-unlimited"),
        ],
    )
    def test_bounds_follow_an_edit(self, cgroups: Cgroups, limits: AggregateLimits) -> None:
        cgroups.ensure("student", "alice", BOUNDED)

        cgroups.ensure("student", "alice", limits)

        usage = cgroups.usage("student", "alice")
        assert usage is not None
        assert usage.limits == limits

    def test_people_are_bounded_apart(self, cgroups: Cgroups) -> None:
        cgroups.ensure("student", "alice", BOUNDED)
        cgroups.ensure("student", "bob", AggregateLimits(pids=50))

        alice = cgroups.usage("student", "alice")
        bob = cgroups.usage("student", "bob")
        assert alice is not None
        assert bob is not None
        assert alice.limits == BOUNDED
        assert bob.limits == AggregateLimits(pids=50)

    def test_everything_can_be_taken_down_and_made_again(self, cgroups: Cgroups) -> None:
        cgroups.ensure("student", "alice", BOUNDED)
        cgroups.ensure(None, "bob", BOUNDED)

        assert cgroups.take_down()
        assert cgroups.people() == ()
        assert cgroups.take_down()
        cgroups.ensure("student", "alice", BOUNDED)
        assert cgroups.people() == (("student", "alice"),)

    def test_lists_everyone_by_slug(self, cgroups: Cgroups) -> None:
        cgroups.ensure("student", "alice", AggregateLimits())
        cgroups.ensure(None, "Bob-Lee@uni.example", AggregateLimits())
        cgroups.ensure("phd-students", "tasks", AggregateLimits())

        expected = {
            ("student", "alice"),
            (NO_GROUP, cgroup_slug("Bob-Lee@uni.example")),
            (cgroup_slug("phd-students"), cgroup_slug("tasks")),
        }
        assert set(cgroups.people()) == expected

    def test_a_group_called_like_the_reserved_level_is_another(self, cgroups: Cgroups) -> None:
        parents = {
            cgroups.parent(group, "alice")
            for group in (None, NO_GROUP, "no_group", "default", "none", "no-group")
        }

        assert len(parents) == 6

    def test_an_empty_cgroup_can_be_removed_and_made_again(self, cgroups: Cgroups) -> None:
        cgroups.ensure("student", "alice", BOUNDED)

        assert cgroups.remove("student", "alice")
        assert cgroups.usage("student", "alice") is None
        assert cgroups.people() == ()
        cgroups.ensure("student", "alice", AggregateLimits())
        usage = cgroups.usage("student", "alice")
        assert usage is not None
        assert usage.limits == AggregateLimits()

    def test_whoever_is_listed_can_be_removed_whatever_their_name(self, cgroups: Cgroups) -> None:
        cgroups.ensure(None, "Zoë-Anne.O@lab", BOUNDED)

        assert [cgroups.remove(*person) for person in cgroups.people()] == [True]
        assert cgroups.people() == ()

    def test_removing_what_does_not_exist_is_done(self, cgroups: Cgroups) -> None:
        assert cgroups.remove("student", "nobody_here")

    def test_memory_is_not_lowered_below_what_is_in_use(
        self, cgroups: Cgroups, use_memory: UseMemory
    ) -> None:
        cgroups.ensure("student", "alice", AggregateLimits(memory_bytes=512 * MIB))
        use_memory("student", "alice", 128 * MIB)

        with pytest.raises(Unavailable, match="in use"):
            cgroups.ensure("student", "alice", AggregateLimits(memory_bytes=64 * MIB, pids=77))

        usage = cgroups.usage("student", "alice")
        assert usage is not None
        assert usage.limits == AggregateLimits(memory_bytes=512 * MIB, pids=77)

    def test_no_container_is_in_a_new_cgroup(self, cgroups: Cgroups) -> None:
        assert cgroups.containers() == {}
        cgroups.ensure("student", "alice", BOUNDED)
        assert cgroups.containers() == {}

    def test_starts_reading_kills_now(self, cgroups: Cgroups) -> None:
        mark, kills = cgroups.oom_kills(None)

        assert kills == ()
        assert cgroups.oom_kills(mark)[1] == ()
