"""When servers stop and why they did, as the hub's pages take it: sentences beside the facts."""

from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.domain.names import DEFAULT_SERVER
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.work import RuleStop
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, Forecast
from ds01_spawner.operations.lifecycle.outlook_text import (
    container_facts,
    end_rule,
    name_of_stop,
    sentences,
    stop_facts,
    stop_rule,
    stop_sentence,
)


def forecast_json(forecast: Forecast, moment: Moment) -> dict[str, object]:
    """One person's forecast.

    Args:
        forecast: Of one person alone.
        moment: Now, in the zone of whoever reads.
    """
    return {
        "taken_at": format_timestamp(forecast.taken_at),
        "containers": [container_json(each, moment) for each in forecast.containers],
        "gone": [
            {
                "name": name_of_stop(each),
                "server": server_of(name_of_stop(each)) if _at_the_hub(each) else None,
                **stop_json(each, moment),
            }
            for each in forecast.gone
        ],
        "notes": list(forecast.notes),
    }


def container_json(view: ContainerOutlook, moment: Moment) -> dict[str, object]:
    """One container; `server` is `None` where it is none of the hub's."""
    until = view.keep_until
    return {
        **container_facts(view),
        "server": server_of(view.name) if view.interface is Interface.HUB else None,
        "warned": any(each.warned for each in view.ends),
        "sentences": list(sentences(view, moment)),
        "rules": [end_rule(each, view.user) for each in view.ends],
        "keep_words": "" if until is None else f"until {moment.clock(until)} at most",
        "stopped_by": None if view.stopped_by is None else stop_json(view.stopped_by, moment),
    }


def stop_json(stop: RuleStop, moment: Moment) -> dict[str, object]:
    """A stop by rule."""
    return {
        **stop_facts(stop),
        "sentence": stop_sentence(stop, moment),
        "rule": stop_rule(stop, stop.user),
    }


def _at_the_hub(stop: RuleStop) -> bool:
    return stop.interface in {"", Interface.HUB}


def server_of(name: str) -> str:
    """The hub's name of a server whose container is called `name`."""
    return "" if name == DEFAULT_SERVER else name
