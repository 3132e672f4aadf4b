"""The hub's home page: when servers stop, why they did, and a button against it."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

from ds01_spawner.domain.work import KeepAlive, Rule, RuleStop, Track
from e2e.axe import hindrances, nothing_leaves
from e2e.hub import Hub, Person

SOON = 25_000
"""Milliseconds: the page asks every 15 s, and pages share what is up to 5 s old."""

UNUSED = timedelta(minutes=100)
"""Of the two hours that the shipped policy gives."""


@pytest.fixture(scope="module")
def calm_hub(new_hub: Callable[..., Hub], living: dict[str, Hub]) -> Hub:
    """A hub whose culler looks once and then no more: the tests say what it has seen."""
    living["calm_hub"] = new_hub(DS01_CULLER_PASS_SECONDS="86400")
    return living["calm_hub"]


@pytest.fixture
def browser(chromium: Browser, calm_hub: Hub) -> Iterator[Browser]:
    yield chromium
    for context in chromium.contexts:
        context.close()
    calm_hub.empty()


def at_home(browser: Browser, person: Person) -> Page:
    """A page of the person's own at the hub's home page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{person.hub.url}/hub/home")
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.hub.password)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url("**/hub/home")
    return page


def unused(person: Person, server: str = "") -> str:
    """As if passes had found a server idle for `UNUSED`; the id of its container."""
    container_id, since = person.container_id(server), datetime.now(UTC) - UNUSED
    track = Track(
        container_id,
        person.container(server),
        person.name,
        started_at=since,
        run_started_at=since,
        idle_checks=3,
        idle_since=since,
    )
    with person.hub.platform.ledger.transaction() as transaction:
        transaction.put_tracks([track])
    return container_id


def keep_alives(hub: Hub, container_id: str) -> list[KeepAlive]:
    with hub.platform.ledger.transaction() as transaction:
        return [each for each in transaction.keep_alives() if each.container_id == container_id]


def test_says_when_servers_stop_and_keeps_one_running(calm_hub: Hub, browser: Browser) -> None:
    person = calm_hub.person("home")
    person.start()
    person.start("thesis")
    ids = {server: unused(person, server) for server in ("", "thesis")}
    page = at_home(browser, person)
    default = page.locator("#ds01-default")
    thesis = page.locator("tr[data-server-name=thesis] .ds01-life")
    for place in (default, thesis):
        expect(place).to_contain_text(
            re.compile(r"Stops at \d\d:\d\d.*, unless it is used"), timeout=SOON
        )
        expect(place).to_contain_text(re.compile(r"Its time is up at \d\d:\d\d"))
        expect(place).to_contain_text("idle_timeout = 2h (the defaults, resource-limits.yaml line")

    assert hindrances(page) == []

    with nothing_leaves(page.context, calm_hub.url):
        page.reload()
        thesis.get_by_role("button", name="Keep it running").click()
        expect(thesis).to_contain_text("You keep it running.")
    expect(thesis.get_by_role("button")).to_have_count(0)
    expect(default).not_to_contain_text("You keep it running.")
    (kept,) = keep_alives(calm_hub, ids["thesis"])
    assert (kept.source, kept.by) == ("page", person.name)
    assert keep_alives(calm_hub, ids[""]) == []
    (event,) = calm_hub.events("container.extend", person.name)
    assert event["resource"] == person.container("thesis")


def test_nobody_sees_or_keeps_somebody_elses_servers(calm_hub: Hub, browser: Browser) -> None:
    owner, other = calm_hub.person("owner"), calm_hub.person("other")
    owner.start("secret-work")
    container_id = unused(owner, "secret-work")
    page = at_home(browser, other)
    own = page.evaluate(
        """async () => (await fetch(`/hub/ds01/users/${window.jhdata.user}/containers`, {
            headers: {"X-XSRFToken": window.jhdata.xsrf_token}})).json()"""
    )
    assert own["containers"] == own["gone"] == []
    assert "secret-work" not in page.content()

    # Whatever its scripts try, with its own cookies and token.
    statuses = page.evaluate(
        """async (owner) => {
            const ask = async (path, options) => (await fetch(`/hub/ds01/users/${path}`, {
                ...options, headers: {"X-XSRFToken": window.jhdata.xsrf_token}})).status;
            const keep = "containers/secret-work/keep-running";
            return [
                await ask(`${owner}/containers`),
                await ask(`${owner}/${keep}`, {method: "POST"}),
                await ask(`${window.jhdata.user}/${keep}`, {method: "POST"}),
            ];
        }""",
        owner.name,
    )
    assert statuses == [404, 404, 404]
    assert keep_alives(calm_hub, container_id) == []


