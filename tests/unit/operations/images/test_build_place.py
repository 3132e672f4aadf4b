import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.images.build_place import KEEP_EVERY, LIFETIME, BuildPlaces
from fakes.lab import Lab

LIMITS = Limits(group="student", aggregate=AggregateLimits(pids=100))


def places(lab: Lab) -> BuildPlaces:
    return BuildPlaces(
        clock=lab.clock,
        ledger=lab.ledger,
        admission=lab.admission,
        aggregates=Aggregates(cgroups=lab.cgroups, audit=lab.audit),
    )


def test_a_build_runs_where_its_owner_is_bounded() -> None:
    lab = Lab()
    place = places(lab).begin("alice", LIMITS)
    assert place.cgroup_parent == "/ds01/student/alice"
    assert lab.cgroups.ensured == [("student", "alice", LIMITS.aggregate)]


def test_a_build_takes_no_place_of_a_container() -> None:
    lab = Lab()
    places(lab).begin("alice", LIMITS)
    assert lab.admission.current().occupancy.containers_of("alice") == ()
    for number in range(3):
        lab.run("alice", "none", name=f"c{number}")


def test_the_cgroup_is_kept_for_as_long_as_somebody_builds() -> None:
    lab = Lab()
    building = places(lab)
    place = building.begin("alice", LIMITS)
    for _ in range(20):
        lab.wait(KEEP_EVERY.total_seconds())
        building.keep(place)
        assert [each.user for each in lab.reservations() if each.expires_at > lab.clock.now()]
    building.end(place)
    assert not lab.reservations()


def test_the_place_of_a_dead_gateway_lapses() -> None:
    lab = Lab()
    places(lab).begin("alice", LIMITS)
    lab.wait(LIFETIME.total_seconds() + 1)
    assert all(each.expires_at <= lab.clock.now() for each in lab.reservations())


def test_nothing_is_built_and_nothing_is_left_where_bounds_are_not_in_force() -> None:
    lab = Lab()
    lab.cgroups.stuck = True
    with pytest.raises(Unavailable):
        places(lab).begin("alice", LIMITS)
    assert not lab.reservations()
