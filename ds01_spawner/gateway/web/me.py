"""The page *Me*: what somebody has, what they may have, and what they can do about it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ds01_spawner.charts import usage as usage_charts
from ds01_spawner.client import limit_words
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.page_words import titled
from ds01_spawner.gateway.web.graphs import graph
from ds01_spawner.gateway.web.my_work import titles_of, work_of
from ds01_spawner.gateway.web.new_server import DO, form_of, goes_on, pending_page, request_of
from ds01_spawner.gateway.web.page import Action, Beginning, Facts, Page, Section, Visit


async def _work(visit: Visit) -> Facts:
    me = await visit.ask("getMe", m.Me)
    notes = list(me.notes)
    servers: tuple[m.Server, ...] = ()
    try:
        servers = (await visit.ask("listServers", m.Servers)).servers
    except Unavailable as exc:
        told = exc.told_to(administrator=visit.requester.is_administrator)
        notes.append(f"Servers that are starting or stopped are not shown. {told}")
    try:
        titles = titles_of((await visit.ask("listImages", m.Images)).images)
    except Unavailable:
        titles = {}
    return {"work": work_of(servers, me.containers, titles), "notes": notes}


async def _waiting(visit: Visit) -> Facts | None:
    """What waits and is no server that is shown with its place below."""
    tickets = (await visit.ask("getMe", m.Me)).tickets
    shown: set[str] = set()
    if tickets:
        with suppress(Unavailable):
            servers = (await visit.ask("listServers", m.Servers)).servers
            shown = {each.container for each in servers if each.place is not None}
    others = [each for each in tickets if each.name not in shown]
    return {"tickets": others} if others else None


async def _start(visit: Visit) -> Facts:
    form = visit.form if visit.form.get("do") == DO else {}
    return {
        "new": form_of(
            await visit.ask("listServers", m.Servers),
            await visit.ask("getServerOptions", m.ServerOptions),
            (await visit.ask("listImages", m.Images)).images,
            form,
        )
    }


async def _limits(visit: Visit) -> Facts:
    me = await visit.ask("getMe", m.Me)
    limits = {} if me.explanation is None else me.explanation.limits
    return {
        "explanation": me.explanation,
        "rows": [_row(each, limits) for each in me.usage],
        "sentences": tuple(limit_words.sentences(limits)),
        "every": [
            (key, limits[key].words, limit_words.place_of(limits[key])) for key in sorted(limits)
        ],
    }


async def _usage(visit: Visit) -> Facts:
    query = {"period": "month", "user": visit.requester.user}
    found = await visit.ask("getUsageSeries", m.UsageSeries, query=query)
    used = bool(found.total.gpu_hours)
    return {
        "words": usage_charts.own_words(found.total),
        "graph": graph(usage_charts.hours(found, "my-hours")) if used else None,
    }


async def _notices(visit: Visit) -> Facts:
    return {"notices": (await visit.ask("getMe", m.Me)).notices}


async def _images(visit: Visit) -> Facts:
    me = await visit.ask("getMe", m.Me)
    images = (await visit.ask("listImages", m.Images)).images
    own = [each for each in images if each.own]
    titles = titles_of(own)
    return {
        "images": [(each, titles[each.reference], _users_of(each, me.containers)) for each in own],
        "offered": len(images) - len(own),
    }


async def _keys(visit: Visit) -> Facts:
    return {"keys": (await visit.ask("listSshKeys", m.SshKeys)).keys}


def _row(usage: m.Usage, limits: Mapping[str, m.LimitValue]) -> Mapping[str, object]:
    limit = limits.get(usage.limit)
    return {
        "what": limit_words.USAGE.get(usage.limit, usage.limit),
        "amount": limit_words.amount(usage),
        "used": usage.used,
        "allowed": usage.allowed,
        "place": "" if limit is None else limit_words.place_of(limit),
    }


def _users_of(image: m.Image, containers: Iterable[m.Container]) -> tuple[str, ...]:
    return tuple(titled(each.name) for each in containers if each.image == image.reference)


def _is(done: str) -> Callable[[Any, Mapping[str, str]], str]:
    return lambda _answer, form: f"{titled(form.get('name', ''))} is {done}."


def _kept(answer: m.Extended, _form: Mapping[str, str]) -> str:
    anyway = f" {answer.ends_anyway}" if answer.ends_anyway else ""
    return f"{titled(answer.name)} is kept running.{anyway}"


def _broken_off(answer: m.Server, _form: Mapping[str, str]) -> str:
    return f"{answer.title} is not started."


_NAME = ("name",)
ME = Page(
    name="me",
    label="Me",
    title="My lab",
    sections=(
        Section("waiting", "Waiting for a GPU", _waiting),
        Section("work", "Servers and containers", _work),
        Section("start", "Start a server", _start, live=False),
        Section("limits", "Limits", _limits),
        Section("usage", "My last 30 days", _usage, live=False),
        Section("images", "Images of your own", _images, live=False),
        Section("keys", "SSH keys", _keys, live=False),
        Section("notices", "Notices of the last week", _notices),
    ),
    actions=(
        Action("extend", "extendContainer", _kept, _NAME),
        Action("start", "startContainer", _is("started"), _NAME),
        Action(DO, "startServer", beginning=Beginning(request_of, goes_on, pending_page)),
        Action("stop-server", "stopServer", _broken_off, _NAME),
        Action("unpause", "unpauseContainer", _is("running again"), _NAME),
        Action("stop", "stopContainer", _is("stopped"), _NAME),
        Action("retire", "retireContainer", _is("stopped and removed"), _NAME),
        Action("remove", "removeContainer", _is("removed"), _NAME),
        Action("leave", "leaveQueue", lambda _a, _f: "You no longer wait for it.", ("ticket",)),
        Action("delete-image", "deleteImage", _is("deleted"), _NAME),
        Action("add-key", "addSshKey", lambda a, _f: f"{a.fingerprint} is added.", body=("key",)),
        Action("remove-key", "removeSshKey", lambda _a, _f: "The key is removed.", ("key",)),
    ),
)
