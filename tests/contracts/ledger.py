"""What every `Ledger` does, the fake and the real one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.ports import Ledger
from fakes.clock import EPOCH

MINUTE = timedelta(minutes=1)
RESERVATION = Reservation(
    id="r1",
    user="Jürgen@x.org",
    container_name="jupyter._.jurgen",
    gpu_uuids=("MIG-1", "GPU-2"),
    gpu_equivalents=2 / 7 + 1,
    created_at=EPOCH + timedelta(microseconds=1),
    expires_at=EPOCH + MINUTE,
)
TICKET = Ticket(
    id="t1",
    user="山田",
    container_name="jupyter._.user",
    gpu=GpuRequest.parse("20gb", 2),
    priority=60,
    created_at=EPOCH,
    seen_at=EPOCH + timedelta(microseconds=999_999),
    overtaken=3,
    groups=("student", "research group"),
)
USAGE = UsageInterval("c1", "GPU-2", "alice", 1.0, EPOCH, EPOCH + MINUTE)


class Interrupted(Exception):
    """Something fails in the middle of a decision."""


class LedgerContract:
    """Inherit, and give the fixture `ledger`."""

    def test_a_new_ledger_is_empty(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            assert list(transaction.reservations()) == []
            assert list(transaction.tickets()) == []
            assert list(transaction.usage_since(EPOCH)) == []

    def test_what_is_written_is_read_back_exactly(self, ledger: Ledger) -> None:
        plain = replace(RESERVATION, id="r2", gpu_uuids=(), created_at=EPOCH + MINUTE)
        requests = ("mig", "full", "2g.10gb", "1g.5gb+me")
        tickets = [
            replace(TICKET, id=f"t{number}", gpu=GpuRequest.parse(text), groups=())
            for number, text in enumerate(requests, 2)
        ]
        with ledger.transaction() as transaction:
            transaction.add_reservation(RESERVATION)
            transaction.add_reservation(plain)
            for ticket in (TICKET, *tickets):
                transaction.put_ticket(ticket)
            transaction.put_usage([USAGE])
        with ledger.transaction() as transaction:
            assert list(transaction.reservations()) == [RESERVATION, plain]
            assert list(transaction.tickets()) == [TICKET, *tickets]
            assert list(transaction.usage_since(EPOCH)) == [USAGE]

    @pytest.mark.parametrize(
        "moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 1, UTC)]
    )
    def test_any_moment_is_kept_to_the_microsecond(self, ledger: Ledger, moment: datetime) -> None:
        entry = replace(RESERVATION, created_at=moment, expires_at=moment + MINUTE)
        with ledger.transaction() as transaction:
            transaction.add_reservation(entry)
        with ledger.transaction() as transaction:
            assert list(transaction.reservations()) == [entry]

    def test_nothing_is_kept_of_a_decision_that_fails(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.add_reservation(RESERVATION)
            transaction.put_ticket(TICKET)

        def fail_after_writing() -> None:
            with ledger.transaction() as transaction:
                transaction.remove_reservations([RESERVATION.id])
                transaction.add_reservation(replace(RESERVATION, id="r2"))
                transaction.put_ticket(replace(TICKET, overtaken=9))
                transaction.put_usage([USAGE])
                raise Interrupted

        with pytest.raises(Interrupted):
            fail_after_writing()
        with ledger.transaction() as transaction:
            assert list(transaction.reservations()) == [RESERVATION]
            assert list(transaction.tickets()) == [TICKET]
            assert list(transaction.usage_since(EPOCH)) == []

    def test_a_decision_sees_its_own_writing(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.add_reservation(RESERVATION)
            assert list(transaction.reservations()) == [RESERVATION]

    def test_an_expiry_moves_and_nothing_else_does(self, ledger: Ledger) -> None:
        later = EPOCH + 5 * MINUTE
        with ledger.transaction() as transaction:
            transaction.add_reservation(RESERVATION)
            transaction.set_expiry(RESERVATION.id, later)
            transaction.set_expiry("unknown", later)
            assert list(transaction.reservations()) == [replace(RESERVATION, expires_at=later)]

    def test_removing_is_by_id_and_ignores_unknown_ones(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.add_reservation(RESERVATION)
            transaction.put_ticket(TICKET)
            transaction.remove_reservations(["unknown"])
            transaction.remove_reservations([])
            transaction.remove_tickets(["unknown"])
            transaction.remove_tickets([])
            assert len(transaction.reservations()) == len(transaction.tickets()) == 1
            transaction.remove_reservations([RESERVATION.id, "unknown"])
            transaction.remove_tickets([TICKET.id, "unknown"])
            assert len(transaction.reservations()) == len(transaction.tickets()) == 0

    def test_thousands_are_removed_at_once(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            for number in range(2000):
                transaction.add_reservation(replace(RESERVATION, id=str(number)))
            transaction.remove_reservations([str(number) for number in range(2000)])
            assert list(transaction.reservations()) == []

    def test_a_ticket_is_replaced_by_its_id(self, ledger: Ledger) -> None:
        newer = replace(TICKET, seen_at=EPOCH + MINUTE, overtaken=4, priority=1)
        with ledger.transaction() as transaction:
            transaction.put_ticket(TICKET)
            transaction.put_ticket(newer)
            assert list(transaction.tickets()) == [newer]

    def test_everything_is_read_in_the_order_of_its_making(self, ledger: Ledger) -> None:
        tickets = [
            replace(TICKET, id=name, created_at=EPOCH + n * MINUTE) for n, name in enumerate("cab")
        ]
        with ledger.transaction() as transaction:
            for ticket in reversed(tickets):
                transaction.put_ticket(ticket)
            assert list(transaction.tickets()) == tickets

    @pytest.mark.parametrize(
        ("since", "found"),
        [
            (EPOCH, True),
            (EPOCH + MINUTE - timedelta(microseconds=1), True),
            (EPOCH + MINUTE, False),
        ],
        ids=["before", "just before its end", "at its end"],
    )
    def test_use_is_found_until_its_end(self, ledger: Ledger, since: datetime, found: bool) -> None:
        with ledger.transaction() as transaction:
            transaction.put_usage([USAGE])
            assert bool(transaction.usage_since(since)) is found

    def test_use_that_goes_on_is_always_found_and_can_be_ended(self, ledger: Ledger) -> None:
        begun = replace(USAGE, ended_at=None)
        again = replace(USAGE, started_at=EPOCH + 5 * MINUTE, ended_at=None)
        with ledger.transaction() as transaction:
            transaction.put_usage([begun, again])
            assert len(transaction.usage_since(EPOCH + 90 * MINUTE)) == 2
            transaction.put_usage([USAGE])
            assert list(transaction.usage_since(EPOCH + 90 * MINUTE)) == [again]

    def test_decisions_of_many_threads_come_one_after_the_other(self, ledger: Ledger) -> None:
        inside = threading.Lock()

        def decide(number: int) -> bool:
            with ledger.transaction() as transaction:
                alone = inside.acquire(blocking=False)
                seen = len(transaction.reservations())
                transaction.add_reservation(replace(RESERVATION, id=str(number)))
                alone = alone and len(transaction.reservations()) == seen + 1
                inside.release()
            return alone

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(decide, range(40)))
        with ledger.transaction() as transaction:
            assert len(transaction.reservations()) == 40
