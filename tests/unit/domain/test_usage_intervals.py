from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.usage_begun import start_details
from ds01_spawner.domain.usage_intervals import Intervals, usage_changes
from fakes.clock import EPOCH
from fakes.facts import HOUR_AGO, container, foreign_container
from fakes.probe import small_lab

SLOT, OTHER = small_lab().slots[:2]
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def interval(
    end: datetime | None = None, begin: datetime = HOUR_AGO, *, known: bool = True
) -> UsageInterval:
    return UsageInterval(
        "alice-jupyter",
        SLOT.uuid,
        "alice",
        0.5,
        begin,
        end,
        interface="hub",
        container_name="jupyter._.alice",
        slot_id=SLOT.id,
        end_known=known,
    )


def used(state: ContainerState = ContainerState.RUNNING, end: datetime | None = None) -> Container:
    return container(
        slots=[SLOT], state=state, finished_at=end, extra={labels.GPU_EQUIVALENTS: "0.5"}
    )


def test_usage_begins_when_the_slot_was_allocated() -> None:
    assert usage_changes([], [used()], EPOCH) == (interval(),)


def test_usage_that_goes_on_is_not_touched() -> None:
    assert usage_changes([interval()], [used()], EPOCH) == ()


def test_usage_ends_when_the_container_ended() -> None:
    ended = EPOCH - timedelta(minutes=5)
    stopped = used(ContainerState.EXITED, ended)
    assert usage_changes([interval()], [stopped], EPOCH) == (interval(ended),)
    assert usage_changes([interval(ended)], [stopped], EPOCH) == ()


def test_usage_of_a_container_that_is_gone_ends_where_it_was_last_seen() -> None:
    seen = EPOCH - SECOND
    (change,) = usage_changes([replace(interval(), seen_at=seen)], [], EPOCH)
    assert (change.ended_at, change.end_known) == (seen, False)
    (never,) = usage_changes([interval()], [], EPOCH)
    assert (never.ended_at, never.end_known) == (HOUR_AGO, False)


def test_an_end_that_is_told_is_known_better_than_the_last_look() -> None:
    seen = replace(interval(), seen_at=ENDED - MINUTE)
    (gone,) = usage_changes([seen], [], EPOCH)
    assert after([end(ENDED, at=EPOCH)], [gone]) == [(HOUR_AGO, ENDED, True)]


def test_after_the_clock_was_set_back_nothing_ends_before_it_was_seen() -> None:
    seen = EPOCH + timedelta(hours=1)
    known = replace(interval(), seen_at=seen, seen_microseconds=3600 * 10**6)
    for event in (end(EPOCH - MINUTE), start(EPOCH - MINUTE, again=True)):
        intervals = Intervals([known], small_lab().slots, EPOCH)
        intervals.tell(event)
        assert seen in {each.ended_at for each in intervals.changes.values()}
    intervals = Intervals([known], small_lab().slots, EPOCH)
    intervals.see([], EPOCH)
    assert {each.ended_at for each in intervals.changes.values()} == {seen}


def test_what_a_clock_saw_that_was_a_year_ahead_counts_as_long_as_it_took() -> None:
    ahead = replace(interval(), seen_at=EPOCH + timedelta(days=365), seen_microseconds=7200 * 10**6)
    intervals = Intervals([ahead], small_lab().slots, EPOCH)
    intervals.tell(end(EPOCH - MINUTE))
    (change,) = intervals.changes.values()
    assert change.ended_at == HOUR_AGO + timedelta(hours=2)


def test_usage_never_ends_before_it_began() -> None:
    earlier = HOUR_AGO - timedelta(minutes=1)
    (change,) = usage_changes([interval()], [used(ContainerState.EXITED, earlier)], EPOCH)
    assert change.ended_at == change.started_at


def test_usage_of_a_container_started_again_begins_again_now() -> None:
    ended = interval(EPOCH - timedelta(minutes=5))
    assert usage_changes([ended], [used()], EPOCH) == (interval(begin=EPOCH),)


