"""The storage limit: who is near it is told, who has reached it starts nothing new."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from ds01_spawner.domain import labels, names
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import NotFound, Refused, Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_text import Limit, Moment, storage_notice
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.storage import FULL, WALK, StorageUse, full_error, is_full, threshold
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.lifecycle.subjects import is_subject
from ds01_spawner.policy.wording import in_words, origin_in_words
from ds01_spawner.ports import (
    Accounts,
    Clock,
    Engine,
    Ledger,
    LedgerTransaction,
    PolicySource,
    StorageMeter,
)

KEY = "storage"
PASS_BUDGET = timedelta(seconds=20)
HOME_BUDGET = timedelta(seconds=10)
IN_USE_EVERY = timedelta(minutes=10)
OUT_OF_USE_EVERY = timedelta(hours=6)
REFUSAL_BUDGET = timedelta(seconds=5)
REFUSAL_AGE = timedelta(minutes=1)
_BOUND_BUDGET = timedelta(seconds=5)
_SHORTEST = timedelta(milliseconds=200)
_NEVER = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger("ds01.storage")


@dataclass(frozen=True, slots=True)
class StorageReport:
    """What one look came to.

    Attributes:
        measured: Homes measured to the end.
        notes: Sentences on what could not be.
    """

    measured: tuple[StorageUse, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody whose home is measured.

    Attributes:
        user: Who.
        groups: Their policy group, as far as their containers tell.
        present: Whether they have a container.
        live: Whether one of theirs runs.
        known: The last measurement, or `None`.
    """

    user: str
    groups: tuple[str, ...] = ()
    present: bool = False
    live: bool = False
    known: StorageUse | None = None


@dataclass(frozen=True, slots=True)
class _Home:
    """Where the home of a person is.

    Attributes:
        user: Whose.
        path: On the host.
        account: Theirs, or `None` where the home is a volume.
    """

    user: str
    path: str
    account: UnixAccount | None = None

    @property
    def uid(self) -> int | None:
        return self.account.uid if self.account else None


