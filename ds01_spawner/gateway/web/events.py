"""The page *Events*: who did what, searched in the audit log."""

from datetime import date, datetime, time, timedelta, tzinfo

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.gateway.web.page import Facts, Page, Section, Visit

DAYS = ("since", "until")
"""Fields that are a day here, and a moment for the API."""

ACTIONS = (
    "container.*",
    "gpu.*",
    "lifecycle.*",
    "image.*",
    "request.reject",
    "cleanup.*",
    "user.*",
)
"""What is proposed."""


async def _found(visit: Visit) -> Facts:
    query = {name: text for name, text in visit.query.items() if name not in DAYS}
    query |= moments(visit.query.get("since"), visit.query.get("until"), visit.zone)
    page = await visit.ask("listEvents", m.Events, query=query)
    return {
        "events": page.events,
        "older": {**visit.query, "cursor": page.next} if page.next else None,
        "newest": {name: text for name, text in visit.query.items() if name != "cursor"},
    }


async def _search(visit: Visit) -> Facts:
    return {"actions": ACTIONS, "searches_all": visit.requester.may(Role.MANAGER)}


def moments(since: str | None, until: str | None, zone: tzinfo) -> dict[str, str]:
    """Days as the API asks for them: from the first one's begin to the last one's end.

    Raises:
        InvalidRequest: One is no day.
    """
    found = {}
    if since:
        found["since"] = _begin(since, zone)
    if until:
        found["until"] = _begin(until, zone, timedelta(days=1))
    return found


def _begin(text: str, zone: tzinfo, later: timedelta = timedelta()) -> str:
    try:
        day = date.fromisoformat(text)
        return format_timestamp(datetime.combine(day + later, time(), zone))
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{text[:40]!r} is no day.", "Write it as year-month-day: 2026-01-31."
        ) from None


EVENTS = Page(
    name="events",
    label="Events",
    title="Events",
    sections=(
        Section("search", "Search", _search, live=False),
        Section("found", "What happened", _found, live=False),
    ),
)
