from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.notice_text import Limit
from ds01_spawner.domain.work import KeepAlive, Level, Rule, RuleStop, SentWarning, Track
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, Forecast
from fakes.clock import FakeClock
from fakes.facts import container
from fakes.lab import POLICY, Lab

HOUR = timedelta(hours=1)
LIMITS = POLICY.replace(
    "  student:\n    priority: 10\n",
    "  student:\n    priority: 10\n    idle_timeout: 2h\n    max_runtime: 24h\n",
)


@pytest.fixture
def lab() -> Lab:
    lab = Lab(clock=FakeClock())
    lab.policy.edit(LIMITS)
    return lab


def forecast(lab: Lab, user: str = "alice") -> Forecast:
    return lab.outlook.read().of(user)


def only(lab: Lab, user: str = "alice") -> ContainerOutlook:
    (found,) = forecast(lab, user).containers
    return found


def remember(lab: Lab, container_id: str, idle: timedelta | None = None) -> Track:
    """What a pass has written down of a container that began now or is idle for so long."""
    now = lab.clock.now()
    began = now - (idle or timedelta(0))
    track = Track(
        container_id,
        "jupyter._.alice",
        "alice",
        started_at=began,
        run_started_at=began,
        idle_checks=3 if idle else 0,
        idle_since=began if idle else None,
    )
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])
    return track


def rule_stop(lab: Lab, container_id: str, at: datetime | None = None) -> RuleStop:
    stop = RuleStop(
        container_id,
        "jupyter._.alice",
        "alice",
        Rule.IDLE,
        "idle_timeout",
        "2h",
        "group student, resource-limits.yaml line 31",
        "Nobody used it for 2 h.",
        decided_at=at or lab.clock.now(),
    )
    with lab.ledger.transaction() as transaction:
        transaction.put_rule_stop(stop)
    return stop


def test_a_container_in_use_has_its_end_and_its_idle_timeout(lab: Lab) -> None:
    remember(lab, lab.run("alice"))
    found = only(lab)
    assert (found.name, found.state, found.gpu_slots) == (
        "jupyter",
        ContainerState.RUNNING,
        ("0:2",),
    )
    assert found.interface is labels.Interface.HUB
    assert found.idle_timeout == 2 * HOUR
    (end,) = found.ends
    assert (end.rule, end.at, end.warned) == (Rule.RUNTIME, lab.clock.now() + 24 * HOUR, False)
    assert end.limit == Limit("max_runtime", "24h", "group student, resource-limits.yaml line 13")


def test_an_idle_one_comes_nearer_to_its_idle_end(lab: Lab) -> None:
    remember(lab, lab.run("alice"), idle=HOUR)
    end = only(lab).ends[0]
    assert (end.rule, end.at) == (Rule.IDLE, lab.clock.now() + HOUR)
    assert end.limit == Limit("idle_timeout", "2h", "group student, resource-limits.yaml line 12")


def test_one_that_no_pass_has_seen_yet_is_told_of_all_the_same(lab: Lab) -> None:
    lab.run("alice")
    lab.wait(3600)
    assert only(lab).ends[0].at == lab.clock.now() + 23 * HOUR


def test_a_warning_shows(lab: Lab) -> None:
    container_id = lab.run("alice")
    remember(lab, container_id, idle=timedelta(minutes=100))
    now = lab.clock.now()
    warning = SentWarning(container_id, Rule.IDLE, Level.FIRST, now, now + timedelta(minutes=20))
    with lab.ledger.transaction() as transaction:
        transaction.put_warnings([warning])
    assert [end.warned for end in only(lab).ends] == [True, False]


def test_no_stop_is_promised_sooner_than_it_can_come(lab: Lab) -> None:
    remember(lab, lab.run("alice"), idle=5 * HOUR)
    assert only(lab).ends[0].at == lab.clock.now() + timedelta(minutes=5)


def test_a_keep_alive_postpones_the_end_and_shows(lab: Lab) -> None:
    container_id = lab.run("alice")
    remember(lab, container_id, idle=HOUR)
    now = lab.clock.now()
    kept = KeepAlive(container_id, now, now + 6 * HOUR, "command", "alice")
    with lab.ledger.transaction() as transaction:
        transaction.put_keep_alive(kept)
    found = only(lab)
    assert found.kept == kept
    assert found.ends[0].at == now + 6 * HOUR