class Storage:
    """Measures homes and compares them with the limit. Safe to use from many threads.

    Args:
        clock: The time.
        policy: Whose limits.
        accounts: Where homes are.
        engine: Who has containers, and where volumes are.
        ledger: Where measurements are kept.
        meter: Measures.
        audit: The log.
        post: Puts a notice where it is delivered from, such as `Outbox.post`.
        instance: Id of this installation.
        is_main: Whether what tells no maker is its own.
        zone: Where the readers of notices are.
    """

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        accounts: Accounts,
        engine: Engine,
        ledger: Ledger,
        meter: StorageMeter,
        audit: Audit,
        post: Callable[[LedgerTransaction, Notice], None],
        instance: str,
        is_main: bool,
        zone: tzinfo = UTC,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._accounts = accounts
        self._engine = engine
        self._ledger = ledger
        self._meter = meter
        self._audit = audit
        self._post = post
        self._instance = instance
        self._is_main = is_main
        self._zone = zone
        self._tried: dict[str, datetime] = {}
        self._failed: dict[str, datetime] = {}
        self._data_root: str | None = None

    def look(
        self, budget: timedelta = PASS_BUDGET, containers: Sequence[Container] | None = None
    ) -> StorageReport:
        """Measure whose turn it is, the one measured longest ago first, for so long.

        Args:
            budget: A home that takes longer goes on in the next look.
            containers: All of the engine's, where they are known already.

        Raises:
            Unavailable: Engine, policy or ledger cannot be read.
        """
        end = self._clock.mark().uptime_seconds + budget.total_seconds()
        measured, notes = [], []
        for person in self._due(self._engine.containers() if containers is None else containers):
            left = timedelta(seconds=end - self._clock.mark().uptime_seconds)
            if left < _SHORTEST:
                break
            self._tried[person.user] = self._clock.now()
            try:
                use = self._look_at(person, min(left, HOME_BUDGET))
            except (NotFound, Refused, Unavailable) as exc:
                notes.append(f"{person.user}: {exc}")
                self._note_failure(person, exc)
            else:
                measured += [] if use is None else [use]
        return StorageReport(tuple(measured), tuple(notes))

    def check(self, user: str, limits: Limits) -> None:
        """Nothing, unless the home is full; then it is measured again before somebody is refused.

        What cannot be measured refuses nobody: the disk has its own end.

        Raises:
            QuotaExceeded: It is full.
            Unavailable: The ledger cannot be read.
        """
        limit = limits.storage_bytes
        if limit is None:
            return
        with self._ledger.transaction() as transaction:
            known = next(iter(transaction.storage(user)), None)
        if known is None or not is_full(known, limit):
            return
        groups = (limits.group,) if limits.group else ()
        try:
            home = self._home(user)
            if not timedelta(0) <= self._clock.now() - known.measured_at < REFUSAL_AGE:
                known = self._measure(home, limit, groups, REFUSAL_BUDGET) or known
        except (NotFound, Refused, Unavailable) as exc:
            _log.warning("%s is let in although their home was full: %s", user, exc)
            return
        if is_full(known, limit):
            raise full_error(known, limit, has_account=home.account is not None)

    def _due(self, containers: Sequence[Container]) -> list[_Person]:
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            uses = {use.user: use for use in transaction.storage()}
        people = {user: _Person(user, known=use) for user, use in uses.items()}
        for container in containers:
            user = labels.owner_of(container.labels) or ""
            if is_subject(container, self._instance, is_main=self._is_main):
                live = container.state.is_live or (user in people and people[user].live)
                groups = labels.groups_of(container.labels)
                people[user] = _Person(user, groups, present=True, live=live, known=uses.get(user))
        self._tried = {user: at for user, at in self._tried.items() if user in people}
        self._failed = {user: at for user, at in self._failed.items() if user in people}
        return sorted(
            (each for each in people.values() if self._is_due(each, now)),
            key=lambda each: (self._last_turn(each), each.user),
        )

    def _is_due(self, person: _Person, now: datetime) -> bool:
        failed = self._failed.get(person.user, _NEVER)
        if not person.present and timedelta(0) <= now - failed < OUT_OF_USE_EVERY:
            return False
        if person.known is None:
            return True
        age = now - person.known.measured_at
        every = IN_USE_EVERY if person.live else OUT_OF_USE_EVERY
        return not timedelta(0) <= age < every

    def _note_failure(self, person: _Person, reason: Exception) -> None:
        """Whose home is gone is forgotten; of somebody without a container, the next look waits."""
        self._failed[person.user] = self._clock.now()
        if isinstance(reason, NotFound) and person.known is not None:
            with self._ledger.transaction() as transaction:
                transaction.remove_storage([person.user])

    def _last_turn(self, person: _Person) -> datetime:
        known = _NEVER if person.known is None else person.known.measured_at
        return max(known, self._tried.get(person.user, _NEVER))

    def _look_at(self, person: _Person, budget: timedelta) -> StorageUse | None:
        home = self._home(person.user)
        groups = (*person.groups, *(home.account.groups if home.account else ()))
        limit = self._policy.current().limits(person.user, groups).storage_bytes
        if person.known is not None and not person.present:
            # Without a container nothing tells their groups in the hub: the limit stays.
            limit = person.known.limit_bytes
        if limit is None:
            self._release(person, home)
            return None
        use = self._measure(home, limit, groups, budget)
        if use is not None and use.source != WALK:
            self._meter.bound(home.user, home.path, limit, _BOUND_BUDGET, home.uid)
        return use

    def _release(self, person: _Person, home: _Home) -> None:
        """Take back the bound of somebody who has no limit any longer."""
        if person.known is None or person.known.limit_bytes is None:
            return
        self._meter.bound(home.user, home.path, None, _BOUND_BUDGET, home.uid)
        with self._ledger.transaction() as transaction:
            transaction.put_storage(replace(person.known, limit_bytes=None, told_percent=0))

    def _home(self, user: str) -> _Home:
        """Where a home is: never what a label or a mount says, which may be anybody's."""
        account = self._accounts.lookup(names.check_user(user))
        if account is not None:
            return _Home(user, account.home, account)
        if self._data_root is None:
            self._data_root = self._engine.info().data_root
        return _Home(user, f"{self._data_root}/volumes/{names.home_volume(user)}/_data")

    def _measure(
        self, home: _Home, limit: int, groups: tuple[str, ...], budget: timedelta
    ) -> StorageUse | None:
        use = self._meter.measure(home.user, home.path, budget, home.uid)
        if use is None:
            return None
        with self._ledger.transaction() as transaction:
            before = next(iter(transaction.storage(home.user)), None)
            told = 0 if before is None else before.told_percent
            stands = threshold(use, limit, told)
            if not use.largest and before is not None:
                use = replace(use, largest=before.largest)
            use = replace(use, limit_bytes=limit, told_percent=stands)
            transaction.put_storage(use)
            if stands > told:
                self._tell(transaction, use, limit, groups)
        return use

    def _tell(
        self,
        transaction: LedgerTransaction,
        use: StorageUse,
        limit_bytes: int,
        groups: tuple[str, ...],
    ) -> None:
        found = self._policy.current().setting(use.user, groups, KEY)
        limit = Limit(KEY, in_words(KEY, found.value), origin_in_words(found, use.user))
        full = use.told_percent >= FULL
        # What the kernel bounds never gets beyond the limit: nearly there is full.
        shown = replace(use, size_bytes=max(use.size_bytes, limit_bytes)) if full else use
        moment = Moment(self._clock.now(), self._zone)
        notice = storage_notice(shown, limit_bytes, limit, moment)
        self._post(transaction, notice)
        self._audit.write(
            "storage.full" if full else "storage.warn",
            user=use.user,
            resource=KEY,
            interface=SERVICE,
            reason=notice.title,
            details=_details(use, limit_bytes, limit),
        )


def _details(use: StorageUse, limit_bytes: int, limit: Limit) -> Mapping[str, object]:
    return {
        "used_bytes": use.size_bytes,
        "limit_bytes": limit_bytes,
        "origin": limit.origin,
        "source": use.source,
        "threshold_percent": use.told_percent,
    }
