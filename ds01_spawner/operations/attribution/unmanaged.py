"""Looks after work on GPUs that was started past the platform: reports it, warns, stops.

Nothing is decided on a picture that is not fresh. A deed is in the audit log before it is done, and
a stop comes in no look that is the first to see something.
"""

import logging
from datetime import datetime, timedelta, tzinfo
from signal import SIGKILL, SIGTERM

from ds01_spawner.domain.attribution import Attributed, WorkloadClass
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.labels import MANAGED, format_timestamp
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.unmanaged import CLASSES, Response, may_end, warned_at
from ds01_spawner.domain.unmanaged_text import stopped, warned
from ds01_spawner.domain.workload import Workload
from ds01_spawner.operations.attribution.scan import Attribution, Picture
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.notices.notify import Outbox
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.policy.wording import origin_in_words
from ds01_spawner.ports import Clock, Engine, Ledger, PolicySource
from ds01_spawner.ports.attribution import ProcessTable

REMEMBERED = timedelta(days=14)
"""So long a warning holds; a grace is shorter."""

_log = logging.getLogger("ds01.unmanaged")


class PastPlatform:
    """Looks again and again. For one thread at a time.

    What it remembers by itself is who was seen when; that somebody was warned is in the ledger. Of
    several installations on one engine only the main one does more than report.
    """

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        ledger: Ledger,
        engine: Engine,
        table: ProcessTable,
        attribution: Attribution,
        outbox: Outbox,
        audit: Audit,
        zone: tzinfo,
        is_main: bool,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._ledger = ledger
        self._engine = engine
        self._table = table
        self._attribution = attribution
        self._outbox = outbox
        self._audit = audit
        self._zone = zone
        self._is_main = is_main
        self._seen: dict[str, datetime] = {}
        self._nobodys: dict[tuple[str, int], bool] = {}
        self._stopping: set[str] = set()
        self._asked_to_end: dict[tuple[int, float], datetime] = {}

    def look(self) -> tuple[str, ...]:
        """Look once; sentences on what did not work.

        Raises:
            Unavailable: Driver, engine, ledger or policy cannot be read: nothing was done.
        """
        policy = self._policy.current()
        picture = self._attribution.picture()
        if not picture.fresh:
            return (picture.problem,)
        notes: list[str] = []
        self._report_nobodys(picture)
        past = {each.id: each for each in picture.unmanaged if each.slots}
        before = self._seen
        self._seen = {key: before.get(key, self._clock.now()) for key in past}
        self._stopping &= past.keys()
        there = {_key(each) for each in picture.processes}
        asked = self._asked_to_end.items()
        self._asked_to_end = {key: moment for key, moment in asked if key in there}
        for key, workload in past.items():
            if key not in before:
                self._found(workload, policy)
            try:
                self._answer(workload, policy, picture, is_new=key not in before)
            except Unavailable as exc:
                notes.append(str(exc))
        return tuple(notes)

    def _answer(
        self, workload: Workload, policy: Policy, picture: Picture, *, is_new: bool
    ) -> None:
        response = self._response(workload, policy)
        if response is Response.REPORT:
            return
        if self._is_ending(workload, policy, picture):
            return
        limit = _limit(policy, workload)
        grace = policy.unmanaged.grace if response is Response.STOP else None
        since = self._warned(workload, limit, grace)
        if grace is not None and not is_new and self._clock.now() >= since + grace:
            self._stop(workload, policy, limit, picture)

    def _response(self, workload: Workload, policy: Policy) -> Response:
        """What is done about it; by the main installation alone, because it tells no maker."""
        return policy.unmanaged.response_to(workload) if self._is_main else Response.REPORT

    def _warned(self, workload: Workload, limit: Limit, grace: timedelta | None) -> datetime:
        """Since when its owner knows; where nobody is known, since when it is seen."""
        user, now = workload.owner.user, self._clock.now()
        if user is None:
            return self._seen[workload.id]
        with self._ledger.transaction() as transaction:
            lately = transaction.notices_since(now - REMEMBERED)
            known = warned_at(workload, limit.key, lately, now)
            if known is not None:
                return known
            deadline = None if grace is None else now + grace
            notice = warned(workload, limit, Moment(now, self._zone), deadline)
            self._outbox.post(transaction, notice)
            details = {} if deadline is None else {"stops_at": format_timestamp(deadline)}
            self._write("workload.warn", workload, notice.title, details)
        return now

    def _stop(self, workload: Workload, policy: Policy, limit: Limit, picture: Picture) -> None:
        if workload.owner.kind is WorkloadClass.HOST:
            self._end_processes(workload, policy.unmanaged.grace, limit, picture)
            return
        container = self._engine.container(workload.id)
        if container is None or not container.state.is_live or MANAGED in container.labels:
            return
        self._say_stop(workload, limit)
        grace = policy.limits(workload.owner.user or "").policies.sigterm_grace
        self._engine.stop(workload.id, grace)
        self._tell_stopped(workload, limit)

    def _end_processes(
        self, workload: Workload, grace: timedelta, limit: Limit, picture: Picture
    ) -> None:
        """Ask the person's processes that had the grace to end; `_is_ending` ends who does not."""
        latest = self._clock.now() - grace
        ending = {
            key: each
            for key, each in _ending(workload, picture).items()
            if each.started_at is not None and each.started_at <= latest
        }
        if not ending:
            return
        self._say_stop(workload, limit)
        for key, each in ending.items():
            if self._table.signal(*key, SIGTERM):
                _log.info("Process %d (%s) was asked to end", each.process.pid, each.name)
        self._asked_to_end |= dict.fromkeys(ending, self._clock.now())
        self._tell_stopped(workload, limit)

    def _is_ending(self, workload: Workload, policy: Policy, picture: Picture) -> bool:
        """Whether processes of it were asked to end and are there; those that had time are ended.

        What their person started since has a grace of its own.
        """
        asked = _ending(workload, picture).keys() & self._asked_to_end.keys()
        grace = policy.limits(workload.owner.user or "").policies.sigterm_grace
        for key in asked:
            if self._clock.now() - self._asked_to_end[key] >= grace:
                self._table.signal(*key, SIGKILL)
        if not asked and workload.owner.kind is WorkloadClass.HOST:
            self._stopping.discard(workload.id)
        return bool(asked)

    def _say_stop(self, workload: Workload, limit: Limit) -> None:
        """Write a stop down before it is done, once: what cannot be audited is not done."""
        if workload.id not in self._stopping:
            self._write("workload.stop", workload, f"{limit}", {"rule": limit.key})
            self._stopping.add(workload.id)

    def _tell_stopped(self, workload: Workload, limit: Limit) -> None:
        if workload.owner.user is not None:
            moment = Moment(self._clock.now(), self._zone)
            with self._ledger.transaction() as transaction:
                self._outbox.post(transaction, stopped(workload, limit, moment))

    def _found(self, workload: Workload, policy: Policy) -> None:
        response = self._response(workload, policy)
        reason = workload.owner.why or "It uses a GPU and was not started through the platform."
        self._write("workload.found", workload, reason, {"response": response.value})

    def _report_nobodys(self, picture: Picture) -> None:
        """Say of each process that is nobody's in two looks that it is; one may just be ending."""
        found = {(each.process.uuid, each.process.pid): each for each in picture.unattributed}
        for key, each in found.items():
            if self._nobodys.get(key) is False:
                self._write_nobodys(each)
        self._nobodys = {key: key in self._nobodys for key in found}

    def _write_nobodys(self, each: Attributed) -> None:
        self._audit.write(
            "gpu.unattributed",
            user=None,
            resource=each.slot,
            interface=SERVICE,
            outcome="failed",
            reason=each.owner.why,
            details={"pid": each.process.pid, "program": each.name, "uid": each.uid},
        )

    def _write(self, action: str, workload: Workload, reason: str, details: dict[str, str]) -> None:
        owner = workload.owner
        self._audit.write(
            action,
            user=owner.user,
            resource=owner.container or workload.id,
            interface=SERVICE,
            reason=reason,
            details={
                "id": workload.id,
                "kind": owner.kind.value,
                "proof": owner.proof.value,
                "slots": list(workload.slots),
                **details,
            },
        )


def _limit(policy: Policy, workload: Workload) -> Limit:
    kind = workload.owner.kind
    if kind not in CLASSES:
        raise ValueError(f"The policy has no word on {kind}.")
    found = policy.unmanaged_setting(kind)
    return Limit(f"unmanaged.{kind.value}", str(found.value), origin_in_words(found, ""))


def _ending(workload: Workload, picture: Picture) -> dict[tuple[int, float], Attributed]:
    """Processes outside of containers that go when the workload does."""
    if workload.owner.kind is not WorkloadClass.HOST:
        return {}
    user = workload.owner.user
    theirs = (each for each in picture.processes if each.owner.user == user)
    return {_key(each): each for each in theirs if may_end(each)}


def _key(each: Attributed) -> tuple[int, float]:
    return each.process.pid, each.started_seconds or 0.0
