"""The page *Policy*: what somebody may use and what says so; what an edited file would change."""

from collections.abc import Iterable
from itertools import groupby

from ds01_spawner.client import limit_words
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.gateway.web.page import Action, Facts, Page, Section, Visit


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
        "people": () if preview is None else by_person(preview.changes),
        "text": visit.form.get("text", ""),
    }


def by_person(changes: Iterable[m.Changed]) -> list[tuple[str | None, list[m.Changed]]]:
    """Changes of each person together; `None` is everybody who is not named."""
    return [(user, list(each)) for user, each in groupby(changes, lambda change: change.user)]


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
