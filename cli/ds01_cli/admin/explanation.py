"""Everything about one container's lifecycle: what counts, what does not, and why not."""

from collections.abc import Iterable

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Finding, Verdict
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.lifecycle import Countdown, Decision, phase_of, stops_at
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.timeouts import Bound
from ds01_spawner.domain.wording import clean, length, span
from ds01_spawner.domain.work import Rule
from ds01_spawner.operations.allocation.provenance import provenance
from ds01_spawner.operations.lifecycle.plan import Plan

_LABEL = 15
_LONG = 300
_TITLES = {Rule.IDLE: "idle limit", Rule.RUNTIME: "time limit", Rule.CONFLICT: "slot conflict"}


def explained(plan: Plan, decision: Decision, moment: Moment) -> str:
    """All that decides about one container."""
    subject = decision.subject
    container, track = subject.container, subject.track
    door = labels.origin_of(container.labels).value
    state = container.state.value
    lines = [
        f"{clean(container.name)} ({state}), of {clean(track.user)}, through {door}",
        _line("first started", moment.clock(track.started_at)),
        _line("this run", moment.clock(track.run_started_at)),
    ]
    if container.state.is_live:
        lines += _signals(decision, moment)
    for rule, bound in (
        (Rule.IDLE, subject.timeouts.idle_timeout),
        (Rule.RUNTIME, subject.timeouts.max_runtime),
    ):
        lines += _limit(plan, decision, rule, bound, moment)
    lines += [
        line
        for each in decision.countdowns
        if each.rule is Rule.CONFLICT
        for line in (_line(_TITLES[each.rule], each.bound.key), _countdown(decision, each, moment))
    ]
    lines += _removal(plan, decision, moment)
    lines.append(_line("due now", due_now(decision) or "nothing"))
    return "\n".join(lines)


def due_now(decision: Decision) -> str:
    """What the service would do at this moment; empty when nothing."""
    found = [f"{each.deed.value} ({each.countdown.rule.value})" for each in decision.due]
    if decision.removal is not None:
        found.append("remove")
    return ", ".join(found)


def left_alone(container: Container) -> str:
    """Why the lifecycle has no decision about a container of the engine."""
    name = clean(container.name)
    if labels.owner_of(container.labels) is None:
        return f"{name} has no owner, so nothing is decided about it: it is left alone."
    if labels.INSTANCE in container.labels:
        return f"{name} is another installation's of DS01, or is about to go: it is left alone."
    return f"{name} has only just come or gone: look again."


def _signals(decision: Decision, moment: Moment) -> Iterable[str]:
    subject = decision.subject
    track = subject.track
    for each in subject.findings:
        yield _line(each.signal.value, f"{each.verdict.value}{_detail(each)}")
    window = subject.policies.idle_detection_window
    since = "" if track.idle_since is None else f", since {moment.clock(track.idle_since)}"
    yield _line("idle checks", f"{track.idle_checks} of {window} in a row{since}")
    if subject.high_demand:
        yield _line("demand", "high: its idle_timeout is shortened")
    if subject.kept is not None and subject.kept.until > moment.now:
        until = moment.clock(subject.kept.until)
        yield _line("kept running", f"until {until} at most ({subject.kept.source})")


def _limit(
    plan: Plan, decision: Decision, rule: Rule, bound: Bound, moment: Moment
) -> Iterable[str]:
    subject = decision.subject
    yield _line(_TITLES[rule], _words(plan, decision, bound.key))
    exemption = subject.exemptions.get(rule)
    if exemption is not None:
        why = clean(exemption.reason, _LONG)
        until = moment.clock(exemption.until)
        yield _line("", f"exempt until {until}: {why} ({exemption.source})")
    countdown = next((each for each in decision.countdowns if each.rule is rule), None)
    if countdown is not None:
        yield _countdown(decision, countdown, moment)
    else:
        yield _line("", _why_not(plan, decision, rule, bound, moment))


def _countdown(decision: Decision, countdown: Countdown, moment: Moment) -> str:
    warnings = decision.subject.warnings
    end = stops_at(countdown, warnings, moment.now)
    phase = phase_of(countdown, warnings).value
    return _line("", f"{phase}; stop at {moment.clock(end)}, in {span(end - moment.now)}")


def _why_not(plan: Plan, decision: Decision, rule: Rule, bound: Bound, moment: Moment) -> str:
    """Why a limit does not come nearer."""
    if bound.value is None:
        return "never: it has no such limit"
    if not decision.subject.container.state.is_live:
        return "not counted: it does not run"
    return _why_not_idle(plan, decision, moment) if rule is Rule.IDLE else "not counted"


def _why_not_idle(plan: Plan, decision: Decision, moment: Moment) -> str:
    subject = decision.subject
    policies, track = subject.policies, subject.track
    left = track.run_started_at + policies.startup_grace - moment.now
    if left.total_seconds() > 0:
        grace = _words(plan, decision, "policies.startup_grace")
        return f"not counted for {length(left)} more: {grace}"
    busy = [each for each in subject.findings if each.verdict is Verdict.ACTIVE]
    if busy:
        return f"not idle: {_named(busy)}"
    unread = [each for each in subject.findings if each.verdict is Verdict.UNREADABLE]
    if unread and track.idle_since is None:
        return f"counts as active, because this is not known: {_named(unread)}"
    checks = f"{track.idle_checks} of {policies.idle_detection_window}"
    return f"not yet: {checks} checks in a row found it idle"


def _removal(plan: Plan, decision: Decision, moment: Moment) -> Iterable[str]:
    subject = decision.subject
    state, marks = subject.container.state, subject.container.labels
    if not subject.mine:
        door = labels.origin_of(marks).value
        yield _line("removal", f"never: DS01 did not make it ({door}), it only stops it")
        return
    if state.is_live:
        return
    bound = subject.timeouts.container_hold_after_stop
    rule = _words(plan, decision, bound.key)
    if decision.removed_at is not None:
        made_only = state is ContainerState.CREATED
        why = "it was created and never started" if made_only else rule
        yield _line("removal", f"{moment.clock(decision.removed_at)}: {why}")
    elif marks.get(labels.PROTECTED) == "true":
        yield _line("removal", f"never: it is protected ({labels.PROTECTED})")
    elif bound.value is None:
        yield _line("removal", f"never: {rule}")
    else:
        yield _line("removal", "the engine is at it")


def _words(plan: Plan, decision: Decision, key: str) -> str:
    return provenance(plan.policy, decision.subject.container.labels, key).words


def _named(findings: Iterable[Finding]) -> str:
    return ", ".join(f"{each.signal.value}{_detail(each)}" for each in findings)


def _detail(finding: Finding) -> str:
    return f": {clean(finding.detail, _LONG)}" if finding.detail else ""


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}} {text}"
