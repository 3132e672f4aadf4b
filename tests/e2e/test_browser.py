"""What people see and press, in a real Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from e2e.axe import hindrances, nothing_leaves
from e2e.full_house import FullHouse, queue, waiting
from e2e.hub import Hub, Person, docker, eventually
from e2e.pages import expect_lab, logged_in, sign_in
from integration.engine_proxy import Mode

STEPS = 60
"""More presses of Tab than any page of ours has places to stop at."""


@pytest.fixture
def browser(chromium: Browser, hub: Hub) -> Iterator[Browser]:
    """The browser; its pages are closed before the hub's containers go."""
    assert hub.url
    yield chromium
    for context in chromium.contexts:
        context.close()


def said_by_terminal(page: Page, person: Person, command: str) -> str:
    """What a command prints in JupyterLab's terminal."""
    page.locator(".jp-LauncherCard").filter(has_text="Terminal").first.click()
    terminal = page.locator(".xterm-helper-textarea")
    terminal.wait_for(state="attached")
    page.locator(".jp-Terminal").first.click()
    page.keyboard.type(f"{command} > said.txt && mv said.txt done.txt\n", delay=5)
    read = ("exec", person.container(), "cat", "done.txt")
    return eventually(lambda: docker(*read, check=False), what=f"the terminal ran {command}")


def test_two_people_get_a_slot_each(hub: Hub, browser: Browser) -> None:
    people = [hub.person(name) for name in ("eve", "adam")]
    devices = set()
    for person in people:
        page = logged_in(browser, person)
        page.locator("input[name=gpu][value='1g.5gb']").check()
        page.get_by_role("button", name="Start").click()
        expect_lab(page, person)
        said = said_by_terminal(page, person, "echo $NVIDIA_VISIBLE_DEVICES")
        assert said == hub.slots()[person.slot()]["uuid"]
        devices.add(said)
    assert len(devices) == 2


def press_tab_until(page: Page, condition: str) -> None:
    """Press Tab until `condition` holds of the element that has the focus."""
    for _ in range(STEPS):
        page.keyboard.press("Tab")
        if page.evaluate(f"(() => {{ const at = document.activeElement; return {condition}; }})()"):
            return
    pytest.fail(f"Tab never reaches a place where {condition}")


def test_a_server_can_be_started_with_the_keyboard_alone(hub: Hub, browser: Browser) -> None:
    person = hub.person("keys")
    page = browser.new_context().new_page()
    page.goto(f"{hub.url}/hub/spawn")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(person.name)
    press_tab_until(page, "at.name === 'password'")
    page.keyboard.type(hub.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/hub/spawn**")

    press_tab_until(page, "at.name === 'gpu'")
    before = page.evaluate("document.activeElement.value")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.activeElement.value")
    assert chosen != before
    assert page.evaluate("document.activeElement.checked")
    press_tab_until(page, "at.name === 'project'")
    page.keyboard.type("thesis")
    press_tab_until(page, "at.type === 'submit' && at.textContent.includes('Start')")
    page.keyboard.press("Enter")

    person.ready()
    assert hub.slots()[person.slot()]["profile"] == chosen
    assert "DS01_PROJECT=thesis" in person.inspect()["Config"]["Env"]


def test_waiting_page_tells_the_place_and_cancels(full_house: FullHouse, browser: Browser) -> None:
    hub = full_house.hub
    person = hub.person("patient")
    page = logged_in(browser, person)
    assert hindrances(page) == []
    with nothing_leaves(page.context, hub.url):
        page.reload()
        page.locator("input[name=gpu][value='1g.5gb']").check()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("Place 1 of 1 in the queue")).to_be_visible(timeout=20_000)
        assert [entry["user"] for entry in queue(hub)] == [person.name]
        assert hindrances(page) == []

        page.get_by_role("button", name="Cancel").click()
        eventually(lambda: not waiting(hub), what="the place is given back")
        page.wait_for_url("**/hub/spawn/**")
    assert not person.server()


def test_refusal_is_shown_with_the_form(hub: Hub, browser: Browser) -> None:
    person = hub.person("too-much")
    for server in ("one", "two"):
        person.start(server, gpu="mig")
    page = logged_in(browser, person)
    choices = page.locator("input[name=gpu]")
    assert choices.count() > 1
    for number in range(choices.count()):
        choice = choices.nth(number)
        assert choice.is_enabled() == (choice.get_attribute("value") == "none")
    assert "2 of 2" in page.locator("#spawn_form").inner_text()
    assert hindrances(page) == []


def test_no_page_on_the_way_to_a_start_that_fails_hinders_anybody(
    hub: Hub, tiny_image: str, browser: Browser
) -> None:
    assert tiny_image
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    person, page = hub.person("unlucky"), context.new_page()
    with nothing_leaves(context, hub.url):
        page.goto(f"{hub.url}/hub/spawn")
        page.get_by_label("Username").fill(person.name)
        page.get_by_label("Password").fill("something else")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Invalid username or password")).to_be_visible()
        assert hindrances(page) == []
        sign_in(page, person)
        page.wait_for_url("**/hub/spawn**")
        assert hindrances(page) == []

        hub.proxy.rule(r"POST /containers/create", Mode.DELAY, 8)
        page.locator("input[name=image][value=tiny]").check()
        page.locator("input[name=gpu][value=none]").check()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("heading", name="Starting your server")).to_be_visible()
        assert hindrances(page) == []
        expect(page.get_by_role("heading", name="Your server did not start")).to_be_visible()
        assert hindrances(page) == []

        page.reload()
        expect(page.get_by_role("link", name="Back to the form")).to_be_visible()
        assert hindrances(page) == []


def test_hostile_choices_are_shown_and_not_run(hub: Hub, browser: Browser) -> None:
    person = hub.person("hostile")
    answer = person.ask(project="<img src=x onerror=alert(1)>")
    assert answer.status_code == 400
    page = logged_in(browser, person)
    dialogs: list[Dialog] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog)
        dialog.dismiss()

    page.on("dialog", note)
    page.reload(wait_until="load")
    assert "onerror" in page.content(), "the form remembers the last choice"
    assert page.locator("img[src=x]").count() == 0
    assert dialogs == []
