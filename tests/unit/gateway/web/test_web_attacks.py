"""What somebody hostile sends to the pages, or has them show."""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from tornado.httpclient import AsyncHTTPClient

from ds01_spawner.gateway.web.handler import CONTENT_POLICY
from ds01_spawner.gateway.web.pages import PAGES
from ds01_spawner.gateway.web.sparkline import sparkline
from ds01_spawner.gateway.wire.call import Answer
from fakes.web_lab import PREFIX, WebLab, text_of, web_lab
from stubs.hub_users import model

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202egnp.exe{{7*7}}'
PATIENCE = 20.0


@pytest.fixture
def people() -> dict[str, dict[str, Any]]:
    """Whom the hub knows; a test may change its mind."""
    return {"eve": model("eve"), "max": model("max", groups=["ds01-manager"])}


@pytest.fixture
async def lab(tmp_path: Path, people: dict[str, dict[str, Any]]) -> AsyncIterator[WebLab]:
    async with web_lab(tmp_path, people=people) as lab:
        yield lab


async def ended(lab: WebLab, user: str, page: str, change: Any) -> str:
    """What a stream says until it ends, where `change` is made after its first words."""
    browser = lab.browser(user)
    await browser.get()
    asked = asyncio.ensure_future(
        browser.get(f"live/{page}?_xsrf={browser.cookies['_xsrf']}", {"Sec-Fetch-Mode": "cors"})
    )
    listeners = lab.api.served.listeners
    async with asyncio.timeout(PATIENCE):
        while not listeners._open[user]:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
        change()
        shown = await asked
    assert listeners._open[user] == 0
    return shown.html


async def test_the_live_parts_of_who_left_end(lab: WebLab) -> None:
    def leave() -> None:
        lab.tokens.pop("eve")
        lab.api.mark.renew()

    assert "event: fresh" in await ended(lab, "eve", "me", leave)
    assert (await lab.browser("eve").get("live/me")).status == 401


async def test_the_live_parts_of_a_closed_account_end(lab: WebLab) -> None:
    await ended(lab, "eve", "me", lambda: lab.api.lab.accounts.closed.add("eve"))
    assert (await lab.browser("eve").get()).status == 403


async def test_who_is_no_manager_any_more_hears_no_more_of_others(lab: WebLab) -> None:
    lab.api.container("bob", "bobswork", "mig")

    def demote() -> None:
        lab.tokens["max"] = model("max")
        lab.api.mark.renew()

    assert "bob" in await ended(lab, "max", "people", demote)
    assert (await lab.browser("max").get("people")).status == 403


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (f"{PREFIX}gpus", f"{PREFIX}gpus"),
        (f"{PREFIX}people?user=a%20b", f"{PREFIX}people?user=a%20b"),
        ("https://evil.example/", PREFIX),
        ("//evil.example/", PREFIX),
        (f"{PREFIX}../../hub/logout", PREFIX),
        (f"{PREFIX}%2e%2E/%2e%2e/hub/logout", PREFIX),
        (f"{PREFIX}..%2f..%2fhub/logout", PREFIX),
        (f"{PREFIX}\\evil.example", PREFIX),
        (f"{PREFIX}\r\nSet-Cookie: a=b", PREFIX),
        ("javascript:alert(1)", PREFIX),
    ],
)
async def test_log_in_leads_nowhere_else(lab: WebLab, target: str, place: str) -> None:
    shown = await lab.browser("eve").get(f"login?next={quote(target, safe='')}")
    assert (shown.status, shown.headers["Location"]) == (302, place)


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Referer"])
async def test_no_header_says_where_pages_are(lab: WebLab, name: str) -> None:
    for user in ("eve", ""):
        for page in PAGES:
            shown = await lab.browser(user).get(page.path, {name: "evil.example"})
            assert "evil.example" not in shown.html + json.dumps(dict(shown.headers))


