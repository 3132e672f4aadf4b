"""What every `Ledger` does with what the lifecycle remembers, the fake and the real one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.work import KeepAlive, Level, PassMark, Rule, RuleStop, SentWarning, Track
from ds01_spawner.ports import Ledger, LedgerTransaction
from fakes.clock import EPOCH

MINUTE = timedelta(minutes=1)
TRACK = Track(
    container_id="c1",
    container_name="thesis-run._.jurgen",
    user="Jürgen@x.org",
    started_at=EPOCH + timedelta(microseconds=1),
    run_started_at=EPOCH + MINUTE,
    idle_checks=3,
    idle_since=EPOCH + 2 * MINUTE,
    conflict_since=EPOCH + 3 * MINUTE,
    ended_at=EPOCH + 4 * MINUTE,
    unreadable=("gpu", "network"),
    released=True,
)
NEW_TRACK = Track("c2", "jupyter._.alice", "alice", EPOCH, EPOCH)
WARNING = SentWarning("c1", Rule.IDLE, Level.FIRST, EPOCH, EPOCH + 10 * MINUTE)
KEEP_ALIVE = KeepAlive("c1", EPOCH, EPOCH + 60 * MINUTE, "file", "Jürgen@x.org")
STOP = RuleStop(
    container_id="c1",
    container_name="jupyter._.user",
    user="山田",
    rule=Rule.RUNTIME,
    key="max_runtime",
    value="24h",
    origin="group student, resource-limits.yaml line 31",
    reason='It ran for "24h",\nas long as it may.',
    decided_at=EPOCH + timedelta(microseconds=999_999),
)
MARK = PassMark("3b1d", EPOCH + timedelta(microseconds=1), 1234.000_000_7)


class Interrupted(Exception):
    """Something fails in the middle of a pass."""


class LifecycleLedgerContract:
    """Inherit, and give the fixture `ledger`."""

    def test_a_new_ledger_remembers_no_container_and_no_pass(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            assert list(transaction.tracks()) == []
            assert list(transaction.warnings()) == []
            assert list(transaction.keep_alives()) == []
            assert list(transaction.rule_stops()) == []
            assert transaction.pass_mark() is None

    def test_what_is_remembered_of_containers_is_read_back_exactly(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_tracks([NEW_TRACK, TRACK])
            transaction.put_warnings([WARNING])
            transaction.put_keep_alive(KEEP_ALIVE)
            transaction.put_rule_stop(STOP)
            transaction.put_pass_mark(MARK)
        with ledger.transaction() as transaction:
            assert list(transaction.tracks()) == [TRACK, NEW_TRACK]
            assert list(transaction.warnings()) == [WARNING]
            assert list(transaction.keep_alives()) == [KEEP_ALIVE]
            assert list(transaction.rule_stops()) == [STOP]
            assert transaction.pass_mark() == MARK
            assert transaction.warnings()[0].rule is Rule.IDLE
            assert transaction.warnings()[0].level is Level.FIRST
            assert transaction.rule_stops()[0].rule is Rule.RUNTIME
            assert transaction.tracks()[0].released is True

    @pytest.mark.parametrize("rule", Rule)
    @pytest.mark.parametrize("level", Level)
    def test_a_warning_of_any_rule_and_level_is_kept(
        self, ledger: Ledger, rule: Rule, level: Level
    ) -> None:
        with ledger.transaction() as transaction:
            transaction.put_warnings([replace(WARNING, rule=rule, level=level)])
            assert list(transaction.warnings()) == [replace(WARNING, rule=rule, level=level)]

    def test_a_track_is_replaced_by_that_of_the_same_container(self, ledger: Ledger) -> None:
        busy = replace(
            TRACK, container_name="renamed", idle_checks=0, idle_since=None, unreadable=()
        )
        with ledger.transaction() as transaction:
            transaction.put_tracks([TRACK, NEW_TRACK])
            transaction.put_tracks([busy])
            transaction.put_tracks([])
            assert list(transaction.tracks()) == [busy, NEW_TRACK]

    def test_a_warning_is_replaced_only_by_one_of_the_same_moment(self, ledger: Ledger) -> None:
        moved = replace(WARNING, deadline=EPOCH + 20 * MINUTE)
        others = [
            replace(WARNING, container_id="c2"),
            replace(WARNING, rule=Rule.RUNTIME),
            replace(WARNING, level=Level.FINAL),
            replace(WARNING, sent_at=EPOCH + timedelta(microseconds=1)),
        ]
        with ledger.transaction() as transaction:
            transaction.put_warnings([WARNING, *others])
            transaction.put_warnings([moved])
            transaction.put_warnings([])
            assert len(transaction.warnings()) == 5
            assert set(transaction.warnings()) == {moved, *others}

    def test_a_warning_that_counts_no_more_is_forgotten(self, ledger: Ledger) -> None:
        other = replace(WARNING, level=Level.FINAL)
        with ledger.transaction() as transaction:
            transaction.put_warnings([WARNING, other])
            transaction.remove_warnings([])
            transaction.remove_warnings([WARNING, replace(WARNING, container_id="unknown")])
            assert list(transaction.warnings()) == [other]

    def test_warnings_come_oldest_first(self, ledger: Ledger) -> None:
        oldest_first = [
            replace(WARNING, container_id=name, sent_at=EPOCH + n * MINUTE)
            for n, name in enumerate("cab")
        ]
        with ledger.transaction() as transaction:
            transaction.put_warnings(oldest_first[::-1])
            assert list(transaction.warnings()) == oldest_first

    def test_a_keep_alive_is_replaced_by_one_of_the_same_source(self, ledger: Ledger) -> None:
        again = replace(KEEP_ALIVE, granted_at=EPOCH + MINUTE, until=EPOCH + 90 * MINUTE, by="root")
        by_command = replace(KEEP_ALIVE, source="command")
        with ledger.transaction() as transaction:
            for each in (KEEP_ALIVE, by_command, again):
                transaction.put_keep_alive(each)
            assert list(transaction.keep_alives()) == [by_command, again]

    def test_what_is_forgotten_of_a_container_is_all_but_its_stop(self, ledger: Ledger) -> None:
        other_warning = replace(WARNING, container_id="c2")
        other_keep_alive = replace(KEEP_ALIVE, container_id="c2")
        with ledger.transaction() as transaction:
            transaction.put_tracks([TRACK, NEW_TRACK])
            transaction.put_warnings([WARNING, replace(WARNING, level=Level.FINAL), other_warning])
            transaction.put_keep_alive(KEEP_ALIVE)
            transaction.put_keep_alive(replace(KEEP_ALIVE, source="page"))
            transaction.put_keep_alive(other_keep_alive)
            transaction.put_rule_stop(STOP)
            transaction.forget_containers([])
            transaction.forget_containers(["unknown", TRACK.container_id])
            assert list(transaction.tracks()) == [NEW_TRACK]
            assert list(transaction.warnings()) == [other_warning]
            assert list(transaction.keep_alives()) == [other_keep_alive]
            assert list(transaction.rule_stops()) == [STOP]

    def test_thousands_of_containers_are_forgotten_at_once(self, ledger: Ledger) -> None:
        ids = [str(number) for number in range(2000)]
        with ledger.transaction() as transaction:
            transaction.put_tracks([replace(TRACK, container_id=each) for each in ids])
            assert len(transaction.tracks()) == 2000
            transaction.forget_containers(ids)
            assert list(transaction.tracks()) == []

    def test_the_newest_stop_of_each_persons_container_is_kept(self, ledger: Ledger) -> None:
        done = replace(STOP, container_id="c9", rule=Rule.IDLE, done_at=EPOCH + MINUTE)
        others = [
            replace(STOP, user="alice", decided_at=EPOCH + MINUTE),
            replace(STOP, container_name="thesis-run._.user", decided_at=EPOCH + 2 * MINUTE),
        ]
        with ledger.transaction() as transaction:
            for each in (*others, STOP, done):
                transaction.put_rule_stop(each)
            assert list(transaction.rule_stops()) == [done, *others]

    def test_a_stop_is_forgotten_by_owner_and_name(self, ledger: Ledger) -> None:
        other = replace(STOP, user="alice")
        with ledger.transaction() as transaction:
            transaction.put_rule_stop(STOP)
            transaction.put_rule_stop(other)
            transaction.remove_rule_stops([])
            transaction.remove_rule_stops([replace(STOP, user="bob"), replace(STOP, value="1h")])
            assert list(transaction.rule_stops()) == [other]

    def test_the_last_pass_is_kept_alone(self, ledger: Ledger) -> None:
        later = PassMark("another boot", EPOCH + MINUTE, 0.25)
        with ledger.transaction() as transaction:
            transaction.put_pass_mark(MARK)
            transaction.put_pass_mark(later)
            assert transaction.pass_mark() == later

    @pytest.mark.parametrize(
        "deed",
        [
            lambda rows: rows.put_tracks([replace(TRACK, idle_checks=0), NEW_TRACK]),
            lambda rows: rows.put_warnings([replace(WARNING, level=Level.FINAL)]),
            lambda rows: rows.put_keep_alive(replace(KEEP_ALIVE, until=EPOCH)),
            lambda rows: rows.forget_containers(["c1"]),
            lambda rows: rows.put_rule_stop(replace(STOP, done_at=EPOCH)),
            lambda rows: rows.remove_rule_stops([STOP]),
            lambda rows: rows.put_pass_mark(replace(MARK, boot_id="other")),
        ],
    )
    def test_a_pass_that_fails_leaves_what_was_remembered(
        self, ledger: Ledger, deed: Callable[[LedgerTransaction], None]
    ) -> None:
        with ledger.transaction() as transaction:
            transaction.put_tracks([TRACK])
            transaction.put_warnings([WARNING])
            transaction.put_keep_alive(KEEP_ALIVE)
            transaction.put_rule_stop(STOP)
            transaction.put_pass_mark(MARK)
        before = _all(ledger)

        def fail_after(doing: Callable[[LedgerTransaction], None]) -> object:
            with ledger.transaction() as transaction:
                doing(transaction)
                during.append(_rows(transaction))
                raise Interrupted

        during: list[object] = []
        with pytest.raises(Interrupted):
            fail_after(deed)
        assert during != [before]
        assert _all(ledger) == before


def _rows(transaction: LedgerTransaction) -> object:
    return (
        list(transaction.tracks()),
        list(transaction.warnings()),
        list(transaction.keep_alives()),
        list(transaction.rule_stops()),
        transaction.pass_mark(),
    )


def _all(ledger: Ledger) -> object:
    with ledger.transaction() as transaction:
        return _rows(transaction)
