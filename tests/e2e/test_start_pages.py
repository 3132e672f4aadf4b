"""The form and the page that waits: with and without JavaScript, in a real Chromium."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ds01_spawner.domain.allocation import UsageInterval
from e2e.full_house import FullHouse, queue, waiting
from e2e.hub import Hub, Person, docker, eventually

pytestmark = pytest.mark.timeout(240)
OWN = "ds01-{}/groesse:latest"


@pytest.fixture
def plain(chromium: Browser, hub: Hub) -> Iterator[BrowserContext]:
    """A browser without JavaScript."""
    assert hub.url
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(30_000)
    yield context
    context.close()


def at_the_form(context: BrowserContext, person: Person, server: str = "") -> Page:
    page = context.new_page()
    page.goto(f"{person.hub.url}/hub/spawn/{person.name}" + (f"/{server}" if server else ""))
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.hub.password)
    page.locator("#login_submit").click()
    page.wait_for_url("**/hub/spawn/**")
    return page


def held_lately(hub: Hub, hold: timedelta) -> None:
    """As if slots had been held for so long and given back, five times, until now."""
    now = hub.platform.clock.now()
    ends = [now - timedelta(minutes=each) for each in range(1, 6)]
    with hub.platform.ledger.transaction() as transaction:
        transaction.put_usage(
            [UsageInterval(f"past-{end}", "GPU-past", "past", 0.1, end - hold, end) for end in ends]
        )


def test_a_server_starts_without_javascript(hub: Hub, plain: BrowserContext) -> None:
    person = hub.person("noscript")
    page = at_the_form(plain, person)
    page.locator("input[name=gpu][value='1g.5gb']").check()
    page.get_by_role("button", name="Start").click()
    person.ready()
    page.wait_for_url(f"**/user/{person.name}/**")


def test_a_place_in_the_queue_is_told_and_given_up_without_javascript(
    full_house: FullHouse, plain: BrowserContext
) -> None:
    hub = full_house.hub
    person = hub.person("noscript-waits")
    held_lately(hub, timedelta(hours=2))
    page = at_the_form(plain, person, "thesis")
    size = page.locator("label", has=page.locator("input[name=gpu][value='1g.5gb']"))
    expect(size).to_contain_text("0 of ")
    expect(size).to_contain_text("You would be first in the queue.")
    page.locator("input[name=gpu][value='1g.5gb']").check()
    page.get_by_role("button", name="Start").click()
    eventually(lambda: waiting(hub), what="somebody waits")
    page.reload()
    expect(page.get_by_text("Place 1 of 1 in the queue")).to_be_visible()
    expect(page.locator("#ds01-wait")).to_contain_text(re.compile(r"Expected wait: .+\."))
    expect(page.locator("[aria-current=step]")).to_contain_text("Waiting for a GPU")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/hub/spawn/**")
    eventually(lambda: not waiting(hub), what="the place is given back")
    assert not person.server("thesis")
    assert page.locator("input[name=gpu]:checked").get_attribute("value") == "1g.5gb"
    expect(page.get_by_text("Your last choice").first).to_be_visible()


def test_somebody_elses_start_is_not_broken_off(
    full_house: FullHouse, plain: BrowserContext
) -> None:
    hub = full_house.hub
    victim, other = hub.person("victim"), hub.person("other")
    page = at_the_form(plain, other)
    xsrf = next(each.get("value", "") for each in plain.cookies() if each.get("name") == "_xsrf")
    victim.ask(gpu="mig")
    eventually(lambda: waiting(hub), what="somebody waits")
    for token in ("", xsrf):
        address = f"{hub.url}/hub/ds01/cancel/{victim.name}"
        answer = page.request.post(address, form={"_xsrf": token})
        assert answer.status in {403, 404}
    assert [entry["user"] for entry in queue(hub)] == [victim.name]
    hub.request("DELETE", victim.path())


def test_an_image_of_ones_own_is_offered_with_size_and_age(hub: Hub, plain: BrowserContext) -> None:
    person = hub.person("builder")
    reference = OWN.format(person.name)
    docker("tag", "ds01/starter:latest", reference)
    try:
        page = at_the_form(plain, person)
        card = page.locator("label", has=page.locator(f"input[value='{reference}']"))
        expect(card).to_contain_text("groesse")
        expect(card).to_contain_text("Built by you")
        expect(card).to_contain_text("built ")
        page.locator(f"input[value='{reference}']").check()
        page.locator("input[name=gpu][value=none]").check()
        page.get_by_role("button", name="Start").click()
        person.ready()
        assert person.inspect()["Config"]["Image"].startswith(("sha256:", reference))
    finally:
        docker("image", "rm", "--no-prune", reference, check=False)
