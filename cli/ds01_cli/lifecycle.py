"""`ds01 admin lifecycle`: what would happen to whom, when, and why."""

import json
import time
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ds01_spawner.composition import Platform, open_platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.lifecycle import Countdown, Decision, phase_of, stops_at
from ds01_spawner.domain.wording import clock_time, span
from ds01_spawner.operations.lifecycle import Plan
from ds01_spawner.operations.provenance import provenance
from ds01_spawner.operations.subjects import Memory

LOOK_SECONDS = 3.0
"""Between two looks: rates need both."""


def lifecycle(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="The default: nothing is changed by looking.")
    ] = True,
    explain: Annotated[
        str, typer.Option("--explain", metavar="NAME", help="Everything about one container.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what the lifecycle service would do to which container, when, and why.

    It looks twice, three seconds apart, with the same code that the service enforces with. Idle
    times are those that the service has counted so far.
    """
    del dry_run
    platform = open_platform(actor="cli")
    plan = _planned(platform)
    decisions = [each for each in plan.decisions if not explain or _is_called(each, explain)]
    if explain and not decisions:
        raise NotFound(f"No container is called {explain}.", "ds01 admin lifecycle lists them.")
    if as_json:
        typer.echo(json.dumps([_to_json(plan, each) for each in decisions], indent=2))
        return
    for trouble in plan.troubles.values():
        typer.echo(f"note: {trouble}", err=True)
    if explain:
        typer.echo("\n\n".join(_explained(plan, each, platform.zone) for each in decisions))
    else:
        Console().print(_table(plan, platform.zone))


def _planned(platform: Platform) -> Plan:
    """The second of two looks, on what the service remembers."""
    lifecycle = platform.lifecycle(hub=None)
    with platform.ledger.transaction() as transaction:
        memory = Memory.read(transaction)
    lifecycle.plan(memory, platform.clock.mark())
    time.sleep(LOOK_SECONDS)
    return lifecycle.plan(memory, platform.clock.mark())


def _is_called(decision: Decision, text: str) -> bool:
    container = decision.subject.container
    names = {container.name, labels.name_of(container.labels, container.name)}
    return text in names or container.id.startswith(text)


def _table(plan: Plan, zone: tzinfo) -> Table:
    table = Table("Container", "State", "Next", "When", "Why", box=None, pad_edge=False)
    for decision in sorted(plan.decisions, key=lambda each: each.subject.container.name):
        container = decision.subject.container
        what, when, why = _next(plan, decision)
        clock = "" if when is None else clock_time(when, plan.mark.wall, zone)
        table.add_row(container.name, container.state.value, what, clock, why)
    return table


def _next(plan: Plan, decision: Decision) -> tuple[str, datetime | None, str]:
    """What comes next for a container, when at the earliest, and by which rule."""
    if decision.removed_at is not None:
        key = decision.subject.timeouts.container_hold_after_stop.key
        return "removed", decision.removed_at, _rule(plan, decision, key)
    now, warnings = plan.mark.wall, decision.subject.warnings
    if decision.countdowns:
        nearest = min(decision.countdowns, key=lambda each: stops_at(each, warnings, now))
        rule = _rule(plan, decision, nearest.bound.key)
        return "stopped", stops_at(nearest, warnings, now), rule
    return "nothing", None, ""


def _rule(plan: Plan, decision: Decision, key: str) -> str:
    return provenance(plan.policy, decision.subject.container.labels, key).words


def _explained(plan: Plan, decision: Decision, zone: tzinfo) -> str:
    subject, now = decision.subject, plan.mark.wall
    track = subject.track
    lines = [
        f"{subject.container.name} ({subject.container.state.value}), of {track.user}",
        f"  first started  {clock_time(track.started_at, now, zone)}",
        f"  this run       {clock_time(track.run_started_at, now, zone)}",
    ]
    if subject.container.state.is_live:
        lines += [
            f"  {each.signal.value:<14} {each.verdict.value}{_detail(each.detail)}"
            for each in subject.findings
        ]
        window = subject.policies.idle_detection_window
        since = (
            ""
            if track.idle_since is None
            else (f", since {clock_time(track.idle_since, now, zone)}")
        )
        lines.append(f"  idle checks    {track.idle_checks} of {window} in a row{since}")
    if subject.high_demand:
        lines.append("  demand         high: its idle_timeout is shortened")
    if subject.kept is not None:
        until = clock_time(subject.kept.until, now, zone)
        lines.append(f"  kept running   until {until} at most ({subject.kept.source})")
    lines += [
        line for each in decision.countdowns for line in _countdown(plan, decision, each, zone)
    ]
    lines += [
        f"  due now        {each.deed.value} ({each.countdown.rule.value})" for each in decision.due
    ]
    if decision.removed_at is not None:
        lines.append(f"  removed        {clock_time(decision.removed_at, now, zone)}")
    return "\n".join(lines)


def _countdown(plan: Plan, decision: Decision, countdown: Countdown, zone: tzinfo) -> Iterable[str]:
    now, warnings = plan.mark.wall, decision.subject.warnings
    end = stops_at(countdown, warnings, now)
    yield f"  {countdown.rule.value:<14} {_rule(plan, decision, countdown.bound.key)}"
    yield (
        f"                 {phase_of(countdown, warnings).value}; stop at "
        f"{clock_time(end, now, zone)}, in {span(end - now)}"
    )
    if countdown.exemption is not None:
        exemption = countdown.exemption
        yield f"                 exempt until then: {exemption.reason} ({exemption.source})"


def _detail(detail: str) -> str:
    return f": {detail}" if detail else ""


def _to_json(plan: Plan, decision: Decision) -> dict[str, object]:
    subject, now = decision.subject, plan.mark.wall
    what, when, _ = _next(plan, decision)
    return {
        "container": subject.container.name,
        "user": subject.track.user,
        "state": subject.container.state.value,
        "next": what,
        "at": None if when is None else labels.format_timestamp(when),
        "idle_since": None
        if subject.track.idle_since is None
        else labels.format_timestamp(subject.track.idle_since),
        "signals": [
            {"signal": each.signal.value, "verdict": each.verdict.value, "detail": each.detail}
            for each in subject.findings
        ],
        "countdowns": [
            {
                "rule": each.rule.value,
                "key": each.bound.key,
                "phase": phase_of(each, subject.warnings).value,
                "stops_at": labels.format_timestamp(stops_at(each, subject.warnings, now)),
                "high_demand": each.high_demand,
                "exempt": each.exemption is not None,
            }
            for each in decision.countdowns
        ],
        "due": [each.deed.value for each in decision.due],
    }