async def test_what_is_kept_behind_tls_is_sent_behind_tls_alone(lab: WebLab) -> None:
    lab.api.container("eve", "run")
    browser = lab.browser("eve")
    await browser.get()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    told = await AsyncHTTPClient().fetch(
        f"{lab.url}{PREFIX}",
        method="POST",
        headers={
            "Cookie": cookies,
            "Sec-Fetch-Mode": "navigate",
            "X-Forwarded-Proto": "https",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        body=f"_xsrf={browser.cookies['_xsrf']}&do=stop&name=run",
        raise_error=False,
        follow_redirects=False,
    )
    (line,) = [each for each in told.headers.get_list("Set-Cookie") if "ds01-said" in each]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {each.strip() for each in line.split(";")}


async def test_nothing_that_people_write_becomes_part_of_a_page(lab: WebLab) -> None:
    api = lab.api
    api.container("eve", "run")
    for number in range(2):
        api.lab.audit.write(
            f"container.{HOSTILE}",
            user="eve",
            resource=HOSTILE,
            interface="api",
            outcome="failed",
            reason=HOSTILE,
            details={HOSTILE: HOSTILE, "list": [HOSTILE, number], "nothing": None},
        )
    tags = {"RepoTags": [f"ds01-eve/{HOSTILE}:latest"], "Created": 1, "Size": 1}
    api.link.answers["GET /images/json"] = Answer(200, [tags])
    for user in ("eve", "boss"):
        browser = lab.browser(user)
        await browser.get()
        for page in PAGES:
            for query in ("", f"?action={'%3Cscript%3E'}", "?since=%22%3E%3Cscript%3E"):
                shown = await browser.get(f"{page.path}{query}")
                assert_harmless(shown.html)
                assert shown.headers["Content-Security-Policy"]
        for action in next(each for each in PAGES if each.name == "me").actions:
            told = await browser.send("", action.name, name=HOSTILE, key=HOSTILE, ticket=HOSTILE)
            assert_harmless(told.html)
    events = (await lab.browser("boss").get("events")).html
    assert "{{7*7}}" in text_of(events)
    # Letters that turn the direction of what follows turn nothing outside of their own place.
    assert re.findall("\u202e", events)
    assert not re.findall("\u202e", re.sub(r"<bdi>[^<]*</bdi>", "", events))


def assert_harmless(html: str) -> None:
    """What was written is text: no element, no attribute, no expression of it."""
    lowered = html.lower()
    assert "<script>" not in lowered
    assert "<img src=x" not in lowered
    assert "49" not in html.partition("gnp.exe")[2][:20]


async def test_live_parts_are_as_harmless(lab: WebLab) -> None:
    lab.api.lab.audit.write(f"x.{HOSTILE}", user="eve", resource=HOSTILE, interface="api")
    browser = lab.browser("eve")
    await browser.get()
    heard = await browser.hear(f"live/me?_xsrf={browser.cookies['_xsrf']}&x=%3Cscript%3E")
    assert_harmless(heard)
    assert "unsafe" not in CONTENT_POLICY


@pytest.mark.parametrize("worst", [math.nan, math.inf, -math.inf, 1e308])
def test_a_figure_that_is_none_draws_no_nonsense(worst: float) -> None:
    drawn = sparkline([[(0.1, 0.5), (0.2, worst), (worst, 0.1)], [(worst, worst)]], "<words>")
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert "<words>" not in drawn


@pytest.mark.parametrize(
    "action",
    ["*a" * 49 + "b", "[" * 90, "*".join(["?"] * 50), "[!-*", "\\" * 90],
    ids=["stars", "brackets", "anything", "half", "backslashes"],
)
async def test_no_search_takes_long(lab: WebLab, action: str) -> None:
    for _ in range(200):
        lab.api.lab.audit.write("a" * 400, user="eve", resource="x", interface="api")
    begin = monotonic()
    shown = await lab.browser("eve").get(f"events?action={quote(action, safe='')}")
    assert shown.status in {200, 400}
    assert monotonic() - begin < 3


async def test_what_is_too_long_is_refused_before_it_is_read(lab: WebLab) -> None:
    browser = lab.browser("boss")
    await browser.get()
    for text in ("x" * 10**7, "&a=1" * 2 * 10**5):
        told = await browser.send("policy", "preview", text=text)
        assert told.status in {400, 413}
        assert "Traceback" not in told.html


async def test_a_preview_unfolds_no_bomb(lab: WebLab) -> None:
    browser = lab.browser("boss")
    await browser.get()
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    for text in (bomb, "groups: " + "[" * 300_000, "groups: " + "{a: " * 100_000):
        told = await browser.send("policy", "preview", text=text)
        assert told.status == 200, told.html
        assert "would be refused" in text_of(told.html)
        assert_harmless(told.html)
