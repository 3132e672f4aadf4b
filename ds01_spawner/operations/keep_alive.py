"""Somebody asks that a container which nobody uses goes on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NotFound
from ds01_spawner.domain.lifecycle import Countdown, Subject
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.postponement import Postponement, postponed
from ds01_spawner.domain.units import format_duration
from ds01_spawner.domain.wording import span
from ds01_spawner.domain.work import KeepAlive
from ds01_spawner.operations.audit import Audit
from ds01_spawner.operations.provenance import provenance
from ds01_spawner.operations.subjects import Memory, is_made_here, subjects
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Clock, Engine, Ledger, PolicySource


@dataclass(frozen=True, slots=True)
class Kept:
    """A keep-alive that was given.

    Attributes:
        keep_alive: As it is in the ledger.
        name: What its owner calls the container.
        ends_anyway: The limit that ends the container before the time that was asked for is over;
            `None` where none does.
        shortened: Whether `keep_alive_max` made it shorter than asked.
    """

    keep_alive: KeepAlive
    name: str
    ends_anyway: Countdown | None = None
    shortened: bool = False


class KeepAlives:
    """Writes keep-alives into ledger and log; the lifecycle service honours them."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        engine: Engine,
        ledger: Ledger,
        audit: Audit,
        instance: str,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._engine = engine
        self._ledger = ledger
        self._audit = audit
        self._instance = instance

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
        policy = self._policy.current()
        container = self._running(user, name)
        with self._ledger.transaction() as transaction:
            now = self._clock.now()
            subject = self._subject(container, Memory.read(transaction), policy, now)
            kept = self._given(subject, policy, duration, now, source=source, by=by)
            if kept.keep_alive is not subject.kept:
                transaction.put_keep_alive(kept.keep_alive)
                self._record(container, kept)
        return kept

    def _running(self, user: str, name: str | None) -> Container:
        """The container, this installation's own before others that bear the name."""
        live = [
            each
            for each in self._engine.containers()
            if each.state.is_live and labels.owner_of(each.labels) == user
        ]
        live.sort(key=lambda each: (not is_made_here(each, self._instance), each.name))
        if name is None and len(live) == 1:
            return live[0]
        wanted = [each for each in live if name in {_name(each), each.name}]
        if wanted:
            return wanted[0]
        names = ", ".join(sorted(map(_name, live)))
        if name is None and live:
            raise InvalidRequest(f"{len(live)} containers of {user} run.", f"Name one: {names}.")
        called = "" if name is None else f" that is called {shown(name)}"
        raise NotFound(
            f"No container of {user} runs{called}.", f"These run: {names}." if live else ""
        )

    def _subject(
        self, container: Container, memory: Memory, policy: Policy, now: datetime
    ) -> Subject:
        found = subjects(
            [container],
            memory,
            policy,
            exemptions=policy.exemptions,
            instance=self._instance,
            demand=0.0,
            now=now,
        )
        if not found:
            raise NotFound(
                f"{container.name} belongs to another installation on this machine.",
                "Ask its administrator.",
            )
        return found[0]

    def _given(  # noqa: PLR0913 - what is asked, by whom
        self,
        subject: Subject,
        policy: Policy,
        duration: timedelta | None,
        now: datetime,
        *,
        source: str,
        by: str,
    ) -> Kept:
        name, longest = _name(subject.container), subject.policies.keep_alive_max
        most, asked = postponed(subject, None, now), postponed(subject, duration, now)
        if most is None or asked is None:
            raise _not_to_be_had(subject, policy)
        if most.is_in_vain:
            raise _in_vain(subject, most, policy, now)
        other = asked.other_end
        ends_anyway = other if other is not None and asked.until == other.deadline else None
        shortened = duration is not None and longest is not None and duration > longest
        keep_alive = subject.kept
        if keep_alive is None or asked.until > keep_alive.until:
            keep_alive = KeepAlive(subject.container.id, now, asked.until, source, by)
        return Kept(keep_alive, name, ends_anyway, shortened)

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


def _name(container: Container) -> str:
    return labels.name_of(container.labels, container.name)


def _not_to_be_had(subject: Subject, policy: Policy) -> Forbidden | InvalidRequest:
    name, marks = _name(subject.container), subject.container.labels
    bound = subject.timeouts.idle_timeout
    if bound.value is None:
        return InvalidRequest(
            f"{name} is not stopped for being unused, so there is nothing to postpone."
        )
    where = provenance(policy, marks, "policies.keep_alive_max").origin
    return Forbidden(
        f"Containers that nobody uses cannot be kept running here: keep_alive_max is 0 ({where}).",
        "Use it, or save your work: your home folder stays.",
    )


def _in_vain(
    subject: Subject, most: Postponement, policy: Policy, now: datetime
) -> Forbidden | InvalidRequest:
    name, marks = _name(subject.container), subject.container.labels
    other, left = most.other_end, span(most.until - now)
    if other is not None and other.deadline <= most.idle_end:
        where = provenance(policy, marks, other.bound.key)
        return Forbidden(
            f"{name} ends in {left} whatever you ask: {other.bound.key} is {where.value} "
            f"({where.origin}).",
            "Save your work, or ask the administrator for more time.",
        )
    longest = subject.policies.keep_alive_max
    most_words = "" if longest is None else f" is {format_duration(longest)}"
    return Forbidden(
        f"{name} is kept as long as is allowed already, for {left} more: "
        f"keep_alive_max{most_words}.",
        "Use it, or save your work.",
    )
