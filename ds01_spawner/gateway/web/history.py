"""The page *History*: what was used in a week, a month, a year, or since there are books."""

from collections.abc import Mapping

from ds01_spawner.charts import usage as charts
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.gateway.web.graphs import capacity_of, graph
from ds01_spawner.gateway.web.page import Facts, Page, Section, Visit

PERIODS: Mapping[str, str] = {
    "week": "Week",
    "month": "Month",
    "year": "Year",
    "all": "Everything",
}
_USUAL = "month"
_MOST_ROWS = 50


async def series_of(visit: Visit) -> m.UsageSeries:
    """What the page is about: everybody's for managers, else one's own."""
    query = {"period": _USUAL, **visit.query}
    return await visit.ask("getUsageSeries", m.UsageSeries, query=query)


async def _summary(visit: Visit) -> Facts:
    found = await series_of(visit)
    return {
        "series": found,
        "periods": PERIODS,
        "period": visit.query.get("period", _USUAL),
        "of_all": visit.requester.may(Role.MANAGER),
        "words": charts.own_words(found.total) if found.user == visit.requester.user else (),
    }


async def _demand(visit: Visit) -> Facts:
    found = await series_of(visit)
    if found.kept_from is None:
        return {"graphs": []}
    if found.user is not None:
        graphs = [graph(charts.hours(found))]
    else:
        gpus = await visit.ask("listGpus", m.Gpus)
        graphs = [graph(charts.demand(found, capacity_of(gpus)))]
    if found.total.efficiency is not None:
        graphs.append(graph(charts.busy(found)))
    return {"graphs": graphs}


async def _waits(visit: Visit) -> Facts:
    found = await series_of(visit)
    return {
        "graph": graph(charts.waits(found)),
        "total": found.total,
        "of_all": found.user is None,
        "gave_up": charts.gave_up_words(found.total, "" if found.user is None else "You"),
    }


async def _energy(visit: Visit) -> Facts:
    found = await series_of(visit)
    graphs = [graph(charts.energy(found))]
    if found.total.co2e_kg is not None:
        graphs.append(graph(charts.emissions(found)))
    return {"graphs": graphs, "source": charts.source_words(found), "total": found.total}


async def _shares(visit: Visit) -> Facts:
    period = {"period": visit.query.get("period", _USUAL)}
    every = visit.requester.may(Role.MANAGER)
    tables = [
        (by, await visit.ask("getUsage", m.UsageReport, query={**period, "by": by}))
        for by in (("group", "project", "user") if every else ("project",))
    ]
    return {"tables": [(by, found.rows[:_MOST_ROWS], len(found.rows)) for by, found in tables]}


HISTORY = Page(
    name="history",
    label="History",
    title="History",
    sections=(
        Section("summary", "What was used", _summary, live=False),
        Section("demand", "Demand", _demand, live=False),
        Section("waits", "Waits", _waits, live=False),
        Section("energy", "Energy", _energy, live=False),
        Section("shares", "Who for what", _shares, live=False),
    ),
)
