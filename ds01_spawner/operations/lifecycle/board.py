"""Which notices stand for each container now: what its owner sees inside it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.lifecycle import Decision
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.work import Level, SentWarning
from ds01_spawner.operations.lifecycle.plan import Plan
from ds01_spawner.ports import Ledger, NoticeBoard

STOP_SHOWN = timedelta(minutes=30)
"""How long a new container of the same name says why the one before it was stopped."""

STORAGE_SHOWN = timedelta(hours=12)
_OLDEST = timedelta(days=1)
_KINDS = {Level.FIRST: NoticeKind.FIRST_WARNING, Level.FINAL: NoticeKind.FINAL_WARNING}


class Board:
    """Renders what the ledger says; losing its files loses nothing."""

    def __init__(self, *, ledger: Ledger, board: NoticeBoard) -> None:
        self._ledger = ledger
        self._board = board
        self._shown: frozenset[tuple[str, str]] | None = None

    def show(self, plan: Plan) -> None:
        """Let what stands now be seen, and nothing else.

        Raises:
            Unavailable: It cannot be written.
        """
        with self._ledger.transaction() as transaction:
            warnings = transaction.warnings()
            oldest = min([plan.mark.wall - _OLDEST, *(each.sent_at for each in warnings)])
            notices = transaction.notices_since(oldest)
        given: dict[str, list[SentWarning]] = {}
        for warning in warnings:
            given.setdefault(warning.container_id, []).append(warning)
        notices_of: dict[str, list[Notice]] = {}
        for notice in notices:
            notices_of.setdefault(notice.user, []).append(notice)
        shown: set[tuple[str, str]] = set()
        for decision in plan.decisions:
            container = decision.subject.container
            if not container.state.is_live:
                continue
            user = labels.owner_of(container.labels) or ""
            name = labels.name_of(container.labels, container.name)
            warned = given.get(container.id, ())
            told = notices_of.get(user, ())
            self._board.show(user, name, tuple(standing(decision, told, warned, plan)))
            shown.add((user, name))
        if self._shown != frozenset(shown):
            self._board.clear_others(shown)
            self._shown = frozenset(shown)


def standing(
    decision: Decision, notices: Sequence[Notice], warnings: Iterable[SentWarning], plan: Plan
) -> Iterable[Notice]:
    """The notices that hold for a running container, oldest first.

    Of each countdown the last warning that counts; why the container before it was stopped; and
    that its owner's storage fills up.
    """
    container, now = decision.subject.container, plan.mark.wall
    user = labels.owner_of(container.labels)
    yield from _warnings(decision, notices, tuple(warnings))
    for notice in notices:
        if notice.user != user:
            continue
        if notice.container_id == container.id:
            continue
        if notice.kind is NoticeKind.STORAGE:
            if now - notice.created_at < STORAGE_SHOWN:
                yield notice
        elif _tells_of_predecessor(notice, container, decision, plan):
            yield notice


def _warnings(
    decision: Decision, notices: Sequence[Notice], warnings: tuple[SentWarning, ...]
) -> Iterable[Notice]:
    """Of each countdown, the notice of the last warning that counts.

    Found by what it says, not by when it was written: the clock may have been set since.
    """
    for countdown in decision.countdowns:
        counting = [each for each in warnings if countdown.counts(each)]
        if not counting:
            continue
        kind = _KINDS[max(counting, key=lambda each: each.sent_at).level]
        told = [
            notice
            for notice in notices
            if notice.container_id == decision.subject.container.id
            and notice.kind is kind
            and notice.rule.endswith(countdown.rule.value)
        ]
        yield from told[-1:]


def _tells_of_predecessor(
    notice: Notice, container: Container, decision: Decision, plan: Plan
) -> bool:
    began = decision.subject.track.run_started_at
    return (
        notice.kind is NoticeKind.STOPPED
        and notice.container_name == container.name
        and plan.mark.wall - began < STOP_SHOWN
        and began - notice.created_at < timedelta(days=1)
    )
