"""The page *Policy*: what somebody may use and what says so; what an edited file would change."""

from collections.abc import Iterable
from itertools import groupby

from ds01_spawner.client import limit_words
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.gateway.web.page import Action, Facts, Page, Section, Visit

NAMELESS = "everybody whom no file names"


async def _explained(visit: Visit) -> Facts:
    found = await visit.ask("explainPolicy", m.PolicyExplanation, query=visit.query)
    return {
        "found": found,
        "rows": [
            (key, limit.words, limit_words.place_of(limit))
            for key, limit in sorted(found.limits.items())
        ],
        "asks_others": visit.requester.may(Role.MANAGER),
    }


async def _preview(visit: Visit) -> Facts | None:
    if not visit.requester.may(Role.MANAGER):
        return None
    preview = visit.answer if isinstance(visit.answer, m.Preview) else None
    return {
        "preview": preview,
        "groups": () if preview is None else who_alike(preview.changes),
        "text": visit.form.get("text", ""),
    }


def who_alike(changes: Iterable[m.Changed]) -> list[tuple[list[str], list[m.Changed]]]:
    """Whom the same changes meet, and these changes."""
    found: dict[tuple[tuple[str, str, str], ...], tuple[list[str], list[m.Changed]]] = {}
    for user, group in groupby(changes, lambda change: change.user):
        theirs = list(group)
        alike = tuple((each.key, each.before, each.after) for each in theirs)
        people, _ = found.setdefault(alike, ([], theirs))
        people.append(NAMELESS if user is None else user)
    return list(found.values())


POLICY = Page(
    name="policy",
    label="Policy",
    title="Policy",
    lead="One file says who may use what. Each limit is shown with the line that sets it.",
    sections=(
        Section("explained", "Limits", _explained, live=False),
        Section("preview", "Try an edited file", _preview, live=False),
    ),
    actions=(Action("preview", "previewPolicy", body=("text",)),),
)
