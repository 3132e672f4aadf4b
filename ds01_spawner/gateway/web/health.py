"""The page *Health*: whether every part works, and whether all that runs is known."""

from collections.abc import Mapping

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.health import NOT_INSTALLED
from ds01_spawner.gateway.web.page import Facts, Page, Section, Visit

KINDS: Mapping[str, str] = {
    "managed": "the platform",
    "devcontainer": "a dev container",
    "compose": "Compose",
    "aime": "AIME",
    "docker": "docker",
    "host": "no container",
    "unknown": "unknown",
}
"""How something was started, in words."""

_WEEK = {"period": "week"}
_WORST: Mapping[str, int] = {"fail": 0, "warn": 1, "ok": 2}


async def _parts(visit: Visit) -> Facts | None:
    if not visit.requester.may(Role.ADMIN):
        return None
    found = await visit.ask("getHealth", m.Health)
    parts = sorted(found.parts, key=lambda part: _WORST[part.level])
    return {"health": found, "parts": parts, "not_installed": NOT_INSTALLED}


async def _slots(visit: Visit) -> Facts:
    gpus = await visit.ask("listGpus", m.Gpus)
    lost = [each for each in gpus.slots if each.state in {"unavailable", "foreign"}]
    return {"gpus": gpus, "lost": lost}


async def _attribution(visit: Visit) -> Facts:
    found = await visit.ask("listGpuProcesses", m.GpuProcesses)
    return {
        "found": found,
        "nobodys": [each for each in found.processes if each.user is None],
    }


async def _unmanaged(visit: Visit) -> Facts:
    found = await visit.ask("listWorkloads", m.Workloads, query={"unmanaged": "true"})
    return {"found": found, "kinds": KINDS}


async def _books(visit: Visit) -> Facts:
    return {"series": await visit.ask("getUsageSeries", m.UsageSeries, query=_WEEK)}


HEALTH = Page(
    name="health",
    label="Health",
    title="Health",
    role=Role.MANAGER,
    sections=(
        Section("parts", "Services", _parts, live=False),
        Section("slots", "GPUs", _slots),
        Section("attribution", "Whose GPU work is", _attribution),
        Section("unmanaged", "Started past the platform", _unmanaged),
        Section("books", "Usage", _books, live=False),
    ),
)