@pytest.mark.parametrize(
    ("limits", "hours"),
    [
        ("max_runtime: null", 24.0),
        ("max_runtime: 10h", 9.0),
        ("max_runtime: 2h", None),
        ("max_runtime: null\n  idle_timeout: null", None),
        ("max_runtime: null\n  policies: {keep_alive_max: 0s}", None),
        ("max_runtime: null\n  policies: {keep_alive_max: 30m}", None),
    ],
    ids=["the most", "its time", "too late", "never idle", "not allowed", "before the idle end"],
)
def test_tells_until_when_it_could_be_kept(lab: Lab, limits: str, hours: float | None) -> None:
    lab.policy.edit(POLICY.replace("defaults:\n", f"defaults:\n  {limits}\n"))
    remember(lab, lab.run("alice"), idle=HOUR)
    expected = None if hours is None else lab.clock.now() + hours * HOUR
    assert only(lab).keep_until == expected


def test_high_demand_halves_the_idle_timeout_of_those_with_a_gpu(lab: Lab) -> None:
    policies = "policies: {high_demand_threshold: 0.01}"
    lab.policy.edit(LIMITS.replace("defaults:\n", f"defaults:\n  {policies}\n"))
    remember(lab, lab.run("alice"), idle=HOUR)
    lab.run("bob", "none")
    end = only(lab).ends[0]
    assert end.high_demand
    assert end.at == lab.clock.now() + timedelta(minutes=5)
    assert only(lab).idle_timeout == HOUR
    assert only(lab, "bob").idle_timeout == 2 * HOUR


def test_a_stopped_one_says_which_rule_and_when_it_goes(lab: Lab) -> None:
    container_id = lab.run("alice")
    track = remember(lab, container_id)
    lab.wait(7200)
    stop = rule_stop(lab, container_id)
    lab.stop("alice")
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([replace(track, ended_at=lab.clock.now())])
    found = only(lab)
    assert found.stopped_by == stop
    assert found.removed_at == lab.clock.now() + timedelta(minutes=30)
    assert (found.ends, found.keep_until) == ((), None)


def test_who_stopped_it_themselves_is_told_of_no_rule(lab: Lab) -> None:
    container_id = lab.run("alice")
    rule_stop(lab, container_id, at=lab.clock.now() - HOUR)
    remember(lab, container_id)
    lab.stop("alice")
    assert only(lab).stopped_by is None


def test_a_removed_one_is_still_told_of(lab: Lab) -> None:
    stop = rule_stop(lab, "gone")
    found = forecast(lab)
    assert found.containers == ()
    assert found.gone == (stop,)
    assert lab.outlook.last_stop("alice", "jupyter._.alice") == stop


def test_a_new_container_of_the_name_ends_the_story(lab: Lab) -> None:
    rule_stop(lab, "gone")
    lab.run("alice")
    assert forecast(lab).gone == ()
    assert lab.outlook.last_stop("alice", "jupyter._.alice") is not None
    lab.outlook.runs_again("alice", "jupyter._.alice")
    assert lab.outlook.last_stop("alice", "jupyter._.alice") is None


def test_nobody_sees_anything_of_somebody_else(lab: Lab) -> None:
    rule_stop(lab, "gone")
    lab.run("alice", name="thesis")
    mine = forecast(lab, "bob")
    assert (mine.containers, mine.gone) == ((), ())
    assert lab.outlook.last_stop("bob", "jupyter._.alice") is None


def test_containers_without_an_owner_or_of_another_installation_are_left_out(lab: Lab) -> None:
    lab.engine.put(container("alice", extra={labels.INSTANCE: "elsewhere"}))
    lab.engine.put(replace(container("bob"), labels={}))
    assert lab.outlook.read().containers == ()


def test_an_older_container_without_our_labels_is_told_of(lab: Lab) -> None:
    marks = {labels.LEGACY_USER: "alice", labels.LEGACY_NAME: "thesis"}
    lab.engine.put(replace(container("alice"), name="thesis._.1001", labels=marks))
    assert (only(lab).name, only(lab).interface) == ("thesis", labels.Interface.CLI)


def test_readings_are_shared_for_as_long_as_the_caller_allows(lab: Lab) -> None:
    shared = lab.outlook
    lab.run("alice")
    first = shared.read()
    lab.wait(4)
    assert shared.read(timedelta(seconds=5)) is first
    lab.wait(4)
    assert shared.read(timedelta(seconds=5)) is not first


def test_gpus_that_cannot_be_read_are_said_and_the_rest_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(lab, lab.run("alice"))

    def broken() -> None:
        raise Unavailable("The NVIDIA driver does not answer.")

    monkeypatch.setattr(lab.probe, "inventory", broken)
    found = forecast(lab)
    assert found.notes == ("The NVIDIA driver does not answer.",)
    assert len(found.containers) == 1


def test_nothing_is_told_while_the_ledger_is_locked(lab: Lab) -> None:
    lab.run("alice")
    lab.ledger.locked = True  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        lab.outlook.read()
