"""The page *Queue*: who waits for a GPU, and for what."""

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.page_words import titled
from ds01_spawner.gateway.web.page import Action, Facts, Page, Section, Visit


async def _tickets(visit: Visit) -> Facts:
    queue = await visit.ask("listQueue", m.Queue)
    requester = visit.requester
    return {
        "tickets": queue.tickets,
        "sees_all": requester.may(Role.MANAGER),
        "may_end": [
            each.id
            for each in queue.tickets
            if each.user == requester.user or requester.may(Role.ADMIN)
        ],
    }


QUEUE = Page(
    name="queue",
    label="Queue",
    title="Waiting for a GPU",
    lead="Whoever asks for a GPU when none of that size is free waits here for their turn.",
    sections=(Section("tickets", "In this order", _tickets),),
    actions=(
        Action(
            "leave", "leaveQueue", lambda a, _f: f"{titled(a.name)} no longer waits.", ("ticket",)
        ),
    ),
)
