from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Finding, Signal, Verdict
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.lifecycle import Subject
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.work import KeepAlive, Level, Rule, RuleStop, SentWarning, shifted
from ds01_spawner.operations.lifecycle.subjects import Memory, first_track, gpu_demand, subjects
from ds01_spawner.policy.loading import load_policy
from fakes.clock import EPOCH
from fakes.facts import HOUR_AGO, container, foreign_container, occupied
from fakes.probe import card, machine

HOUR = timedelta(hours=1)
HERE = {labels.INSTANCE: "here"}
POLICY = """
defaults:
  idle_timeout: 2h
groups:
  student: {idle_timeout: 1h}
container_types:
  docker: {idle_timeout: 30m}
"""


def made(*containers: Container, memory: Memory | None = None, **facts: Any) -> tuple[Subject, ...]:
    known: dict[str, Any] = {
        "exemptions": (),
        "instance": "here",
        "is_main": True,
        "demand": 0.0,
        "now": EPOCH,
    }
    policy = load_policy(POLICY, "resource-limits.yaml").policy
    return subjects(containers, memory or Memory(), policy, **(known | facts))


def only(*containers: Container, memory: Memory | None = None, **facts: Any) -> Subject:
    (found,) = made(*containers, memory=memory, **facts)
    return found


@pytest.mark.parametrize(
    ("given", "mine"),
    [
        (container(extra=HERE), True),
        (container(), False),
        (foreign_container(marks={labels.LEGACY_USER: "alice"}), False),
        (foreign_container(marks={labels.USER: "alice", **HERE}), False),
    ],
    ids=["made here", "made before instances", "aime.mlc", "labels of ours, forged"],
)
def test_what_has_an_owner_is_decided_about_and_only_our_own_removed(
    given: Container, mine: bool
) -> None:
    assert only(given).mine is mine


@pytest.mark.parametrize(
    "given",
    [foreign_container(), container(extra={labels.INSTANCE: "elsewhere"})],
    ids=["nobody's", "another installation's"],
)
def test_what_is_not_ours_to_decide_is_left_alone(given: Container) -> None:
    assert made(given) == ()


@pytest.mark.parametrize(
    "given",
    [
        container(),
        foreign_container(marks={labels.LEGACY_USER: "alice"}),
        foreign_container(marks={labels.USER: "alice"}),
    ],
    ids=["made before instances", "aime.mlc", "labels of ours, forged"],
)
def test_what_tells_no_maker_is_left_to_the_main_installation(given: Container) -> None:
    assert made(given, is_main=False) == ()
    assert made(given, is_main=True) != ()
    assert made(container(extra=HERE), is_main=False) != ()


def test_limits_are_those_of_the_group_it_was_made_in_and_of_its_origin() -> None:
    one = container(extra={**HERE, labels.GROUP: "student"})
    other = container("bob", extra={**HERE, labels.INTERFACE: "docker"})
    bounds = [each.timeouts.idle_timeout for each in made(one, other)]
    assert [(each.value, each.key) for each in bounds] == [
        (HOUR, "idle_timeout"),
        (HOUR / 2, "container_types.docker.idle_timeout"),
    ]


def test_each_gets_what_the_ledger_remembers_of_it_alone() -> None:
    alice, bob = container(extra=HERE), container("bob", extra=HERE)
    tracks = [replace(first_track(each), idle_checks=2) for each in (alice, bob)]
    warnings = [
        SentWarning(each.id, Rule.IDLE, Level.FIRST, EPOCH, EPOCH + HOUR) for each in (bob, alice)
    ]
    finding = Finding(Signal.CPU, Verdict.IDLE)
    first, second = made(
        alice,
        bob,
        memory=Memory(tracks=tracks, warnings=warnings),
        findings={bob.id: (finding,)},
    )
    assert (first.track, first.warnings, first.findings) == (tracks[0], (warnings[1],), ())
    assert (second.track, second.warnings, second.findings) == (
        tracks[1],
        (warnings[0],),
        (finding,),
    )


