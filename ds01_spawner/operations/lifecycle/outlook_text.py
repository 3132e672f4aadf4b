"""A forecast in sentences for people and in facts for programs. Pure."""

from collections.abc import Iterable
from datetime import datetime

from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.wording import clean, length, span
from ds01_spawner.domain.work import Rule, RuleStop
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, End

_LONG = 300


def sentences(view: ContainerOutlook, moment: Moment) -> Iterable[str]:
    """What lies ahead of a container, the nearest first."""
    if not view.state.is_live:
        if view.removed_at is not None:
            yield f"Removed at {moment.clock(view.removed_at)}; your home folder stays."
        return
    idle = next((each for each in view.ends if each.rule is Rule.IDLE), None)
    found = [_end(each, view, moment) for each in view.ends]
    if idle is None and view.idle_timeout is not None:
        words = f"Stops when nobody has used it for {length(view.idle_timeout)}"
        kept = "" if view.kept is None else f", and not before {moment.clock(view.kept.until)}"
        found.insert(0, f"{words}{kept}.")
    yield from found or ["Runs until you stop it."]
    if idle is not None and idle.high_demand and view.kept is None:
        yield "GPUs are in demand, so this comes sooner than usual."


def stop_sentence(stop: RuleStop, moment: Moment) -> str:
    """`It was stopped at 14:35. Nothing has run on it since 12:35.`, or whatever the reason was."""
    return f"It was stopped at {moment.clock(_stopped_at(stop))}. {clean(stop.reason, _LONG)}"


def stop_rule(stop: RuleStop, reader: str) -> str:
    """`Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31).`.

    Args:
        stop: The stop by rule.
        reader: Who reads it; their own entry in the policy is called theirs.
    """
    return str(Limit(stop.key, stop.value, stop.origin).read_by(reader))


def end_rule(end: End, reader: str) -> str:
    """The same of a limit that lies ahead."""
    return str(end.limit.read_by(reader))


def name_of_stop(stop: RuleStop) -> str:
    """What the owner called a container that may be gone."""
    return stop.name or stop.container_name.partition(SEPARATOR)[0]


def container_facts(view: ContainerOutlook) -> dict[str, object]:
    """One container; what is not known, or never, is `None`."""
    return {
        "name": view.name,
        "user": view.user,
        "container": view.container_name,
        "id": view.container_id,
        "interface": view.interface.value,
        "state": view.state.value,
        "gpu_slots": list(view.gpu_slots),
        "started_at": format_timestamp(view.started_at),
        "stops_at": _timestamp(view.ends[0].at if view.ends else None),
        "ends": [_end_facts(each) for each in view.ends],
        "idle_timeout_seconds": (
            None if view.idle_timeout is None else view.idle_timeout.total_seconds()
        ),
        "kept_until": _timestamp(view.kept.until if view.kept else None),
        "keep_until": _timestamp(view.keep_until),
        "removed_at": _timestamp(view.removed_at),
        "stopped_by": None if view.stopped_by is None else stop_facts(view.stopped_by),
    }


def stop_facts(stop: RuleStop) -> dict[str, object]:
    """A stop by rule."""
    return {
        "at": format_timestamp(_stopped_at(stop)),
        "rule": stop.key,
        "value": stop.value,
        "origin": stop.origin,
        "reason": stop.reason,
    }


def _end(end: End, view: ContainerOutlook, moment: Moment) -> str:
    at = f"{moment.clock(end.at)}, in {span(end.at - moment.now)}"
    if end.exemption is not None:
        until = moment.clock(end.exemption.until)
        unless = ", unless it is used" if end.rule is Rule.IDLE else ""
        return f"An exemption keeps it running until {until}. Then it stops{unless}."
    match end.rule:
        case Rule.IDLE if view.kept is not None:
            return f"You keep it running. Stops at {at}, unless it is used."
        case Rule.IDLE:
            return f"Stops at {at}, unless it is used."
        case Rule.RUNTIME:
            return f"Its time is up at {at}, used or not."
        case Rule.CONFLICT:
            return f"Stops at {at}: something else had its GPU first."


def _end_facts(end: End) -> dict[str, object]:
    return {
        "rule": end.limit.key,
        "value": end.limit.value,
        "origin": end.limit.origin,
        "at": format_timestamp(end.at),
        "warned": end.warned,
        "high_demand": end.high_demand,
        "exempt_until": _timestamp(end.exemption.until if end.exemption else None),
    }


def _stopped_at(stop: RuleStop) -> datetime:
    return stop.done_at or stop.decided_at


def _timestamp(moment: datetime | None) -> str | None:
    return None if moment is None else format_timestamp(moment)
