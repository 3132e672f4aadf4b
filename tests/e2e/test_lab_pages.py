"""The lab's pages behind a real hub, in a real Chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ds01_spawner.client.models import Role
from ds01_spawner.gateway.web.pages import PAGES
from e2e.axe import hindrances, nothing_leaves
from e2e.house import House
from e2e.hub import Person, eventually
from e2e.pages import sign_in

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8 me@laptop"
LAB = "/services/ds01/"


@pytest.fixture
def browser(chromium: Browser, house: House) -> Iterator[Browser]:
    """The browser; its pages are closed before the hub's containers go."""
    assert house.hub.url
    yield chromium
    for context in chromium.contexts:
        context.close()


def at_lab(context: BrowserContext, person: Person) -> Page:
    """The person's lab, by the hub's navigation."""
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{person.hub.url}/hub/home")
    sign_in(page, person)
    page.get_by_role("link", name="My lab").click()
    page.wait_for_url(f"**{LAB}")
    return page


def test_from_the_hub_to_my_lab_and_back(house: House, browser: Browser) -> None:
    person = house.hub.person("ines")
    page = at_lab(browser.new_context(), person)
    expect(page.get_by_role("heading", name="My lab", level=1)).to_be_visible()
    expect(page.get_by_text("You have no servers and no containers.")).to_be_visible()
    for label in ("People",):
        expect(page.get_by_role("link", name=label, exact=True)).to_have_count(0)
    page.get_by_role("link", name="JupyterHub: home").click()
    page.wait_for_url("**/hub/home")


def test_a_server_comes_goes_and_is_stopped_while_one_looks(house: House, browser: Browser) -> None:
    person = house.hub.person("live")
    page = at_lab(browser.new_context(), person)
    page.get_by_label("Add a public key").fill("half a ke")
    person.start(gpu="mig")
    mine = page.get_by_role("article", name="My server")
    expect(mine).to_contain_text("running", timeout=15_000)
    expect(page.get_by_label("Add a public key")).to_have_value("half a ke")

    mine.locator("summary").click()
    expect(mine.get_by_role("button", name="Yes, give back")).to_be_visible()
    person_sees = page.get_by_role("row", name=re.compile("GPU slots"))
    expect(person_sees).to_contain_text("1 of")
    page.wait_for_timeout(7_000)  # two turns of the live parts: what is open stays open
    expect(mine.get_by_role("button", name="Yes, give back")).to_be_visible()
    mine.get_by_role("button", name="Stop").first.click()
    expect(page.get_by_role("status").filter(has_text="stopped")).to_be_visible()
    eventually(lambda: not person.server(), what="the hub knows that it stopped")


def test_all_of_it_works_without_javascript(house: House, browser: Browser) -> None:
    person = house.hub.person("plain")
    with_scripts = browser.new_context()
    at_lab(with_scripts, person)
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(with_scripts.cookies())  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{house.hub.url}{LAB}")
    page.get_by_label("Add a public key").fill(KEY)
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("status").filter(has_text="is added")).to_be_visible()
    page.locator("#keys summary").click()
    page.get_by_role("button", name="Yes, remove").click()
    expect(page.get_by_text("You have no keys here.")).to_be_visible()

    page.get_by_label("Add a public key").fill("no key at all")
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Add a public key")).to_have_value("no key at all")


def test_a_server_is_started_waited_for_and_started_again_without_javascript(
    house: House, browser: Browser
) -> None:
    person = house.hub.person("starter")
    with_scripts = browser.new_context()
    at_lab(with_scripts, person)
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(with_scripts.cookies())  # type: ignore[arg-type]
    context.set_default_timeout(30_000)
    page = context.new_page()
    lab = f"{house.hub.url}{LAB}"
    page.goto(lab)
    page.get_by_label("Name", exact=True).fill("thesis")
    page.get_by_label("GPU", exact=True).select_option("none")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(rf"/hub/spawn-pending/{person.name}/thesis|/user/"))
    person.ready("thesis")
    page.goto(lab)
    mine = page.get_by_role("article", name="thesis")
    expect(mine).to_contain_text("JupyterLab server running")
    expect(mine.get_by_role("link", name="Open")).to_have_attribute(
        "href", re.compile(rf"/user/{person.name}/thesis/$")
    )
    mine.get_by_role("button", name="Stop").first.click()
    expect(mine).to_contain_text("stopped")
    eventually(lambda: not person.server("thesis"), what="the hub knows that it stopped")
    page.reload()
    mine.get_by_role("button", name="Start again").click()
    page.wait_for_url(re.compile(rf"/hub/spawn-pending/{person.name}/thesis|/user/"))
    person.ready("thesis")
    person.stop("thesis")


def test_a_page_says_since_when_it_is_old(house: House, browser: Browser) -> None:
    page = at_lab(browser.new_context(), house.hub.person("stale"))
    stale = page.locator("#stale")
    expect(stale).to_be_hidden()
    house.kill_gateway()
    try:
        expect(stale).to_contain_text("This page shows how it was at", timeout=30_000)
        away = page.context.new_page()
        away.goto(f"{house.hub.url}{LAB}")
        expect(away.get_by_role("heading", name="Nothing answers here")).to_be_visible()
        assert hindrances(away) == []
    finally:
        house.start_gateway()
    expect(stale).to_be_hidden(timeout=30_000)


def test_what_others_have_is_not_for_students(house: House, browser: Browser) -> None:
    house.hub.person("other").start(gpu="mig")
    page = at_lab(browser.new_context(), house.hub.person("curious"))
    for each in PAGES:
        answer = page.goto(f"{house.hub.url}{LAB}{each.path}")
        assert answer is not None
        assert answer.status == (200 if Role.STUDENT.includes(each.role) else 403), each.name
        assert f"{house.hub.prefix}-other" not in page.content(), each.name


@pytest.mark.parametrize("role", ["student", "admin"])
def test_no_page_hinders_anybody_or_asks_another_host(
    house: House, browser: Browser, role: str
) -> None:
    house.hub.person(f"seen-by-{role}").start(gpu="mig")
    hub, name = house.hub, "admin" if role == "admin" else "looks"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    said = list[str]()
    with nothing_leaves(context, hub.url):
        page = at_lab(context, hub.user(f"{hub.prefix}-{name}"))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        for each in PAGES:
            answer = page.goto(f"{hub.url}{LAB}{each.path}")
            assert answer is not None
            is_refused = role == "student" and not Role.STUDENT.includes(each.role)
            assert answer.status == (403 if is_refused else 200), each.name
            expect(page.get_by_role("heading", level=1)).to_have_count(1)
            assert [line for line in said if "403 (Forbidden)" not in line] == []
            assert hindrances(page, widths=(1280, 320)) == [], each.name
            said.clear()  # axe measures with styles of its own, which the page refuses
