"""What the lifecycle tells people: notices into the ledger, with the rule and where it is set."""

from datetime import datetime, tzinfo

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.lifecycle import LEVELS, Countdown, Decision, Due, stops_at
from ds01_spawner.domain.notice_text import (
    About,
    Limit,
    Moment,
    stop_notice,
    stop_reason,
    warning_notice,
)
from ds01_spawner.domain.postponement import offered
from ds01_spawner.domain.work import KeepAlive, RuleStop
from ds01_spawner.operations.allocation.provenance import provenance
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.notices.notify import Outbox
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import LedgerTransaction, PolicySource

_ASKED = "The file .keep-alive in the workspace says so."
_TAKEN_AWAY = "The file .keep-alive in the workspace was taken away."


class Telling:
    """Puts notices and their events where they belong, within the caller's transaction."""

    def __init__(self, *, policy: PolicySource, outbox: Outbox, audit: Audit, zone: tzinfo) -> None:
        self._policy = policy
        self._outbox = outbox
        self._audit = audit
        self._zone = zone

    def warn(
        self,
        transaction: LedgerTransaction,
        policy: Policy,
        decision: Decision,
        due: Due,
        now: datetime,
    ) -> None:
        """A warning that is due now."""
        subject, countdown = decision.subject, due.countdown
        marks = subject.container.labels
        about = about_container(subject.container)
        limit = provenance(policy, marks, countdown.bound.key)
        end = stops_at(countdown, subject.warnings, now)
        notice = warning_notice(
            about,
            countdown,
            LEVELS[due.deed],
            limit,
            Moment(now, self._zone),
            stops_at=end,
            keep_until=offered(subject, now),
            checkpoint_signal=subject.policies.checkpoint_signal,
        )
        self._outbox.post(transaction, notice)
        self._audit.write(
            "lifecycle.warn",
            user=about.user,
            resource=subject.container.name,
            interface=SERVICE,
            reason=notice.title,
            details={
                "id": subject.container.id,
                "rule": limit.key,
                "value": limit.value,
                "origin": limit.origin,
                "level": LEVELS[due.deed].value,
                "stops_at": labels.format_timestamp(end),
                "high_demand": countdown.high_demand,
            },
        )

    def rule_stop(self, decision: Decision, countdown: Countdown, now: datetime) -> RuleStop:
        """The record of a stop that is decided now."""
        container = decision.subject.container
        about = about_container(container)
        limit = provenance(self._policy.current(), container.labels, countdown.bound.key)
        return RuleStop(
            container_id=container.id,
            container_name=container.name,
            user=about.user,
            rule=countdown.rule,
            key=limit.key,
            value=limit.value,
            origin=limit.origin,
            reason=stop_reason(about, countdown, Moment(now, self._zone)),
            decided_at=now,
            name=about.name,
            interface=about.interface.value,
        )

    def stopped(self, transaction: LedgerTransaction, stop: RuleStop) -> None:
        """A stop by rule is done."""
        about = About(
            user=stop.user,
            container_id=stop.container_id,
            container_name=stop.container_name,
            name=stop.name,
            interface=_interface(stop.interface),
        )
        limit = Limit(stop.key, stop.value, stop.origin)
        moment = Moment(stop.done_at or stop.decided_at, self._zone)
        self._outbox.post(transaction, stop_notice(about, stop.rule, stop.reason, limit, moment))

    def kept(self, kept: KeepAlive, memory: Memory) -> None:
        """A file in somebody's workspace asks for more time, or no longer does."""
        track = next(
            (each for each in memory.tracks if each.container_id == kept.container_id), None
        )
        self._audit.write(
            "container.extend",
            user=kept.by,
            resource="" if track is None else track.container_name,
            interface=SERVICE,
            reason=_TAKEN_AWAY if _is_taken_away(kept, memory) else _ASKED,
            details={
                "id": kept.container_id,
                "by": kept.by,
                "source": kept.source,
                "until": labels.format_timestamp(kept.until),
            },
        )


def about_container(container: Container) -> About:
    """The container as its owner knows it."""
    marks = container.labels
    return About(
        user=labels.owner_of(marks) or "",
        container_id=container.id,
        container_name=container.name,
        name=labels.name_of(marks, container.name),
        interface=labels.origin_of(marks),
    )


def _interface(text: str) -> Interface:
    return Interface(text) if text in set(Interface) else Interface.UNKNOWN


def _is_taken_away(kept: KeepAlive, memory: Memory) -> bool:
    """Whether it is one that is known, cut short."""
    return any(
        (each.container_id, each.source, each.granted_at)
        == (kept.container_id, kept.source, kept.granted_at)
        and kept.until < each.until
        for each in memory.keep_alives
    )
