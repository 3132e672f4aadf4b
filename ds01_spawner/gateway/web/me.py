"""The page *Me*: what somebody has, what they may have, and what they can do about it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ds01_spawner.charts import usage as usage_charts
from ds01_spawner.client import limit_words
from ds01_spawner.client import models as m
from ds01_spawner.gateway.web.graphs import graph
from ds01_spawner.gateway.web.page import Action, Facts, Page, Section, Visit


async def _work(visit: Visit) -> Facts:
    me = await visit.ask("getMe", m.Me)
    return {"containers": sorted(me.containers, key=_rank), "notes": me.notes}


async def _waiting(visit: Visit) -> Facts | None:
    tickets = (await visit.ask("getMe", m.Me)).tickets
    return {"tickets": tickets} if tickets else None


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
    return {
        "images": [(each, each.title, _users_of(each, me.containers)) for each in own],
        "offered": len(images) - len(own),
    }


async def _keys(visit: Visit) -> Facts:
    return {"keys": (await visit.ask("listSshKeys", m.SshKeys)).keys}


def _rank(container: m.Container) -> tuple[bool, bool, str]:
    """What runs first, and of that servers."""
    return container.state != "running", container.server is None, container.name


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
    return tuple(each.name for each in containers if each.image == image.reference)


def _is(done: str) -> Callable[[Any, Mapping[str, str]], str]:
    return lambda _answer, form: f"{form.get('name', '')} is {done}."


def _kept(answer: m.Extended, _form: Mapping[str, str]) -> str:
    anyway = f" {answer.ends_anyway}" if answer.ends_anyway else ""
    return f"{answer.name} is kept running.{anyway}"


_NAME = ("name",)
ME = Page(
    name="me",
    label="Me",
    title="My lab",
    sections=(
        Section("waiting", "Waiting for a GPU", _waiting),
        Section("work", "Servers and containers", _work),
        Section("limits", "Limits", _limits),
        Section("usage", "My last 30 days", _usage, live=False),
        Section("images", "Images of your own", _images, live=False),
        Section("keys", "SSH keys", _keys, live=False),
        Section("notices", "Notices of the last week", _notices),
    ),
    actions=(
        Action("extend", "extendContainer", _kept, _NAME),
        Action("start", "startContainer", _is("started"), _NAME),
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
