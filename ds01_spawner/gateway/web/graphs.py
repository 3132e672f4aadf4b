"""Graphs of usage on pages."""

from markupsafe import Markup

from ds01_spawner.charts.picture import drawn
from ds01_spawner.charts.timeline import Timeline
from ds01_spawner.client import models as m


def graph(chart: Timeline) -> Markup:
    """A graph as it stands in a template."""
    return Markup(drawn(chart))  # noqa: S704 - figures, and words that it escapes


def capacity_of(gpus: m.Gpus) -> float | None:
    """How many whole GPUs there are to be held; `None` where a slot does not tell its share."""
    shares = [each.equivalents for each in gpus.slots]
    known = [each for each in shares if each is not None]
    return sum(known) if known and len(known) == len(shares) else None