def test_another_site_cannot_press_the_button(calm_hub: Hub, browser: Browser) -> None:
    person = calm_hub.person("forged")
    person.start()
    container_id = unused(person)
    page = at_home(browser, person)
    keep = f"/hub/ds01/users/{person.name}/containers/jupyter/keep-running"
    status = page.evaluate("async (path) => (await fetch(path, {method: 'POST'})).status", keep)
    assert status == 403
    assert keep_alives(calm_hub, container_id) == []


def test_what_was_said_stays_while_the_hub_does_not_answer(calm_hub: Hub, browser: Browser) -> None:
    person = calm_hub.person("cut-off")
    person.start()
    unused(person)
    page = at_home(browser, person)
    default = page.locator("#ds01-default")
    expect(default).to_contain_text("unless it is used", timeout=SOON)

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/hub/ds01/**", cut)
    default.get_by_role("button", name="Keep it running").click()
    expect(default).to_contain_text("The hub does not answer. Try again in a moment.")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#ds01-notes")).to_contain_text("may be out of date")
    expect(default).to_contain_text("unless it is used")

    page.unroute("**/hub/ds01/**")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#ds01-notes")).to_be_hidden()


def test_says_which_rule_stopped_a_server_also_after_a_restart_of_the_hub(
    calm_hub: Hub, browser: Browser
) -> None:
    person = calm_hub.person("stopped")
    container_id = person.start()
    moment = datetime.now(UTC)
    stop = RuleStop(
        container_id,
        person.container(),
        person.name,
        Rule.IDLE,
        "idle_timeout",
        "2h",
        "group student, resource-limits.yaml line 31",
        "Nothing has run on it since 12:35.",
        decided_at=moment,
        done_at=moment,
    )
    with calm_hub.platform.ledger.transaction() as transaction:
        transaction.put_rule_stop(stop)
    person.stop()

    page = at_home(browser, person)
    expect(page.locator("#ds01-default")).to_contain_text(
        "Nothing has run on it since 12:35.", timeout=SOON
    )
    address = f"{calm_hub.url}/hub/user/{person.name}/"
    page.goto(address)
    told = page.locator("#ds01-stopped")
    expect(told).to_contain_text(
        re.compile(r"It was stopped at \d\d:\d\d.*\. Nothing has run on it")
    )
    expect(told).to_contain_text("idle_timeout = 2h (group student, resource-limits.yaml line 31)")
    assert hindrances(page) == []

    calm_hub.stop()
    calm_hub.start()
    page.goto(address)
    expect(told).to_contain_text("Nothing has run on it since 12:35.")

    person.start()
    assert calm_hub.platform.outlook.last_stop(person.name, person.container()) is None


def test_who_stopped_a_server_is_told_of_no_rule(calm_hub: Hub, browser: Browser) -> None:
    person = calm_hub.person("self-made")
    person.start()
    person.stop()
    page = at_home(browser, person)
    page.goto(f"{calm_hub.url}/hub/user/{person.name}/")
    expect(page.get_by_text("It was stopped by you or an administrator")).to_be_visible()
    assert page.locator("#ds01-stopped").count() == 0


def test_programs_ask_with_a_token(calm_hub: Hub, browser: Browser) -> None:
    assert browser
    person = calm_hub.person("program")
    person.start()
    address = f"{calm_hub.url}/hub/ds01/users/{person.name}/containers"
    token = {"Authorization": f"token {(calm_hub.state / 'token').read_text()}"}
    kept = requests.post(
        f"{address}/jupyter/keep-running", headers=token, json={"for": "6h"}, timeout=10
    )
    assert kept.status_code == 200, kept.text
    (found,) = requests.get(address, headers=token, timeout=10).json()["containers"]
    assert found["kept_until"] == kept.json()["kept_until"] is not None
    assert calm_hub.events("container.extend", person.name)[-1]["details"]["by"] == "e2e"
    assert requests.get(address, timeout=10).status_code == 403
