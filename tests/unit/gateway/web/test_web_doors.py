"""Who gets in, what is refused, and what every answer has."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from ds01_spawner.client.models import Role
from ds01_spawner.gateway.api.routes import ROUTES
from ds01_spawner.gateway.web.handler import CONTENT_POLICY
from ds01_spawner.gateway.web.page import Action, Page
from ds01_spawner.gateway.web.pages import PAGES
from ds01_spawner.gateway.web.site import OWN
from fakes.web_lab import PREFIX, Shown, WebLab, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

ROLES = {"alice": Role.STUDENT, "mia": Role.MANAGER, "boss": Role.ADMIN}
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
EVERY_ACTION = pytest.mark.parametrize(
    ("page", "action"),
    [(page, action) for page in PAGES for action in page.actions],
    ids=lambda each: each.name,
)


def assert_safe(shown: Shown) -> None:
    policy = shown.headers["Content-Security-Policy"]
    assert policy in {CONTENT_POLICY, "default-src 'none'; frame-ancestors 'none'"}
    assert "unsafe" not in policy
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["X-Frame-Options"] == "DENY"
    assert "Server" not in shown.headers


@EVERY_PAGE
@pytest.mark.parametrize("user", ROLES)
async def test_a_page_is_for_its_role(lab: WebLab, page: Page, user: str) -> None:
    shown = await lab.browser(user).get(page.path)
    may = ROLES[user].includes(page.role)
    assert shown.status == (200 if may else 403), shown.html
    live = await lab.browser(user).get(f"live/{page.name}") if not may else shown
    assert live.status == shown.status
    assert_safe(shown)
    assert_safe(live)
    if not may:
        assert "for lab managers" in text_of(shown.html)
        assert "<section" not in shown.html


@EVERY_PAGE
async def test_the_navigation_offers_what_one_may_see(lab: WebLab, page: Page) -> None:
    for user, role in ROLES.items():
        html = (await lab.browser(user).get()).html
        assert (f'href="{PREFIX}{page.path}"' in html) == role.includes(page.role)


@EVERY_PAGE
async def test_who_is_not_logged_in_is_sent_to_log_in_and_back(lab: WebLab, page: Page) -> None:
    shown = await lab.browser("").get(page.path)
    assert shown.status == 302
    assert shown.headers["Location"].startswith("/hub/api/oauth2/authorize?")
    assert (await lab.browser("").get(f"live/{page.name}")).status == 401
    assert_safe(shown)


@EVERY_ACTION
@pytest.mark.parametrize("user", ROLES)
async def test_an_action_is_for_the_roles_that_its_operation_has(
    lab: WebLab, page: Page, action: Action, user: str
) -> None:
    route = next(each for each in ROUTES if each.operation == action.operation)
    browser = lab.browser(user)
    await browser.get()
    told = await browser.send(page.path, action.name)
    may = ROLES[user].includes(page.role) and ROLES[user].includes(route.role)
    assert (told.status == 403) == (not may), told.html
    assert_safe(told)


@EVERY_ACTION
@pytest.mark.parametrize("xsrf", ["", "made-up", "of-somebody-else"])
async def test_a_form_from_elsewhere_does_nothing(
    lab: WebLab, page: Page, action: Action, xsrf: str
) -> None:
    if xsrf == "of-somebody-else":
        other = lab.browser("bob")
        await other.get()
        xsrf = other.cookies["_xsrf"]
    lab.api.container("boss", "run")
    browser = lab.browser("boss")
    await browser.get()
    told = await browser.send(page.path, action.name, xsrf=xsrf, name="run")
    assert told.status == 403
    assert "This form is too old" in text_of(told.html)
    assert "run container running" in text_of((await browser.get()).html)
    assert_safe(told)


@pytest.mark.parametrize("do", ["stop", "start", "retire", "remove", "extend", "unpause"])
@pytest.mark.parametrize("user", ["alice", "mia"])
async def test_a_container_of_somebody_else_is_not_there(lab: WebLab, do: str, user: str) -> None:
    lab.api.container("bob", "bobswork")
    browser = lab.browser(user)
    await browser.get()
    told, missing = [await browser.send("", do, name=name) for name in ("bobswork", "nothing")]
    assert (told.status, missing.status) == (404, 404)
    assert text_of(told.html).replace("bobswork", "nothing") == text_of(missing.html)
    # Nor is a form believed that says whose it is.
    assert (await browser.send("", do, name="bobswork", user="bob")).status == 404
    assert "bobswork container running" in text_of((await lab.browser("bob").get()).html)


async def test_what_was_done_is_not_told_to_somebody_else(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    await browser.get()
    await browser.send("", "stop", name="run")
    other = lab.browser("bob")
    other.cookies["ds01-said"] = browser.cookies["ds01-said"]
    assert "is stopped" not in text_of((await other.get()).html)
    other.cookies["ds01-said"] = "made-up"
    assert (await other.get()).status == 200


async def test_a_form_that_asks_for_nothing_known_is_refused(lab: WebLab) -> None:
    browser = lab.browser()
    await browser.get()
    for do in ("", "reconcile", "createContainer"):
        assert (await browser.send("", do)).status == 400


@pytest.mark.parametrize(
    "path", ["nothing", "people/alice", "live/nothing", "static/../me.py", "%00", "static/"]
)
async def test_what_is_not_there_is_said_as_a_page(lab: WebLab, path: str) -> None:
    shown = await lab.browser().get(path)
    assert shown.status in {403, 404}
    assert_safe(shown)


def tabs_of(shown: Shown) -> list[str]:
    navigation = shown.html.partition("<nav")[2].partition("</nav>")[0]
    return [path for path in re.findall(r'href="([^"]*)"', navigation) if path.startswith(PREFIX)]


@pytest.mark.parametrize("user", ROLES)
async def test_what_is_not_there_leads_on_to_what_one_may_see(lab: WebLab, user: str) -> None:
    browser = lab.browser(user)
    own = tabs_of(await browser.get())
    paths = ("nothing", "people/alice", "people/nobody", "live/nothing", "events/../x")
    found = [await browser.get(path) for path in paths]
    assert {each.status for each in found} == {404}
    assert all(tabs_of(each) == own for each in found)
    assert len({text_of(each.html) for each in found}) == 1
    assert (await browser.send("nothing", "stop", name="x" * 2_000_000)).status == 404


async def test_who_is_nobody_finds_nothing_either(lab: WebLab) -> None:
    stranger = lab.browser("")
    for browser in (stranger, replace(stranger, cookies={"service-ds01": "made-up"})):
        shown = await browser.get("nothing")
        assert (shown.status, tabs_of(shown)) == (404, [])
        assert "no such page" in text_of(shown.html)


async def test_a_page_of_managers_leads_students_on(lab: WebLab) -> None:
    browser = lab.browser("alice")
    own = tabs_of(await browser.get())
    for page in PAGES:
        if page.role is not Role.STUDENT:
            assert tabs_of(await browser.get(page.path)) == own


@EVERY_PAGE
async def test_an_address_that_makes_no_sense_breaks_nothing(lab: WebLab, page: Page) -> None:
    for query in (
        "?user=a&user=b",
        "?x=%ff",
        "?limit=-1",
        "?_xsrf=x&cursor=%00",
        f"?q={'x' * 3000}",
    ):
        shown = await lab.browser("boss").get(f"{page.path}{query}")
        assert shown.status in {200, 400}, query
        assert_safe(shown)


async def test_only_the_look_of_the_hub_is_served(lab: WebLab) -> None:
    browser = lab.browser("")
    for path, status in (
        ("css/style.min.css", 200),
        ("js/darkmode.js", 200),
        ("favicon.ico", 200),
        ("components/@fortawesome/fontawesome-free/css/solid.css", 200),
        ("js/admin-react.js", 404),
        ("components/jquery/dist/jquery.min.js", 404),
    ):
        shown = await AsyncHTTPClient().fetch(
            f"{browser.url}{PREFIX}static/hub/{path}", raise_error=False
        )
        assert shown.code == status, path
        assert "Content-Security-Policy" in shown.headers


async def test_nothing_on_a_page_comes_from_elsewhere_or_stands_in_line(lab: WebLab) -> None:
    lab.api.server("boss")
    for page in PAGES:
        html = (await lab.browser("boss").get(page.path)).html
        assert "//" not in html.replace("http://www.w3.org/", ""), page.name
        for forbidden in (
            " style=",
            " onclick=",
            " onsubmit=",
            "<script>",
            "javascript:",
            "<style",
        ):
            assert forbidden not in html, page.name


def test_vendored_files_are_what_they_were() -> None:
    folder: Path = OWN / "vendor"
    listed = json.loads((folder / "vendor.json").read_text())
    files = {each["to"]: each["sha256"] for one in listed["packages"] for each in one["files"]}
    for name, digest in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {each.name for each in folder.iterdir()} == {"vendor.json", *files}