def test_of_several_keep_alives_the_one_that_lasts_longest_counts() -> None:
    given = container(extra=HERE)
    asked = [
        KeepAlive(given.id, EPOCH, EPOCH + hours * HOUR, source, "alice")
        for hours, source in ((2, "file"), (6, "page"), (1, "command"))
    ]
    assert only(given, memory=Memory(keep_alives=asked)).kept == asked[1]


def test_the_last_stop_of_this_very_container_counts() -> None:
    given = container(extra=HERE)
    stops = [
        RuleStop(
            container_id, name, "alice", Rule.IDLE, "idle_timeout", "2h", "", "", decided_at=moment
        )
        for container_id, name, moment in (
            (given.id, "new", EPOCH),
            (given.id, "old", EPOCH - HOUR),
            ("another", "third", EPOCH + HOUR),
        )
    ]
    assert only(given, memory=Memory(rule_stops=stops)).stopped_by_rule_at == EPOCH


def test_exemptions_in_force_are_found_by_what_the_owner_calls_it() -> None:
    given = container(name="thesis", extra={**HERE, labels.NAME: "thesis"})
    both = frozenset({Rule.IDLE, Rule.RUNTIME})
    exemptions = [
        Exemption("alice", "thesis", frozenset({Rule.IDLE}), EPOCH + HOUR, "paper", "f:1"),
        Exemption("alice", "other", both, EPOCH + 2 * HOUR, "", "f:2"),
        Exemption("bob", None, both, EPOCH + 2 * HOUR, "", "f:3"),
        Exemption("alice", None, both, EPOCH, "over", "f:4"),
    ]
    assert only(given, exemptions=exemptions).exemptions == {Rule.IDLE: exemptions[0]}


@pytest.mark.parametrize(
    ("given", "demand", "high"),
    [
        (container(slots=machine(card(0)).slots, extra=HERE), 0.8, True),
        (container(slots=machine(card(0)).slots, extra=HERE), 0.79, False),
        (container(extra=HERE), 1.0, False),
        (
            replace(foreign_container(marks={labels.USER: "alice"}), demand=DeviceDemand(count=-1)),
            1.0,
            True,
        ),
    ],
    ids=["scarce", "not yet", "no GPU", "a GPU without labels"],
)
def test_demand_is_high_for_who_holds_a_gpu(given: Container, demand: float, high: bool) -> None:
    assert only(given, demand=demand).high_demand is high


def test_demand_is_the_share_of_what_can_be_given() -> None:
    inventory = machine(card(0), card(1), card(2), card(3))
    states = {"1": SlotState.HELD, "2": SlotState.UNAVAILABLE}
    assert gpu_demand(occupied(inventory, {"0": "alice"}, states=states)) == pytest.approx(2 / 3)
    assert gpu_demand(occupied(inventory)) == 0.0
    assert gpu_demand(occupied(machine())) == 0.0


def test_one_that_nobody_has_looked_at_began_when_its_labels_say() -> None:
    began = EPOCH - 5 * HOUR
    given = container(extra={**HERE, labels.WORK_STARTED_AT: labels.format_timestamp(began)})
    assert only(given).track.started_at == began
    older = foreign_container(marks={labels.LEGACY_USER: "alice"})
    assert only(older).track.started_at == HOUR_AGO


@pytest.mark.parametrize("key", [labels.WORK_STARTED_AT, labels.CREATED_AT])
@pytest.mark.parametrize(
    "told", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"]
)
def test_forged_labels_neither_postpone_an_end_nor_break_a_pass(key: str, told: str) -> None:
    given = replace(container(extra={**HERE, key: told}), started_at=HOUR_AGO)
    track = only(given).track
    assert track.started_at == track.run_started_at == HOUR_AGO
    assert shifted(track, -HOUR).started_at == HOUR_AGO - HOUR


def test_the_end_of_one_that_stopped_is_known() -> None:
    given = container(extra=HERE, state=ContainerState.EXITED, finished_at=EPOCH)
    assert first_track(given).ended_at == EPOCH
    assert first_track(replace(given, state=ContainerState.RUNNING)).ended_at is None