def test_each_of_a_containers_slots_has_its_share() -> None:
    both = container(slots=[SLOT, OTHER], extra={labels.GPU_EQUIVALENTS: "0.5714"})
    changes = usage_changes([], [both], EPOCH)
    assert {change.gpu_uuid: change.gpu_equivalents for change in changes} == {
        SLOT.uuid: 0.2857,
        OTHER.uuid: 0.2857,
    }


def test_of_a_containers_slots_each_counts_what_it_is() -> None:
    whole = next(slot for slot in small_lab().slots if slot.is_full)
    gone = "MIG-gone"
    marks = {
        labels.GPU_UUIDS: f"{whole.uuid},{SLOT.uuid},{gone}",
        labels.GPU_EQUIVALENTS: f"{1 + SLOT.equivalents + 0.25:.4g}",
    }
    intervals = Intervals([], small_lab().slots)
    intervals.see([container(slots=[whole, SLOT], extra=marks)], EPOCH)
    found = {each.gpu_uuid: each.gpu_equivalents for each in intervals.changes.values()}
    assert found[whole.uuid] == 1.0
    assert found[SLOT.uuid] == round(SLOT.equivalents, 4)
    assert found[gone] == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize("label", ["much", "nan", "inf", "-1", "1e9", ""])
def test_a_label_that_is_no_figure_counts_for_nothing(label: str) -> None:
    odd = container(slots=[SLOT], extra={labels.GPU_EQUIVALENTS: label})
    (change,) = usage_changes([], [odd], EPOCH)
    assert change.gpu_equivalents == 0.0


def test_only_the_platforms_running_containers_use_anything() -> None:
    other = [foreign_container(), container(), used(ContainerState.CREATED)]
    assert usage_changes([], other, EPOCH) == ()


def told(action: str, at: datetime, **details: object) -> Event:
    marks = used().labels
    said = {"id": "alice-jupyter", **details}
    if action == "container.start":
        said = {**start_details(marks), "slots": SLOT.id, **said}
    return Event(at, "alice", action, "jupyter._.alice", "gateway", "hub", details=said)


def start(at: datetime, *, again: bool = False) -> Event:
    return told("container.start", at, **({"again": True} if again else {}))


def end(ended: datetime, at: datetime | None = None) -> Event:
    return told("container.exit", at or ended, ended_at=labels.format_timestamp(ended))


def after(
    events: Iterable[Event],
    known: Iterable[UsageInterval] = (),
    *,
    seen: Iterable[Container] | None = None,
    taken_at: datetime = EPOCH,
) -> list[tuple[datetime, datetime | None, bool]]:
    """Begin, end, and whether that is known, of every interval."""
    kept = {(each.container_id, each.gpu_uuid, each.started_at): each for each in known}
    intervals = Intervals(kept.values(), small_lab().slots)
    for event in events:
        intervals.tell(event)
    if seen is not None:
        intervals.see(seen, taken_at)
    every = sorted((kept | intervals.changes).values(), key=lambda each: each.started_at)
    return [(each.started_at, each.ended_at, each.end_known) for each in every]


STARTED = HOUR_AGO + 5 * SECOND
ENDED = HOUR_AGO + 10 * MINUTE


def test_what_came_and_went_while_nobody_looked_is_known_from_the_log() -> None:
    assert after([start(STARTED), end(ENDED)], seen=[]) == [(HOUR_AGO, ENDED, True)]


def test_the_log_and_the_engine_tell_of_one_interval() -> None:
    assert after([start(STARTED)], [interval()], seen=[used()]) == [(HOUR_AGO, None, True)]
    assert after([end(ENDED)], [interval(ENDED)], seen=[]) == [(HOUR_AGO, ENDED, True)]


def test_a_restart_between_two_looks_is_a_new_interval() -> None:
    again = ENDED + MINUTE
    events = [end(ENDED), start(again, again=True)]
    expected = [(HOUR_AGO, ENDED, True), (again, None, True)]
    assert after(events, [interval()], seen=[used()]) == expected


