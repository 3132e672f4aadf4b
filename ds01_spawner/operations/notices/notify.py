"""Notices on their way to people: to terminals, and through the administrator's channels.

A delivery is marked as begun before it is tried and taken out when it has arrived, so that it
happens once, or at most once when a process dies in between. Nothing of the ledger is held while
something is sent.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from ds01_spawner.domain.errors import DS01Error, NotFound, Unavailable
from ds01_spawner.domain.notice import Delivery, Notice, NoticeKind
from ds01_spawner.domain.notice_rendering import banner
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.notices.echoes import Echoes
from ds01_spawner.policy.notifications import TERMINAL
from ds01_spawner.ports import (
    Channels,
    Clock,
    ContainerProcesses,
    Engine,
    Ledger,
    LedgerTransaction,
)

MOST_ATTEMPTS = 10
LONGEST_PAUSE = timedelta(minutes=30)
LONGEST_TRY = timedelta(minutes=5)
"""A try that was begun longer ago has no process any more that knows how it ended."""

_SHORTEST_PAUSE = timedelta(minutes=1)
_PATIENCE = 3
"""Failures in a row after which a channel is left alone until the next round."""

_AT_TERMINALS = frozenset({NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING})

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Round:
    """What one call of `deliver_due` did.

    Attributes:
        sent: Deliveries that arrived.
        postponed: Deliveries that failed and are tried again.
        given_up: Deliveries that failed for good, or were begun by a process that died.
    """

    sent: int = 0
    postponed: int = 0
    given_up: int = 0


class _Vain(Exception):
    """It is not tried again. The message says why, as a sentence."""


class Outbox:
    """Delivers notices. Safe to use from many threads and processes."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        engine: Engine,
        processes: ContainerProcesses,
        channels: Channels,
        audit: Audit,
        zone: tzinfo,
        echoes: Echoes | None = None,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._engine = engine
        self._processes = processes
        self._channels = channels
        self._audit = audit
        self._zone = zone
        self._echoes = echoes or Echoes()

    def post(self, transaction: LedgerTransaction, notice: Notice) -> None:
        """Put a notice where it is delivered from, as part of the caller's decision."""
        terminal = [TERMINAL] if notice.container_id and notice.kind in _AT_TERMINALS else []
        transaction.put_notice(notice, [*terminal, *self._channels.names(notice.kind)])

    def deliver_due(self) -> Round:
        """Deliver what is due; may take minutes where a channel is slow.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        done = Round()
        failures: dict[str, int] = {}
        for notice, delivery in self._due():
            if failures.get(delivery.channel, 0) >= _PATIENCE:
                continue
            claimed = self._claim(delivery)
            if claimed is None:
                continue
            if delivery.begun:
                self._give_up(notice, delivery, done, "It may have arrived: its end is not known.")
            elif self._try(notice, claimed, done):
                failures[delivery.channel] = 0
            else:
                failures[delivery.channel] = failures.get(delivery.channel, 0) + 1
        return done

    def _due(self) -> Iterator[tuple[Notice, Delivery]]:
        """What is due now: terminals first, because they do not keep others waiting."""
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            waiting = [each for each in transaction.deliveries() if _is_due(each[1], now)]
        yield from sorted(waiting, key=lambda each: each[1].channel != TERMINAL)

    def _claim(self, delivery: Delivery) -> Delivery | None:
        """The delivery as this process' own, or `None` when another was quicker.

        Until `due_at` no other looks at it.
        """
        claimed = replace(delivery, begun=True, due_at=self._clock.now() + LONGEST_TRY)
        with self._ledger.transaction() as transaction:
            if all(each != delivery for _, each in transaction.deliveries()):
                return None
            transaction.put_delivery(claimed)
        return claimed

    def _try(self, notice: Notice, delivery: Delivery, done: Round) -> bool:
        """Whether it arrived, or never will for a reason that is not the channel's."""
        try:
            reached = self._send(notice, delivery.channel)
        except _Vain as exc:
            self._give_up(notice, delivery, done, str(exc))
            return True
        except DS01Error as exc:
            self._postpone(notice, delivery, done, exc)
            return False
        self._forget(delivery)
        done.sent += 1
        if reached:
            self._tell("notice.sent", notice, delivery, reached=reached)
        return True

    def _send(self, notice: Notice, channel: str) -> int:
        """How many it reached."""
        if notice.deadline is not None and self._clock.now() >= notice.deadline:
            raise _Vain("What it announced has come.")
        if channel == TERMINAL:
            container = self._engine.container(notice.container_id)
            if container is None or not container.state.is_live:
                raise _Vain("The container does not run any more.")
            begin = self._clock.now()
            try:
                return self._processes.write_to_terminals(container, banner([notice], self._zone))
            finally:
                self._echoes.wrote(container.id, begin, self._clock.now())
        try:
            self._channels.send(channel, notice)
        except NotFound as exc:
            raise _Vain(str(exc)) from exc
        return 1

    def _postpone(
        self, notice: Notice, delivery: Delivery, done: Round, failure: DS01Error
    ) -> None:
        attempts = delivery.attempts + 1
        if attempts >= MOST_ATTEMPTS:
            tried = replace(delivery, attempts=attempts)
            self._give_up(notice, tried, done, f"Tried {attempts} times. {failure}")
            return
        due_at = self._clock.now() + pause_after(attempts)
        later = replace(delivery, attempts=attempts, due_at=due_at, begun=False)
        with self._ledger.transaction() as transaction:
            transaction.put_delivery(later)
        done.postponed += 1
        _log.warning("A notice for %s is tried again later: %s", notice.user, failure)

    def _give_up(self, notice: Notice, delivery: Delivery, done: Round, reason: str) -> None:
        self._forget(delivery)
        done.given_up += 1
        self._tell("notice.failed", notice, delivery, outcome="failed", reason=reason)

    def _forget(self, delivery: Delivery) -> None:
        with self._ledger.transaction() as transaction:
            transaction.remove_delivery(delivery.notice_id, delivery.channel)

    def _tell(  # noqa: PLR0913 - the parts of an event
        self,
        action: str,
        notice: Notice,
        delivery: Delivery,
        *,
        outcome: str = "ok",
        reason: str = "",
        reached: int = 0,
    ) -> None:
        details: dict[str, object] = {
            "notice": notice.id,
            "kind": notice.kind.value,
            "channel": delivery.channel,
            "attempts": delivery.attempts + (outcome == "ok"),
        }
        if delivery.channel == TERMINAL and outcome == "ok":
            details["terminals"] = reached
        try:
            self._audit.write(
                action,
                user=notice.user,
                resource=notice.container_name,
                interface="notices",
                outcome=outcome,
                reason=reason,
                details=details,
            )
        except Unavailable:
            # It has been sent: a full disk does not make it be sent again.
            _log.exception("The audit log does not take %s for %s", action, notice.user)


def pause_after(attempts: int) -> timedelta:
    """The time between a failed attempt and the next: 1, 2, 4, … minutes, 30 at most."""
    return min(_SHORTEST_PAUSE * (1 << (attempts - 1)), LONGEST_PAUSE)


def _is_due(delivery: Delivery, now: datetime) -> bool:
    # Nothing waits longer than that: what seems to is from before the clock was set back.
    return delivery.due_at <= now or delivery.due_at - now > LONGEST_PAUSE
