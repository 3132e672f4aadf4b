"""What lies ahead of people's containers, and why those that stopped did. Samples nothing."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.lifecycle import Countdown, Decision, Phase, decide, phase_of, stops_at
from ds01_spawner.domain.notice_text import Limit
from ds01_spawner.domain.postponement import offered
from ds01_spawner.domain.work import KeepAlive, Rule, RuleStop
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.operations.allocation.provenance import provenance
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.lifecycle.survey import Survey
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Clock, Ledger

_WORTH_ASKING_AGAIN = timedelta(hours=1)
"""More than who asked already has: less is not offered until they are warned again."""


@dataclass(frozen=True, slots=True)
class End:
    """One limit that a running container comes nearer to.

    Attributes:
        rule: Which.
        limit: Its key in the policy, what it says, and where it is set.
        at: When the container is stopped at the earliest, if nothing changes.
        warned: Whether its owner was warned of it.
        high_demand: Whether it is shortened because GPUs are short.
        exemption: What moves it, if an exemption does.
    """

    rule: Rule
    limit: Limit
    at: datetime
    warned: bool = False
    high_demand: bool = False
    exemption: Exemption | None = None


@dataclass(frozen=True, slots=True)
class ContainerOutlook:
    """One container and what lies ahead of it.

    Attributes:
        container_id: Engine id.
        container_name: Engine name.
        user: Owner.
        name: What they call it.
        interface: The door it came through.
        state: The engine's state.
        gpu_slots: Slots that it has, or that are kept for it, by the names that people read.
        started_at: First start of the work.
        ends: The limits ahead of a running one, the nearest first.
        idle_timeout: What it says for this container now; `None` is never.
        kept: What keeps it running although nobody uses it, if anything does.
        keep_until: Until when asking now would keep it running; `None` where that is of no use.
        removed_at: When a stopped one is removed; `None` for a running one, and for never.
        stopped_by: The rule that ended its last run, if one did.
        image: The engine's reference of what it was made of; empty where no label tells.
        project: Its project, or `None`.
        created_at: When it was made.
        gpu_profiles: What each of `gpu_slots` is; empty where that is not known.
    """

    container_id: str
    container_name: str
    user: str
    name: str
    interface: labels.Interface
    state: ContainerState
    gpu_slots: tuple[str, ...]
    started_at: datetime
    ends: tuple[End, ...] = ()
    idle_timeout: timedelta | None = None
    kept: KeepAlive | None = None
    keep_until: datetime | None = None
    removed_at: datetime | None = None
    stopped_by: RuleStop | None = None
    image: str = ""
    project: str | None = None
    created_at: datetime | None = None
    gpu_profiles: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Owner and engine name: what stays when the container is made anew."""
        return self.user, self.container_name


@dataclass(frozen=True, slots=True)
class Forecast:
    """The containers of one person, or of everybody, at one moment.

    Attributes:
        taken_at: The moment.
        containers: Every one of this installation that has an owner, by owner and name.
        gone: The last stop by rule of containers that have been removed.
        notes: Sentences on what could not be read.
    """

    taken_at: datetime
    containers: tuple[ContainerOutlook, ...]
    gone: tuple[RuleStop, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, user: str) -> "Forecast":
        """What concerns one person alone."""
        return replace(
            self,
            containers=tuple(each for each in self.containers if each.user == user),
            gone=tuple(each for each in self.gone if each.user == user),
        )


class Outlook:
    """Reads forecasts; threads that ask at the same time share one reading."""

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        survey: Survey,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._survey = survey
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: tuple[float, Forecast] | None = None

    def read(self, max_age: timedelta = AT_ONCE) -> Forecast:
        """Everybody's forecast, begun no earlier than `max_age` before this call.

        Raises:
            Unavailable: Engine, ledger or policy cannot be read.
        """
        earliest = self._monotonic() - max_age.total_seconds()
        with self._lock:
            if self._last is None or self._last[0] <= earliest:
                began = self._monotonic()
                self._last = began, self._read()
            return self._last[1]

    def last_stop(self, user: str, container_name: str) -> RuleStop | None:
        """The stop by rule that ended the last run of a container, by its engine name.

        It is remembered when the container is gone, until one of that name runs again.

        Raises:
            Unavailable: The ledger cannot be read.
        """
        with self._ledger.transaction() as transaction:
            return _stop_of(transaction.rule_stops(), user, container_name)

    def runs_again(self, user: str, container_name: str) -> None:
        """A container of that name was started anew: what ended the one before is over.

        Raises:
            Unavailable: The ledger cannot be written.
        """
        with self._ledger.transaction() as transaction:
            stop = _stop_of(transaction.rule_stops(), user, container_name)
            if stop is not None:
                transaction.remove_rule_stops([stop])

    def _read(self) -> Forecast:
        seen = self._survey.look()
        with self._ledger.transaction() as transaction:
            memory = Memory.read(transaction)
        now = self._clock.now()
        stops = {(each.user, each.container_name): each for each in memory.rule_stops}
        views = [
            _profiled(
                container_outlook(decide(subject, now), seen.policy, stops, seen.held, now),
                seen.profiles,
            )
            for subject in seen.subjects(memory, now)
        ]
        known = {each.key for each in views}
        return Forecast(
            taken_at=now,
            containers=tuple(sorted(views, key=lambda each: each.key)),
            gone=tuple(stop for key, stop in sorted(stops.items()) if key not in known),
            notes=seen.notes,
        )


