from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.limits import LifecycleOverride, Limits
from ds01_spawner.domain.timeouts import Bound, gpu_hold, time_left, timeouts_of
from ds01_spawner.domain.work import Rule
from fakes.clock import EPOCH

HOUR = timedelta(hours=1)
OWN = Limits(
    idle_timeout=2 * HOUR,
    max_runtime=24 * HOUR,
    gpu_hold_after_stop=HOUR,
    container_hold_after_stop=None,
)


def of(interface: str) -> dict[str, str]:
    return {labels.USER: "alice", labels.INTERFACE: interface}


@pytest.mark.parametrize("interface", ["hub", "cli", "batch", "unknown", "no such door"])
def test_a_persons_own_limits_hold_where_nothing_overrides_them(interface: str) -> None:
    found = timeouts_of(OWN, of(interface))
    assert found.idle_timeout == Bound(2 * HOUR, "idle_timeout")
    assert found.max_runtime == Bound(24 * HOUR, "max_runtime")
    assert found.gpu_hold_after_stop == Bound(HOUR, "gpu_hold_after_stop")
    assert found.container_hold_after_stop == Bound(None, "container_hold_after_stop")


def test_a_dev_container_is_never_idle_and_runs_a_week() -> None:
    found = timeouts_of(OWN, of("devcontainer"))
    assert found.idle_timeout == Bound(None, "container_types.devcontainer.idle_timeout")
    assert found.max_runtime == Bound(168 * HOUR, "container_types.devcontainer.max_runtime")
    assert found.gpu_hold_after_stop == Bound(HOUR, "gpu_hold_after_stop")


def test_an_override_replaces_what_it_gives_and_nothing_else() -> None:
    override = LifecycleOverride(idle_timeout=HOUR, given=frozenset({"idle_timeout"}))
    found = timeouts_of(replace(OWN, container_types={"hub": override}), of("hub"))
    assert found.idle_timeout == Bound(HOUR, "container_types.hub.idle_timeout")
    assert found.max_runtime == Bound(24 * HOUR, "max_runtime")


def test_a_given_null_is_never() -> None:
    override = LifecycleOverride(given=frozenset({"max_runtime"}))
    found = timeouts_of(replace(OWN, container_types={"batch": override}), of("batch"))
    assert found.max_runtime == Bound(None, "container_types.batch.max_runtime")


def test_a_container_of_unknown_origin_has_the_limits_of_unknown() -> None:
    override = LifecycleOverride(max_runtime=HOUR, given=frozenset({"max_runtime"}))
    limits = replace(OWN, container_types={"unknown": override})
    for marks in ({}, of("no such door")):
        assert timeouts_of(limits, marks).max_runtime.value == HOUR


@pytest.mark.parametrize("hold", [HOUR, timedelta(0), None], ids=str)
@pytest.mark.parametrize("ended_by", [None, Rule.IDLE, Rule.CONFLICT], ids=str)
def test_a_stopped_container_keeps_its_gpu_as_the_policy_says(
    hold: timedelta | None, ended_by: Rule | None
) -> None:
    timeouts = timeouts_of(replace(OWN, gpu_hold_after_stop=hold), of("hub"))
    assert gpu_hold(timeouts, ended_by, None) == hold


@pytest.mark.parametrize("hold", [HOUR, timedelta(0), None], ids=str)
def test_one_whose_time_was_up_gives_its_gpu_back_at_once(hold: timedelta | None) -> None:
    timeouts = timeouts_of(replace(OWN, gpu_hold_after_stop=hold), of("hub"))
    assert gpu_hold(timeouts, Rule.RUNTIME, None) == timedelta(0)


@pytest.mark.parametrize(
    ("left", "hold"),
    [(timedelta(minutes=5), timedelta(minutes=5)), (2 * HOUR, HOUR), (-HOUR, timedelta(0))],
    ids=["less than the hold", "more than it", "overdue"],
)
def test_nothing_is_held_beyond_the_time_of_its_work(left: timedelta, hold: timedelta) -> None:
    timeouts = timeouts_of(replace(OWN, gpu_hold_after_stop=HOUR), of("hub"))
    assert gpu_hold(timeouts, None, left) == hold


def test_what_is_left_of_the_time_of_work() -> None:
    timeouts = timeouts_of(replace(OWN, max_runtime=2 * HOUR), of("hub"))
    assert time_left(timeouts, EPOCH, EPOCH + HOUR, None) == HOUR
    assert time_left(timeouts, EPOCH, EPOCH + HOUR, EPOCH + 9 * HOUR) == 8 * HOUR
    assert time_left(timeouts, EPOCH, EPOCH + HOUR, EPOCH) == HOUR
    assert time_left(timeouts, None, EPOCH, None) is None
    endless = timeouts_of(replace(OWN, max_runtime=None), of("hub"))
    assert time_left(endless, EPOCH, EPOCH, None) is None
