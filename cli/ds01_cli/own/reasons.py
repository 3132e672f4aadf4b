"""Why somebody waits, was refused, or was stopped: from what the API says to sentences. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from ds01_spawner.client.limit_words import place_of
from ds01_spawner.client.models import AuditEvent, Container, LimitValue, Me, Ticket
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.wording import clean, clock_time

RECENT = timedelta(days=1)
MOST_REFUSALS = 3
_LIVE = frozenset({"running", "paused", "restarting"})
_STOPS = frozenset({"cleanup.idle", "cleanup.runtime", "cleanup.conflict"})
_LONG = 500


class Kind(StrEnum):
    """What there is to explain."""

    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing, explained.

    Attributes:
        kind: What there is to explain.
        name: The container's; empty where it is about none.
        what: What happened, in a sentence or two.
        rule: The policy's key; `None` where no rule of the policy is behind it.
        value: What the rule says.
        where: Who and which line of the policy says it.
        next_step: What to do.
    """

    kind: Kind
    name: str
    what: str
    rule: str | None = None
    value: str | None = None
    where: str | None = None
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the API says.

    Attributes:
        me: Who asks, with containers, places in the queue and limits.
        events: Of theirs, the newest first.
        now: When it was read.
        zone: Of whoever reads it.
    """

    me: Me
    events: Sequence[AuditEvent]
    now: datetime
    zone: tzinfo


def reasons(facts: Facts, name: str | None = None) -> tuple[Reason, ...]:
    """Everything there is to explain, or all about one name.

    Without a name, refusals of the last day are told.
    """
    wanted = _Wanted(name)
    return (
        *(_waiting(facts, each) for each in facts.me.tickets if wanted(each.name)),
        *_refusals(facts, wanted),
        *_containers(facts, wanted),
        *_gone(facts, wanted),
    )


class _Wanted:
    def __init__(self, name: str | None) -> None:
        self.name = name

    def __call__(self, name: str) -> bool:
        return self.name is None or self.name == name


def _waiting(facts: Facts, ticket: Ticket) -> Reason:
    place = f"place {ticket.place} of {ticket.length}" if ticket.place else "it is its turn now"
    rule = _limit(facts, "priority")
    return Reason(
        Kind.WAITING,
        ticket.name,
        f"{clean(ticket.name)} waits for {ticket.gpu} since {_clock(facts, ticket.since)}: {place}."
        f" {clean(ticket.reason, _LONG)} Who has the higher priority is served first, then who used"
        " less lately, then who came first.",
        "priority",
        str(ticket.priority),
        None if rule is None else place_of(rule),
        "It starts by itself when a slot is free; a smaller size (--gpu mig) may be free sooner."
        " ds01 gpu status shows the slots.",
    )


def _refusals(facts: Facts, wanted: _Wanted) -> Iterable[Reason]:
    seen: set[str] = set()
    for event in facts.events:
        name = _own(event.resource)
        if event.outcome != "refused" or event.reason in seen or not wanted(name):
            continue
        if wanted.name is None and facts.now - event.ts > RECENT:
            continue
        if len(seen) == MOST_REFUSALS:
            return
        seen.add(event.reason)
        yield _refused(facts, event, name)


def _refused(facts: Facts, event: AuditEvent, name: str) -> Reason:
    key = str(event.details.get("limit") or "") or None
    rule = _limit(facts, key)
    about = f"{clean(name)} was refused" if name else "A request was refused"
    door = f" through {event.interface}" if event.interface else ""
    then = _was_allowed(event)
    return Reason(
        Kind.REFUSED,
        name,
        f"{about} at {_clock(facts, event.ts)}{door}. {clean(event.reason, _LONG)}".rstrip(),
        key,
        then if rule is None else rule.words,
        None if rule is None else place_of(rule),
        _after_refusal(event, key),
    )


def _was_allowed(event: AuditEvent) -> str | None:
    allowed = event.details.get("allowed")
    return f"{allowed:g}" if isinstance(allowed, int | float) else None


def _after_refusal(event: AuditEvent, key: str | None) -> str:
    if key is not None and not event.details.get("used"):
        return "Ask for less, or leave it out; ds01 check-limits -v shows what you may have."
    if key is not None:
        return (
            "Free some of it (ds01 container list, ds01 container retire NAME);"
            " ds01 check-limits shows what is in use."
        )
    if event.action == "gpu.reject":
        return "Wait for a slot with --wait 30m; ds01 gpu status shows what is free."
    return "Change what the sentence names, and try again."


def _containers(facts: Facts, wanted: _Wanted) -> Iterable[Reason]:
    for each in facts.me.containers:
        if not wanted(each.name):
            continue
        if each.state in _LIVE:
            yield _running(each)
        else:
            yield _stopped(facts, each)


def _running(container: Container) -> Reason:
    name = clean(container.name)
    nearest = container.ends[0] if container.ends else None
    return Reason(
        Kind.RUNNING,
        container.name,
        f"{name} runs. {' '.join(container.sentences)}".rstrip(),
        nearest.rule if nearest else None,
        nearest.value if nearest else None,
        nearest.origin if nearest else None,
        f"To keep it although nobody uses it: ds01 extend {name}." if container.keep_until else "",
    )


def _stopped(facts: Facts, container: Container) -> Reason:
    name = clean(container.name)
    again = f"Start it again: ds01 container start {name}."
    if container.removed_at is not None:
        when = _clock(facts, container.removed_at)
        again += f" It is removed at {when}; your files in home and workspace stay."
    if (stop := container.stopped_by) is not None:
        return Reason(
            Kind.STOPPED,
            container.name,
            f"{name} was stopped at {_clock(facts, stop.at)}. {clean(stop.reason, _LONG)}",
            stop.rule,
            stop.value,
            stop.origin,
            again,
        )
    if container.state == "created":
        return Reason(
            Kind.STOPPED, container.name, f"{name} was made and never started.", next_step=again
        )
    by = _who_stopped(facts, container.name)
    return Reason(
        Kind.STOPPED,
        container.name,
        by
        or f"{name} ended by itself: what ran in it is over, or failed."
        f" Its last words: ds01 container logs {name}.",
        next_step=again,
    )


def _who_stopped(facts: Facts, name: str) -> str:
    for event in facts.events:
        if _own(event.resource) != name or not event.action.startswith("container."):
            continue
        if event.action == "container.stop" and event.outcome == "ok":
            by = event.details.get("by")
            who = "you" if by in {None, facts.me.user} else f"the administrator {clean(str(by))}"
            door = f" through {event.interface}" if event.interface else ""
            return f"{clean(name)} was stopped at {_clock(facts, event.ts)} by {who}{door}."
        return ""
    return ""


def _gone(facts: Facts, wanted: _Wanted) -> Iterable[Reason]:
    """Stops of containers that are removed by now."""
    there = {each.name for each in facts.me.containers}
    told: set[str] = set()
    for event in facts.events:
        name = _own(event.resource)
        if event.action not in _STOPS or name in there | told or not wanted(name):
            continue
        if wanted.name is None and facts.now - event.ts > RECENT:
            continue
        told.add(name)
        yield Reason(
            Kind.STOPPED,
            name,
            f"{clean(name)} was stopped at {_clock(facts, event.ts)}, and is removed."
            f" {clean(event.reason, _LONG)}",
            _said(event, "rule"),
            _said(event, "value"),
            _said(event, "origin"),
            f"Make it again: ds01 container deploy {clean(name)}."
            " Your files in home and workspace are there.",
        )


def _said(event: AuditEvent, key: str) -> str | None:
    found = event.details.get(key)
    return None if found is None else clean(str(found), _LONG)


def _limit(facts: Facts, key: str | None) -> LimitValue | None:
    explanation = facts.me.explanation
    return None if explanation is None or key is None else explanation.limits.get(key)


def _own(resource: str) -> str:
    """What its owner calls a container; empty where it is something else, such as an address."""
    return "" if "/" in resource else resource.partition(SEPARATOR)[0]


def _clock(facts: Facts, moment: datetime) -> str:
    return clock_time(moment, facts.now, facts.zone)
