"""When containers stop and why they did, as the hub's pages say it. Pure."""

from collections.abc import Iterable

from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.domain.names import DEFAULT_SERVER, SEPARATOR
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.wording import clean, span
from ds01_spawner.domain.work import Rule, RuleStop
from ds01_spawner.operations.outlook import ContainerOutlook, End, Forecast

_LONG = 300


def forecast_json(forecast: Forecast, moment: Moment) -> dict[str, object]:
    """One person's forecast, for the hub's home page and for programs.

    Args:
        forecast: Of one person alone.
        moment: Now, in the zone of whoever reads.
    """
    return {
        "taken_at": format_timestamp(forecast.taken_at),
        "containers": [container_json(each, moment) for each in forecast.containers],
        "gone": [
            {"name": _short(each), "server": server_of(_short(each)), **stop_json(each, moment)}
            for each in forecast.gone
        ],
        "notes": list(forecast.notes),
    }


def container_json(view: ContainerOutlook, moment: Moment) -> dict[str, object]:
    """One container: facts for programs, sentences for people."""
    nearest = view.ends[0] if view.ends else None
    keep_until = view.keep_until
    return {
        "name": view.name,
        "server": server_of(view.name) if view.interface is Interface.HUB else None,
        "interface": view.interface.value,
        "state": view.state.value,
        "gpu_slots": list(view.gpu_slots),
        "started_at": format_timestamp(view.started_at),
        "stops_at": None if nearest is None else format_timestamp(nearest.at),
        "limit": None if nearest is None else nearest.key,
        "warned": any(each.warned for each in view.ends),
        "sentences": list(sentences(view, moment)),
        "rules": [str(_limit(each)) for each in view.ends],
        "kept_until": None if view.kept is None else format_timestamp(view.kept.until),
        "keep_until": None if keep_until is None else format_timestamp(keep_until),
        "keep_words": "" if keep_until is None else f"until {moment.clock(keep_until)} at most",
        "stopped_by": None if view.stopped_by is None else stop_json(view.stopped_by, moment),
    }


def stop_json(stop: RuleStop, moment: Moment) -> dict[str, object]:
    """A stop by rule: `It was stopped at 14:35. Nothing has run on it since 12:35.`, and why."""
    at = stop.done_at or stop.decided_at
    return {
        "at": format_timestamp(at),
        "sentence": f"It was stopped at {moment.clock(at)}. {clean(stop.reason, _LONG)}",
        "rule": str(Limit(stop.key, stop.value, stop.origin)),
    }


def server_of(name: str) -> str:
    """The hub's name of a server whose container is called `name`."""
    return "" if name == DEFAULT_SERVER else name


def sentences(view: ContainerOutlook, moment: Moment) -> Iterable[str]:
    """What lies ahead of a container, the nearest first."""
    if not view.state.is_live:
        if view.removed_at is not None:
            yield (
                f"Until {moment.clock(view.removed_at)} it keeps what is outside your home folder."
            )
        return
    ends = {each.rule: each for each in view.ends}
    idle = ends.get(Rule.IDLE)
    first = [_end(each, view, moment) for each in view.ends]
    if idle is None and view.kept is not None:
        first.insert(0, f"It is kept running until {moment.clock(view.kept.until)}.")
    elif idle is None and view.idle_timeout is not None:
        first.insert(0, f"Stops when nobody has used it for {span(view.idle_timeout)}.")
    yield from first or ["Runs until you stop it."]
    if idle is not None and idle.high_demand and view.kept is None:
        yield "GPUs are in demand, so this comes sooner than usual."


def _end(end: End, view: ContainerOutlook, moment: Moment) -> str:
    at = f"{moment.clock(end.at)}, in {span(end.at - moment.now)}"
    if end.exemption is not None:
        return f"{_exempt(end.exemption, moment)} Then it stops."
    match end.rule:
        case Rule.IDLE if view.kept is not None:
            return f"You keep it running. Stops at {at}, unless it is used."
        case Rule.IDLE:
            return f"Stops at {at}, unless it is used."
        case Rule.RUNTIME:
            return f"Its time is up at {at}, used or not."
        case Rule.CONFLICT:
            return f"Stops at {at}: something else had its GPU first."


def _exempt(exemption: Exemption, moment: Moment) -> str:
    return f"An exemption keeps it running until {moment.clock(exemption.until)}."


def _limit(end: End) -> Limit:
    return Limit(end.key, end.provenance.value, end.provenance.origin)


def _short(stop: RuleStop) -> str:
    return stop.container_name.partition(SEPARATOR)[0]
