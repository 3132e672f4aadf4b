"""What is remembered, and decided about in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.notice import Delivery, Notice
from ds01_spawner.domain.repetition import KeptAnswer
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import (
    HOLDER_FIELDS,
    Amount,
    Booking,
    DayAmount,
    Grain,
    Holder,
    UsageMark,
)
from ds01_spawner.domain.usage_totals import TotalPart
from ds01_spawner.domain.work import KeepAlive, PassMark, RuleStop, SentWarning, Track


class LedgerTransaction(Protocol):
    """One atomic decision. Nothing is kept unless the `with` block ends normally."""

    def reservations(self) -> Sequence[Reservation]:
        """Every reservation, expired or not."""
        ...

    def add_reservation(self, reservation: Reservation) -> None:
        """Remember a promise."""
        ...

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        """Move the end of a reservation; nothing happens when it is unknown."""
        ...

    def remove_reservations(self, ids: Sequence[str]) -> None:
        """Forget promises; unknown ids are ignored."""
        ...

    def tickets(self) -> Sequence[Ticket]:
        """Every ticket, alive or not."""
        ...

    def put_ticket(self, ticket: Ticket) -> None:
        """Add a ticket or replace the one with its id."""
        ...

    def remove_tickets(self, ids: Sequence[str]) -> None:
        """Forget tickets; unknown ids are ignored."""
        ...

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals that had not ended at `moment`."""
        ...

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Add intervals or replace those of the same container and device."""
        ...

    def usage_of(self, container_ids: Collection[str]) -> Sequence[UsageInterval]:
        """Every interval of these containers that is kept."""
        ...

    def remove_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Forget intervals; unknown ones are ignored."""
        ...

    def usage_begun_before(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals of which something before `moment` is in no hour yet."""
        ...

    def usage_held(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        """What intervals held within a period and is in no hour yet, of one person or everybody.

        Holders are told apart by these fields of theirs; a holder may come twice.
        """
        ...

    def book_usage(self, grain: Grain, bookings: Iterable[Booking]) -> None:
        """Add amounts to those of the same holder and hour or day."""
        ...

    def bookings_before(self, grain: Grain, moment: datetime) -> Sequence[Booking]:
        """Hours or days that began before `moment`."""
        ...

    def remove_bookings_before(self, grain: Grain, moment: datetime) -> None:
        """Forget hours or days that began before `moment`."""
        ...

    def usage_booked(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        """Sums of the hours and days that began within a period, of one person or everybody.

        Holders are told apart by these fields of theirs; a holder may come twice.
        """
        ...

    def booked_by_day(
        self, grain: Grain, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        """What is booked as hours, or as days, on each day of a period.

        Of one person or everybody; holders are told apart by what a slot of theirs counts alone.
        """
        ...

    def held_by_day(
        self, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        """What intervals held on each day of a period and is in no hour yet; as above."""
        ...

    def usage_totals(self, grain: Grain | None) -> Sequence[TotalPart]:
        """What is booked as hours, or as days, or (`None`) in neither yet, since there are books.

        Holders are told apart by what totals need alone, and may come several times. What lasts is
        counted up to the last look: together the three only ever grow.
        """
        ...

    def usage_begin(self) -> datetime | None:
        """Since when there is anything; `None` for nothing."""
        ...

    def usage_mark(self) -> UsageMark | None:
        """How far the books are kept; `None` before the first time."""
        ...

    def put_usage_mark(self, mark: UsageMark) -> None:
        """Remember how far the books are kept."""
        ...

    def tracks(self) -> Sequence[Track]:
        """What is remembered of every container."""
        ...

    def put_tracks(self, tracks: Sequence[Track]) -> None:
        """Add tracks or replace those of the same container."""
        ...

    def warnings(self) -> Sequence[SentWarning]:
        """Every warning that was given to a container that is still tracked, oldest first."""
        ...

    def put_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Write warnings down; one of the same container, rule, level and moment is replaced."""
        ...

    def remove_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Forget warnings; unknown ones are ignored."""
        ...

    def keep_alives(self) -> Sequence[KeepAlive]:
        """Every keep-alive that was asked for, past ones included."""
        ...

    def put_keep_alive(self, keep_alive: KeepAlive) -> None:
        """Add a keep-alive or replace the one of the same container and source."""
        ...

    def forget_containers(self, ids: Sequence[str]) -> None:
        """Forget tracks, warnings and keep-alives of containers that are gone."""
        ...

    def rule_stops(self) -> Sequence[RuleStop]:
        """The newest stop by rule of each container, those of removed containers included."""
        ...

    def put_rule_stop(self, stop: RuleStop) -> None:
        """Add a stop by rule or replace the one of the same owner and container name."""
        ...

    def remove_rule_stops(self, stops: Sequence[RuleStop]) -> None:
        """Forget stops by rule."""
        ...

    def pass_mark(self) -> PassMark | None:
        """When the last pass ran; `None` before the first."""
        ...

    def put_pass_mark(self, mark: PassMark) -> None:
        """Remember when a pass ran."""
        ...

    def notices_since(self, moment: datetime) -> Sequence[Notice]:
        """Notices created at `moment` or later, oldest first."""
        ...

    def put_notice(self, notice: Notice, channels: Sequence[str]) -> None:
        """Remember a notice, to be delivered through each of `channels` at once.

        Nothing happens when it is known: nobody is told twice.
        """
        ...

    def remove_notices_before(self, moment: datetime) -> None:
        """Forget older notices with their deliveries."""
        ...

    def deliveries(self) -> Sequence[tuple[Notice, Delivery]]:
        """What is still to be delivered, the first due first."""
        ...

    def put_delivery(self, delivery: Delivery) -> None:
        """Add a delivery or replace the one of the same notice and channel.

        Nothing happens when its notice is forgotten.
        """
        ...

    def remove_delivery(self, notice_id: str, channel: str) -> None:
        """It arrived, or is given up."""
        ...

    def storage(self, user: str | None = None) -> Sequence[StorageUse]:
        """The last measurement of one person, or of everybody."""
        ...

    def put_storage(self, use: StorageUse) -> None:
        """Add a measurement or replace the person's last."""
        ...

    def remove_storage(self, users: Iterable[str]) -> None:
        """Forget what these people's homes held; unknown ones are ignored."""
        ...

    def ssh_keys(self, user: str) -> Sequence[SshKey]:
        """A person's keys, oldest first."""
        ...

    def put_ssh_key(self, key: SshKey) -> None:
        """Add a key or replace the person's with its id."""
        ...

    def remove_ssh_key(self, user: str, key_id: str) -> None:
        """Forget a key of a person's; an unknown one is ignored."""
        ...

    def kept_answers(self, user: str) -> Sequence[KeptAnswer]:
        """What a person's requests were answered, oldest first."""
        ...

    def put_kept_answer(self, answer: KeptAnswer) -> None:
        """Add an answer or replace the one of the same person and key."""
        ...

    def remove_kept_answer(self, user: str, key: str) -> None:
        """Forget an answer; an unknown one is ignored."""
        ...

    def remove_kept_answers_before(self, moment: datetime) -> None:
        """Forget older answers of everybody's."""
        ...

    def bare_metal_grants(self) -> Sequence[BareMetalGrant]:
        """Every grant that is kept, the oldest first; one that has ended is until that is done."""
        ...

    def put_bare_metal_grant(self, grant: BareMetalGrant) -> None:
        """Add a grant or replace the person's."""
        ...

    def remove_bare_metal_grant(self, user: str) -> None:
        """Forget a person's grant; nothing happens where there is none."""
        ...

    def take_lease(self, name: str, holder: str, mark: PassMark, seconds: float) -> bool:
        """Whether `holder` has the lease from now on, for so long; `False` while another has it.

        Counted on the clock that never jumps; a lease from before a reboot is void.
        """
        ...

    def lease_holder(self, name: str, mark: PassMark) -> str | None:
        """Who has the lease now; `None` when nobody has."""
        ...

    def end_lease(self, name: str, holder: str) -> None:
        """Give the lease back; nothing happens when another has it."""
        ...


class LedgerReader(Protocol):
    """The ledger for those who only look."""

    def reading(self) -> AbstractContextManager[LedgerTransaction]:
        """What is in it at one moment. Nobody waits for it, and it waits for nobody.

        Nothing is decided on it, and what is changed in it is not kept.

        Raises:
            Unavailable: The file cannot be used.
        """
        ...

    def row_counts(self) -> Mapping[str, int]:
        """How many rows each table has; takes as long as there are many.

        Raises:
            Unavailable: As for `reading`.
        """
        ...


class Ledger(LedgerReader, Protocol):
    """What labels cannot hold: reservations, tickets, usage."""

    def transaction(self) -> AbstractContextManager[LedgerTransaction]:
        """An exclusive transaction: all other processes wait.

        Raises:
            Unavailable: The lock was not got within the deadline, or the file cannot be used.
        """
        ...
