"""The page *Me*: what somebody has, what they may have, and what they can do about it."""

from ds01_spawner.client import models as m
from ds01_spawner.gateway.web.page import Action, Facts, Page, Section, Visit


async def _work(visit: Visit) -> Facts:
    me = await visit.ask("getMe", m.Me)
    return {"containers": me.containers, "notes": me.notes}


async def _waiting(visit: Visit) -> Facts | None:
    tickets = (await visit.ask("getMe", m.Me)).tickets
    return {"tickets": tickets} if tickets else None


ME = Page(
    name="me",
    label="Me",
    title="My lab",
    sections=(
        Section("work", "Servers and containers", _work),
        Section("waiting", "Waiting for a GPU", _waiting),
    ),
    actions=(
        Action("stop", "stopContainer", lambda _a, form: f"{form['name']} is stopped.", ("name",)),
        Action("leave", "leaveQueue", lambda _a, _f: "You no longer wait.", ("ticket",)),
    ),
)
