"""Somebody asks that a container which nobody uses goes on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NotFound
from ds01_spawner.domain.lifecycle import Phase, Subject, phase_of
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.notice_text import Limit
from ds01_spawner.domain.postponement import Postponement, allowance, postponed
from ds01_spawner.domain.wording import length, span
from ds01_spawner.domain.work import KeepAlive
from ds01_spawner.operations.allocation.provenance import provenance
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.lifecycle.subjects import Memory, is_made_here
from ds01_spawner.operations.lifecycle.survey import Survey, View
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Clock, Ledger

_LONGEST = "policies.keep_alive_max"


@dataclass(frozen=True, slots=True)
class Kept:
    """A keep-alive that was given.

    Attributes:
        keep_alive: As it is in the ledger.
        name: What its owner calls the container.
        until: Until when it runs, used or not: never longer than that.
        ends_anyway: The limit that ends the container before the time that was asked for is over,
            as who asked reads it; `None` where none does.
        shortened: Whether `keep_alive_max` made it shorter than asked.
    """

    keep_alive: KeepAlive
    name: str
    until: datetime
    ends_anyway: Limit | None = None
    shortened: bool = False


class KeepAlives:
    """Writes keep-alives into ledger and log; the lifecycle service honours them."""

    def __init__(self, *, clock: Clock, ledger: Ledger, survey: Survey, audit: Audit) -> None:
        self._clock = clock
        self._ledger = ledger
        self._survey = survey
        self._audit = audit

    def ask(
        self,
        user: str,
        name: str | None,
        duration: timedelta | None = None,
        *,
        source: str,
        by: str,
    ) -> Kept:
        """Let a container of `user` go on, for `duration` or the most that is allowed.

        It is never more than `keep_alive_max` after the idle end, and never beyond `max_runtime`.
        Asking again for less than was given changes nothing.

        Args:
            user: Owner.
            name: What they call it; `None` for the only one that runs.
            duration: From now on.
            source: `command`, `page` or `notebook`.
            by: Who asks.

        Raises:
            NotFound: Nothing of that name runs.
            Refused: The policy does not allow it, or it would be in vain.
            Unavailable: Engine, ledger or policy cannot be read.
        """
        if duration is not None and duration <= timedelta(0):
            raise InvalidRequest("A container is kept for more than no time.", "Try: 6h.")
        seen = self._survey.look()
        container = _running(seen, user, name)
        with self._ledger.transaction() as transaction:
            now = self._clock.now()
            subject = _subject(seen, container, Memory.read(transaction), now)
            request = _Request(subject, seen.policy, duration, now, source, by)
            kept = _given(request)
            if kept.keep_alive is not subject.kept:
                transaction.put_keep_alive(kept.keep_alive)
                self._record(container, kept)
        return kept

    def _record(self, container: Container, kept: Kept) -> None:
        keep_alive = kept.keep_alive
        self._audit.write(
            "container.extend",
            user=labels.owner_of(container.labels),
            resource=container.name,
            interface=_INTERFACES.get(keep_alive.source, keep_alive.source),
            details={
                "id": container.id,
                "by": keep_alive.by,
                "source": keep_alive.source,
                "until": labels.format_timestamp(keep_alive.until),
            },
        )


_INTERFACES = {"command": "cli", "page": "hub", "notebook": "hub"}


def _running(seen: View, user: str, name: str | None) -> Container:
    """The container, this installation's own before others that bear the name."""
    live = [
        each
        for each in seen.containers
        if each.state.is_live and labels.owner_of(each.labels) == user
    ]
    live.sort(key=lambda each: (not is_made_here(each, seen.instance), each.name))
    if name is None and len(live) == 1:
        return live[0]
    wanted = [each for each in live if name in {_name(each), each.name}]
    if wanted:
        return wanted[0]
    names = ", ".join(sorted(map(_name, live)))
    if name is None and live:
        raise InvalidRequest(f"{len(live)} containers of {user} run.", f"Name one: {names}.")
    called = "" if name is None else f" that is called {shown(name)}"
    raise NotFound(f"No container of {user} runs{called}.", f"These run: {names}." if live else "")


def _subject(seen: View, container: Container, memory: Memory, now: datetime) -> Subject:
    found = seen.subjects(memory, now, [container])
    if not found:
        raise NotFound(
            f"{container.name} belongs to another installation on this machine.",
            "Ask its administrator.",
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class _Request:
    subject: Subject
    policy: Policy
    duration: timedelta | None
    now: datetime
    source: str
    by: str

    @property
    def name(self) -> str:
        return _name(self.subject.container)

    @property
    def longest(self) -> timedelta | None:
        return self.subject.policies.keep_alive_max

    def limit(self, key: str) -> Limit:
        """What a limit says, as who asks reads it."""
        return provenance(self.policy, self.subject.container.labels, key).read_by(self.by)


def _given(request: _Request) -> Kept:
    subject, duration, now = request.subject, request.duration, request.now
    asked = postponed(subject, duration, now)
    if asked is None:
        raise _not_to_be_had(request)
    known = subject.kept
    is_enough = known is not None and duration is not None and now + duration <= known.until
    if asked.is_in_vain and not is_enough:
        raise _in_vain(request, asked)
    other = asked.other_end
    shortened = duration is not None and request.longest is not None and duration > request.longest
    if known is None or asked.until > known.until:
        known = KeepAlive(subject.container.id, now, asked.until, request.source, request.by)
    return Kept(
        keep_alive=known,
        name=request.name,
        until=asked.until,
        ends_anyway=(
            request.limit(other.bound.key) if other and asked.until == other.deadline else None
        ),
        shortened=shortened,
    )


def _name(container: Container) -> str:
    return labels.name_of(container.labels, container.name)


def _not_to_be_had(request: _Request) -> Forbidden | InvalidRequest:
    if request.subject.timeouts.idle_timeout.value is None:
        return InvalidRequest(
            f"{request.name} is not stopped for being unused, so there is nothing to postpone."
        )
    return Forbidden(
        "Containers that nobody uses cannot be kept running here: "
        f"{request.limit(_LONGEST).words}.",
        "Use it, or save your work: your home folder stays.",
    )


def _in_vain(request: _Request, asked: Postponement) -> Forbidden | InvalidRequest:
    name, other, unused = request.name, asked.other_end, asked.unused
    if other is not None and other.deadline <= asked.idle_end:
        return Forbidden(
            f"{name} ends in {span(other.deadline - request.now)} whatever you ask: "
            f"{request.limit(other.bound.key).words}.",
            "Save your work, or ask the administrator for more time.",
        )
    left = span(asked.idle_end - request.now)
    if unused.kept is not None:
        return Forbidden(
            f"{name} is kept as long as is allowed already, for {left} more: "
            f"{request.limit(_LONGEST).words}.",
            "Use it, or save your work.",
        )
    goes_on = (
        f"{name} is exempt and goes on for {left}"
        if unused.exemption
        else f"{name} goes on unused for {left}"
    )
    warned = phase_of(unused, request.subject.warnings) is not Phase.COUNTING
    return InvalidRequest(
        f"There is nothing to postpone yet: {goes_on} anyway, longer than {_allowed(request)}.",
        "Ask again shortly before that." if warned else "Ask when you are warned.",
    )


def _allowed(request: _Request) -> str:
    """The time that asking gives."""
    duration, longest = request.duration, request.longest
    if longest is not None and (duration is None or duration >= longest):
        return f"a keep-alive gives: {request.limit(_LONGEST).words}"
    given = allowance(longest) if duration is None else duration
    return f"the {length(given)} of a keep-alive"
