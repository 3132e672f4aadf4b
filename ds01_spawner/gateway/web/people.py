"""The page *People*: who holds what, who is near a limit, and which GPUs do nothing."""

from datetime import datetime, timedelta

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.client.models.base import MOST_ON_A_PAGE
from ds01_spawner.gateway.web.gpus import size_of
from ds01_spawner.gateway.web.page import Facts, Page, Section, Visit

NEAR = 0.85
"""From this share of a limit on, somebody is near it."""

IDLE_FOR = timedelta(minutes=10)
USAGE_SHARED_FOR = timedelta(minutes=1)
"""The books are kept once a minute: all who look at everybody's month share what is read of it."""

_MONTH = {"period": "month", "by": "user"}
_MOST_PAGES = 10


async def _idle(visit: Visit) -> Facts:
    gpus = await visit.ask("listGpus", m.Gpus)
    found = [
        (each, size_of(each), since)
        for each in gpus.slots
        if each.state == "allocated"
        and not each.elsewhere
        and (since := _idle_since(visit, each, gpus.taken_at))
    ]
    return {
        "slots": sorted(found, key=lambda row: row[2]),
        "minutes": int(IDLE_FOR.total_seconds() // 60),
    }


def _idle_since(visit: Visit, slot: m.GpuSlot, now: datetime) -> datetime | None:
    """From when on; since its owner has it at the earliest."""
    since = visit.utilisation.idle_since(slot.slot)
    if since is None:
        return None
    since = max(since, slot.since or since)
    return since if now - since >= IDLE_FOR else None


async def _near(visit: Visit) -> Facts:
    people, is_all = await _everybody(visit)
    near = [
        (each, used)
        for each in people
        if (used := _storage_share(each)) is not None and used >= NEAR
    ]
    return {"people": sorted(near, key=lambda row: -row[1]), "is_all": is_all, "seen": len(people)}


async def _everybody(visit: Visit) -> tuple[list[m.Person], bool]:
    """Everybody the platform knows, and whether that is really everybody."""
    found: list[m.Person] = []
    query = {"limit": str(MOST_ON_A_PAGE)}
    for _ in range(_MOST_PAGES):
        page = await visit.ask("listPeople", m.People, query=query)
        found += page.people
        if page.next is None:
            return found, True
        query = {**query, "cursor": page.next}
    return found, False


def _storage_share(person: m.Person) -> float | None:
    if person.storage_bytes is None or not person.storage_limit_bytes:
        return None
    return person.storage_bytes / person.storage_limit_bytes


async def _list(visit: Visit) -> Facts:
    page = await visit.ask("listPeople", m.People, query=visit.query)
    month = await visit.ask("getUsage", m.UsageReport, query=_MONTH, max_age=USAGE_SHARED_FOR)
    used = {row.name: row for row in month.rows}
    return {"people": page.people, "next": page.next, "used": used}


PEOPLE = Page(
    name="people",
    label="People",
    title="People",
    role=Role.MANAGER,
    sections=(
        Section("idle", "GPUs that do nothing", _idle),
        Section("near", "Near a limit", _near, live=False),
        Section("list", "Everybody", _list),
    ),
)
