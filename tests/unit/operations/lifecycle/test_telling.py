from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.work import KeepAlive, Rule, RuleStop
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.lifecycle.telling import Telling
from fakes.clock import EPOCH
from fakes.lifecycle_lab import POLICY, LifecycleLab

HOUR = timedelta(hours=1)
FILE = KeepAlive("c1", EPOCH, EPOCH + 24 * HOUR, "file", "alice")
STOP = RuleStop(
    "c1",
    "jupyter._.alice",
    "alice",
    Rule.IDLE,
    "idle_timeout",
    "2h",
    "user alice, resource-limits.yaml line 40",
    "Nothing has run on it since 09:00.",
    decided_at=EPOCH,
    name="jupyter",
)


@pytest.fixture
def lab() -> LifecycleLab:
    return LifecycleLab()


def telling(lab: LifecycleLab) -> Telling:
    return Telling(policy=lab.lab.policy, outbox=lab.outbox, audit=lab.lab.audit, zone=lab.lab.zone)


@pytest.mark.parametrize("interface", ["", "teleporter", "hub"])
def test_a_stop_is_told_of_whatever_door_is_on_record(lab: LifecycleLab, interface: str) -> None:
    with lab.lab.ledger.transaction() as transaction:
        telling(lab).stopped(transaction, replace(STOP, interface=interface))
    (notice,) = lab.notices()
    assert notice.kind is NoticeKind.STOPPED
    assert "Rule: idle_timeout = 2h (your own entry, resource-limits.yaml line 40)." in notice.text


def test_a_limit_of_ones_own_is_recorded_with_whose_it_is(lab: LifecycleLab) -> None:
    lab.lab.policy.edit(f"{POLICY}users:\n  alice: {{idle_timeout: 1h}}\n")
    lab.run()
    lab.minutes(4 * 60)
    (stop,) = lab.rule_stops()
    where = "user alice, resource-limits.yaml line 15"
    assert stop.origin == where
    assert {each["origin"] for each in lab.events("lifecycle.warn")} == {where}
    for notice in lab.notices():
        assert notice.origin == where
        assert "(your own entry, resource-limits.yaml line 15)" in notice.text


@pytest.mark.parametrize(
    ("known", "kept", "reason"),
    [
        ((), FILE, "The file .keep-alive in the workspace says so."),
        (
            (FILE,),
            replace(FILE, granted_at=EPOCH + HOUR, until=EPOCH + 25 * HOUR),
            "The file .keep-alive in the workspace says so.",
        ),
        (
            (FILE,),
            replace(FILE, until=EPOCH + HOUR),
            "The file .keep-alive in the workspace was taken away.",
        ),
    ],
    ids=["new", "touched again", "deleted"],
)
def test_the_event_of_a_file_says_what_became_of_it(
    lab: LifecycleLab, known: tuple[KeepAlive, ...], kept: KeepAlive, reason: str
) -> None:
    telling(lab).kept(kept, Memory(keep_alives=known))
    event = lab.lab.events.events[-1]
    assert event.action == "container.extend"
    assert event.reason == reason