def container_outlook(
    decision: Decision,
    policy: Policy,
    stops: Mapping[tuple[str, str], RuleStop],
    held: Mapping[str, Collection[str]],
    now: datetime,
) -> ContainerOutlook:
    """What lies ahead of one container.

    Args:
        decision: What the lifecycle says about it.
        policy: Tells where its limits are set.
        stops: Stops by rule, by owner and engine name.
        held: Slots that are kept for stopped containers, by engine name.
        now: The moment.
    """
    subject = decision.subject
    container, marks = subject.container, subject.container.labels
    user = labels.owner_of(marks) or ""
    live = container.state.is_live
    kept = subject.kept if live and subject.kept and subject.kept.until > now else None
    slots = tuple(part for part in marks.get(labels.GPU_SLOTS, "").split(",") if part)
    has = tuple(slot for slot in slots if live or slot in held.get(container.name, ()))
    reduction = subject.policies.high_demand_idle_reduction if subject.high_demand else 0.0
    idle = subject.timeouts.idle_timeout.value
    ends = [_end(each, decision, policy, now) for each in decision.countdowns]
    stop = stops.get((user, container.name))
    return ContainerOutlook(
        container_id=container.id,
        container_name=container.name,
        user=user,
        name=labels.name_of(marks, container.name),
        interface=labels.origin_of(marks),
        state=container.state,
        gpu_slots=has,
        started_at=subject.track.started_at,
        ends=tuple(sorted(ends, key=lambda each: each.at)),
        idle_timeout=None if idle is None else idle * (1 - reduction),
        kept=kept,
        keep_until=_keep_until(decision, kept, ends, now) if live else None,
        removed_at=decision.removed_at,
        stopped_by=stop if stop and not live and _ended_by(stop, decision) else None,
        image=marks.get(labels.IMAGE, ""),
        project=marks.get(labels.PROJECT) or None,
        created_at=container.created_at,
    )


def _profiled(view: ContainerOutlook, profiles: Mapping[str, str]) -> ContainerOutlook:
    """The same, with what each of its slots is, where all are known."""
    known = tuple(filter(None, (profiles.get(slot) for slot in view.gpu_slots)))
    return replace(view, gpu_profiles=known) if len(known) == len(view.gpu_slots) else view


def _keep_until(
    decision: Decision, kept: KeepAlive | None, ends: Iterable[End], now: datetime
) -> datetime | None:
    until = offered(decision.subject, now)
    if until is None or kept is None or any(end.rule is Rule.IDLE and end.warned for end in ends):
        return until
    return until if until - kept.until > _WORTH_ASKING_AGAIN else None


def _end(countdown: Countdown, decision: Decision, policy: Policy, now: datetime) -> End:
    subject = decision.subject
    return End(
        rule=countdown.rule,
        limit=provenance(policy, subject.container.labels, countdown.bound.key),
        at=stops_at(countdown, subject.warnings, now),
        warned=phase_of(countdown, subject.warnings) is not Phase.COUNTING,
        high_demand=countdown.high_demand,
        exemption=countdown.exemption,
    )


def _ended_by(stop: RuleStop, decision: Decision) -> bool:
    """Whether the stop is of the container's last run, and not of one before."""
    track = decision.subject.track
    return stop.container_id == track.container_id and stop.decided_at >= track.run_started_at


def _stop_of(stops: Iterable[RuleStop], user: str, container_name: str) -> RuleStop | None:
    found = [each for each in stops if each.user == user and each.container_name == container_name]
    return max(found, key=lambda each: each.decided_at, default=None)