def test_a_restart_soon_after_the_grant_is_a_new_interval_too() -> None:
    ended, again = HOUR_AGO + 40 * SECOND, HOUR_AGO + 60 * SECOND
    events = [start(STARTED, again=True), start(again, again=True), end(ended, at=EPOCH - SECOND)]
    expected = [(HOUR_AGO, ended, True), (again, None, True)]
    assert after(events, seen=[used()]) == expected
    assert after(events, [interval()], seen=[used()]) == expected, "it was seen first"


def test_an_end_that_is_told_after_the_next_start_is_put_where_it_belongs() -> None:
    again = ENDED + MINUTE
    events = [start(again, again=True), end(ENDED, at=again + SECOND)]
    expected = [(HOUR_AGO, ENDED, True), (again, None, True)]
    assert after(events, [interval()], seen=[used()]) == expected


def test_a_guessed_end_is_corrected_when_the_log_tells_it() -> None:
    guessed = interval(EPOCH, known=False)
    assert after([end(ENDED, at=EPOCH + MINUTE)], [guessed]) == [(HOUR_AGO, ENDED, True)]
    known = interval(EPOCH - MINUTE)
    assert after([end(ENDED, at=EPOCH + MINUTE)], [known]) == [(HOUR_AGO, EPOCH - MINUTE, True)]


def test_what_was_gone_when_somebody_looked_again_ends_where_it_was_last_seen() -> None:
    seen = HOUR_AGO + 7 * MINUTE
    lost = UsageInterval("c", SLOT.uuid, "alice", 0.5, HOUR_AGO, interface="hub", seen_at=seen)
    assert after([], [lost], seen=[]) == [(HOUR_AGO, seen, False)]


def test_the_log_may_know_newer_things_than_the_engine_showed() -> None:
    later = EPOCH + SECOND
    started = Event(
        later,
        "alice",
        "container.start",
        "jupyter._.alice",
        "hub",
        "hub",
        details={
            "id": "new",
            "uuids": [SLOT.uuid],
            "equivalents": 0.5,
            "allocated_at": labels.format_timestamp(EPOCH - SECOND),
        },
    )
    assert after([started], seen=[]) == [(EPOCH - SECOND, None, True)]
    ended = end(EPOCH - SECOND, at=later)
    assert after([ended], [interval()], seen=[used()]) == [(HOUR_AGO, EPOCH - SECOND, True)]


def test_a_container_that_waited_to_be_started_held_nothing_meanwhile() -> None:
    assert after([start(EPOCH - MINUTE, again=True)]) == [(EPOCH - MINUTE, None, True)]
    soon = HOUR_AGO + 30 * SECOND
    assert after([start(soon, again=True)]) == [(HOUR_AGO, None, True)]


def test_a_refused_start_and_events_without_slots_are_nothing() -> None:
    refused = Event(
        EPOCH, "alice", "container.start", "x", "hub", "hub", "failed", details={"id": "x"}
    )
    bare = Event(EPOCH, "alice", "container.start", "x", "hub", "hub", details={"id": "x"})
    nameless = Event(EPOCH, "alice", "container.exit", "x", "hub", "hub")
    assert after([refused, bare, nameless]) == []


def test_an_interval_of_an_earlier_release_learns_whose_it_is() -> None:
    old = UsageInterval("alice-jupyter", SLOT.uuid, "alice", 0.5, HOUR_AGO)
    marks = {labels.GROUP: "student", labels.PROJECT: "thesis"}
    intervals = Intervals([old], small_lab().slots)
    intervals.see([container(slots=[SLOT], extra=marks)], EPOCH)
    (change,) = intervals.changes.values()
    assert (change.group, change.project, change.interface) == ("student", "thesis", "hub")
    assert (change.slot_id, change.profile) == (SLOT.id, SLOT.profile)
    assert change.gpu_equivalents == 0.5
