from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.carbon import Rates
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import CardPower, SlotActivity
from ds01_spawner.domain.usage import Amount, UsageMark
from ds01_spawner.domain.usage_report import By
from ds01_spawner.operations.usage.books import FOLDED_AT_ONCE, Books, put_old_together
from ds01_spawner.operations.usage.report import Question, Reports
from fakes.clock import EPOCH, FakeClock
from fakes.lab import Lab
from fakes.ledger import FakeLedger

DAY = timedelta(days=1)
MICRO = 1_000_000


@pytest.fixture
def lab() -> Lab:
    return Lab(clock=FakeClock())


def books(lab: Lab) -> Books:
    return Books(ledger=lab.ledger, events=lab.events, probe=lab.probe, instance="here")


def keep(lab: Lab, kept: Books) -> tuple[str, ...]:
    return kept.keep(lab.admission.current().snapshot)


def total(lab: Lab) -> dict[str, Amount]:
    now = lab.clock.now()
    with lab.ledger.transaction() as transaction:
        parts = [
            *transaction.usage_booked(EPOCH - DAY, now + DAY),
            *transaction.usage_held(EPOCH - DAY, now),
        ]
    found: dict[str, Amount] = {}
    for holder, amount in parts:
        found[holder.user] = found.get(holder.user, Amount()) + amount
    return found


def test_what_a_container_does_is_booked_to_its_owner(lab: Lab) -> None:
    kept = books(lab)
    keep(lab, kept)
    lab.run("alice")
    slot = next(use.slot for use in lab.admission.current().occupancy.of("alice"))
    lab.probe.busy[slot.uuid] = SlotActivity(0.5)
    lab.probe.watts[slot.gpu_uuid] = CardPower(70.0)
    for _ in range(3):
        lab.wait(60)
        assert keep(lab, kept) == ()
    found = total(lab)["alice"]
    assert found.held_microseconds == 180 * MICRO
    assert (found.seen_microseconds, found.busy_microseconds) == (180 * MICRO, 90 * MICRO)
    assert found.energy_millijoules == 3 * round(70 * 60 * slot.equivalents * 1000)
    assert (found.grants, found.waits) == (1, 0)


def test_whose_it_is_comes_from_the_log_and_the_engine_alike(lab: Lab) -> None:
    kept = books(lab)
    keep(lab, kept)
    lab.run("alice")
    lab.wait(60)
    keep(lab, kept)
    with lab.ledger.transaction() as transaction:
        (by_log,) = transaction.usage_since(EPOCH)
    lab.events.events.clear()
    other = Lab(clock=lab.clock, policy=lab.policy)
    other.engine = lab.engine
    other.restart()
    keep(other, books(other))
    with other.ledger.transaction() as transaction:
        (by_engine,) = transaction.usage_since(EPOCH)
    assert replace(by_engine, begin_told=True) == by_log
    assert (by_log.user, by_log.group, by_log.interface) == ("alice", "student", "hub")
    assert (by_log.slot_id, by_log.profile) == ("0:2", "1g.5gb")


def test_another_process_goes_on_where_the_last_one_ended(lab: Lab) -> None:
    keep(lab, books(lab))
    lab.run("alice")
    for _ in range(3):
        lab.wait(60)
        keep(lab, books(lab))
    assert total(lab)["alice"].seen_microseconds == 180 * MICRO
    assert total(lab)["alice"].grants == 1


def test_containers_of_another_installation_are_in_its_own_books(lab: Lab) -> None:
    lab.run("alice")
    lab.wait(60)
    kept = Books(ledger=lab.ledger, events=lab.events, probe=lab.probe, instance="another")
    keep(lab, kept)
    assert total(lab) == {}


class Unreadable:
    def read(self, place: str, actions: Collection[str] | None) -> tuple[Sequence[Event], str]:
        del place, actions
        raise Unavailable("The event log cannot be read.")


def broken() -> Rates:
    return Rates(notes=("carbon.yaml:1: intensity: expected a number.",))


def test_a_part_that_does_not_answer_is_told_and_the_rest_is_booked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck() -> dict[str, CardPower]:
        raise Unavailable("The NVIDIA driver does not answer.")

    lab.run("alice")
    lab.wait(60)
    monkeypatch.setattr(lab.probe, "power", stuck)
    kept = Books(
        ledger=lab.ledger, events=Unreadable(), probe=lab.probe, instance="here", rates=broken
    )
    assert [each.split(".")[0] for each in keep(lab, kept)] == [
        "The NVIDIA driver does not answer",
        "carbon",
        "The event log cannot be read",
    ]
    assert total(lab)["alice"].seen_microseconds == 60 * MICRO


def test_a_ledger_that_is_full_books_nothing_and_the_next_pass_everything(lab: Lab) -> None:
    kept = books(lab)
    keep(lab, kept)
    lab.run("alice")
    lab.wait(60)
    assert hasattr(lab.ledger, "full")
    lab.ledger.full = True
    with pytest.raises(Unavailable):
        keep(lab, kept)
    lab.ledger.full = False
    lab.wait(60)
    keep(lab, kept)
    found = total(lab)["alice"]
    assert (found.seen_microseconds, found.grants) == (120 * MICRO, 1)


def test_years_of_an_earlier_release_are_put_together_bit_by_bit() -> None:
    ledger, hour = FakeLedger(), timedelta(hours=1)
    old = [
        UsageInterval(
            f"c{number}", "GPU", "alice", 1.0, EPOCH + number * hour, EPOCH + number * hour + hour
        )
        for number in range(FOLDED_AT_ONCE + 100)
    ]
    mark, later = UsageMark("1"), EPOCH + 200 * DAY
    with ledger.transaction() as transaction:
        transaction.put_usage(old)
        left = []
        while mark.folded_at is None:
            mark = put_old_together(transaction, mark, later)
            left.append(len(transaction.usage_begun_before(later)))
            parts = [
                *transaction.usage_booked(EPOCH - DAY, later),
                *transaction.usage_held(EPOCH - DAY, later),
            ]
            held = sum(amount.held_microseconds for _, amount in parts)
            assert held == len(old) * 3600 * MICRO
        assert left == [100, 0]
        assert put_old_together(transaction, mark, later) == mark
        assert mark.event_place == "1"


def test_who_waits_and_gives_up_is_in_the_books(lab: Lab) -> None:
    kept = books(lab)
    keep(lab, kept)
    for number in range(10):
        lab.run(f"p{number:02}")
    request = lab.request("late")
    answer = lab.queued(request)
    lab.wait(3600)
    lab.admission.leave(request, answer.ticket, "The start was cancelled.")
    keep(lab, kept)
    found = total(lab)["late"]
    assert (found.gave_up, found.gave_up_microseconds) == (1, 3600 * MICRO)
    assert found.queued_microseconds == 3600 * MICRO
    assert found.waits == found.grants == 0
    lab.wait(1)
    report = Reports(clock=lab.clock, ledger=lab.ledger).report(Question(By.GROUP))
    assert [(row.name, row.mean_gave_up_seconds) for row in report.rows] == [("student", 3600)]
    assert report.total.queued_equivalent_hours == pytest.approx(1 / 7, abs=1e-3)
