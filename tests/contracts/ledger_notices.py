"""What every `Ledger` does with notices, deliveries and storage use, the fake and the real one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.notice import Delivery, Notice, NoticeKind
from ds01_spawner.domain.storage import Folder, StorageUse
from ds01_spawner.ports import Ledger, LedgerTransaction
from fakes.clock import EPOCH

MINUTE = timedelta(minutes=1)
NOTICE = Notice(
    id="n1",
    user="山田",
    kind=NoticeKind.FINAL_WARNING,
    created_at=EPOCH + timedelta(microseconds=1),
    title="jupyter stops in 6 minutes",
    text="It is idle.\nKeep it running: touch ~/.keep-alive",
    container_id="c1",
    container_name="jupyter._.user",
    name="jupyter",
    rule="idle_timeout",
    value="2h",
    origin="group student, resource-limits.yaml line 31",
    deadline=EPOCH + 6 * MINUTE,
    keep_until=EPOCH + 60 * MINUTE,
)
PLAIN = Notice("n2", "alice", NoticeKind.STORAGE, EPOCH + MINUTE, "Your home is full", "81 of 100g")
USE = StorageUse(
    user="Jürgen@x.org",
    size_bytes=3 * 2**40,
    measured_at=EPOCH,
    source="scan",
    largest=(Folder("projects/thesis/Dätä", 2**40), Folder(".", 1)),
    limit_bytes=4 * 2**40,
)


class Interrupted(Exception):
    """Something fails in the middle of a delivery."""


class NoticeLedgerContract:
    """Inherit, and give the fixture `ledger`."""

    def test_a_new_ledger_has_nothing_to_tell(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            assert list(transaction.notices_since(EPOCH)) == []
            assert list(transaction.deliveries()) == []
            assert list(transaction.storage()) == []
            assert list(transaction.storage("alice")) == []

    def test_what_people_are_told_is_read_back_exactly(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(PLAIN, [])
            transaction.put_notice(NOTICE, [])
        with ledger.transaction() as transaction:
            assert list(transaction.notices_since(EPOCH)) == [NOTICE, PLAIN]
            assert transaction.notices_since(EPOCH)[0].kind is NoticeKind.FINAL_WARNING
            assert list(transaction.deliveries()) == []

    def test_notices_are_found_from_their_moment_on(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, [])
            transaction.put_notice(PLAIN, [])
            just_after = NOTICE.created_at + timedelta(microseconds=1)
            assert list(transaction.notices_since(NOTICE.created_at)) == [NOTICE, PLAIN]
            assert list(transaction.notices_since(just_after)) == [PLAIN]

    def test_a_notice_is_to_be_delivered_at_once_through_each_channel(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["terminal", "e-mail"])
        with ledger.transaction() as transaction:
            assert list(transaction.deliveries()) == [
                (NOTICE, Delivery("n1", "e-mail", 0, NOTICE.created_at)),
                (NOTICE, Delivery("n1", "terminal", 0, NOTICE.created_at)),
            ]

    def test_a_notice_that_is_known_is_not_told_again(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["terminal"])
            transaction.remove_delivery(NOTICE.id, "terminal")
            transaction.put_notice(replace(NOTICE, title="again"), ["terminal", "e-mail"])
            assert list(transaction.notices_since(EPOCH)) == [NOTICE]
            assert list(transaction.deliveries()) == []

    def test_a_delivery_moves_on_and_the_first_due_comes_first(self, ledger: Ledger) -> None:
        tried = Delivery(NOTICE.id, "terminal", 1, EPOCH + 2 * MINUTE, begun=True)
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["e-mail", "terminal"])
            transaction.put_notice(PLAIN, ["e-mail"])
            transaction.put_delivery(tried)
        with ledger.transaction() as transaction:
            assert list(transaction.deliveries()) == [
                (NOTICE, Delivery(NOTICE.id, "e-mail", 0, NOTICE.created_at)),
                (PLAIN, Delivery(PLAIN.id, "e-mail", 0, PLAIN.created_at)),
                (NOTICE, tried),
            ]
            assert transaction.deliveries()[2][1].begun is True

    def test_what_arrived_is_delivered_no_more(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["e-mail", "terminal"])
            transaction.remove_delivery(NOTICE.id, "e-mail")
            transaction.remove_delivery(NOTICE.id, "unknown")
            transaction.remove_delivery("unknown", "terminal")
            assert [each.channel for _, each in transaction.deliveries()] == ["terminal"]
            assert list(transaction.notices_since(EPOCH)) == [NOTICE]

    def test_older_notices_are_forgotten_with_their_deliveries(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["e-mail", "terminal"])
            transaction.put_notice(PLAIN, ["e-mail"])
            transaction.remove_notices_before(PLAIN.created_at)
            assert list(transaction.notices_since(EPOCH)) == [PLAIN]
            assert [notice for notice, _ in transaction.deliveries()] == [PLAIN]

    def test_a_delivery_of_a_forgotten_notice_stays_forgotten(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["terminal"])
            transaction.remove_notices_before(NOTICE.created_at + MINUTE)
            transaction.put_delivery(Delivery(NOTICE.id, "terminal", 1, EPOCH))
            transaction.put_notice(NOTICE, [])
            assert list(transaction.deliveries()) == []

    def test_storage_use_is_read_back_exactly_of_one_and_of_all(self, ledger: Ledger) -> None:
        counted = StorageUse("alice", 0, EPOCH + MINUTE, "quota")
        with ledger.transaction() as transaction:
            transaction.put_storage(counted)
            transaction.put_storage(USE)
        with ledger.transaction() as transaction:
            assert list(transaction.storage()) == [USE, counted]
            assert list(transaction.storage("alice")) == [counted]
            assert list(transaction.storage("bob")) == []

    def test_a_measurement_replaces_the_last_of_the_same_person(self, ledger: Ledger) -> None:
        newer = replace(USE, size_bytes=1, largest=(), limit_bytes=None, source="quota")
        with ledger.transaction() as transaction:
            transaction.put_storage(USE)
            transaction.put_storage(newer)
            assert list(transaction.storage()) == [newer]

    def test_a_home_that_is_gone_is_forgotten(self, ledger: Ledger) -> None:
        other = replace(USE, user="alice")
        with ledger.transaction() as transaction:
            transaction.put_storage(USE)
            transaction.put_storage(other)
            transaction.remove_storage([USE.user, "unknown"])
            transaction.remove_storage([])
        with ledger.transaction() as transaction:
            assert list(transaction.storage()) == [other]

    @pytest.mark.parametrize(
        "deed",
        [
            lambda rows: rows.put_notice(PLAIN, ["terminal"]),
            lambda rows: rows.remove_notices_before(EPOCH + MINUTE),
            lambda rows: rows.put_delivery(Delivery(NOTICE.id, "terminal", 1, EPOCH, begun=True)),
            lambda rows: rows.remove_delivery(NOTICE.id, "terminal"),
            lambda rows: rows.put_storage(replace(USE, size_bytes=1)),
            lambda rows: rows.remove_storage([USE.user]),
        ],
    )
    def test_nothing_is_kept_of_a_delivery_that_fails(
        self, ledger: Ledger, deed: Callable[[LedgerTransaction], None]
    ) -> None:
        with ledger.transaction() as transaction:
            transaction.put_notice(NOTICE, ["terminal"])
            transaction.put_storage(USE)
            before = _rows(transaction)

        def fail_after(doing: Callable[[LedgerTransaction], None]) -> None:
            with ledger.transaction() as transaction:
                doing(transaction)
                during.append(_rows(transaction))
                raise Interrupted

        during: list[object] = []
        with pytest.raises(Interrupted):
            fail_after(deed)
        assert during != [before]
        with ledger.transaction() as transaction:
            assert _rows(transaction) == before


def _rows(transaction: LedgerTransaction) -> object:
    return (
        list(transaction.notices_since(EPOCH)),
        list(transaction.deliveries()),
        list(transaction.storage()),
    )
