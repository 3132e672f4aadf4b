"""The first login: the first notebook is open, and its wizard is clicked through."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect  # noqa: A004 - its own

from e2e.house import House
from e2e.hub import Person, docker
from e2e.pages import logged_in

pytestmark = pytest.mark.timeout(240)

STEPS = (
    "Your folders",
    "Your SSH key",
    "VS Code and ssh",
    "Container and project",
    "First steps",
)
SHOTS = os.environ.get("DS01_SHOTS")
"""A folder for pictures of what is seen; without it, none are taken."""


@pytest.fixture
def browser(chromium: Browser, house: House) -> Iterator[Browser]:
    assert house.run
    yield chromium
    for context in chromium.contexts:
        context.close()


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def run_all(page: Page, notebook: Locator) -> None:
    """Run every cell; again, where the notebook had no kernel yet: then nothing is run."""
    ran = notebook.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[(\d+|\*)\]"))
    for patience in (5_000, 10_000, 30_000):
        page.get_by_role("menuitem", name="Run", exact=True).first.click()
        page.locator(".lm-Menu-item").filter(has_text="Run All Cells").first.click()
        try:
            ran.first.wait_for(timeout=patience)
        except TimeoutError:
            continue
        return
    pytest.fail("no cell was run")


def opened_notebook(page: Page, person: Person) -> Locator:
    """The first notebook, as it opens after the form."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(f"**/user/{person.name}/lab/tree/ds01-notebooks/00-welcome.ipynb**")
    notebook = page.locator(".jp-Notebook")
    notebook.get_by_role("heading", name="Welcome").wait_for()
    return notebook


def test_the_first_day_is_clicked_through(house: House, browser: Browser) -> None:
    person = house.hub.person("first")
    page = logged_in(browser, person)
    notebook = opened_notebook(page, person)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    run_all(page, notebook)
    wizard = notebook.locator(".ds01", has=page.get_by_role("heading", name="Your first day"))
    expect(wizard.get_by_text("To be made: ~/projects")).to_be_visible(timeout=20_000)
    wizard.scroll_into_view_if_needed()
    shoot(page, "onboarding-folders")

    wizard.get_by_role("button", name="Make my folders").click()
    expect(wizard.get_by_text("Folders made: ~/projects")).to_be_visible()
    wizard.get_by_role("button", name="Go on").click()
    expect(wizard.get_by_role("button", name="Make a key here")).to_be_visible()
    shoot(page, "onboarding-key")
    wizard.get_by_role("button", name="Why?").filter(visible=True).click()
    expect(wizard.get_by_text("Two keys.")).to_be_visible()
    shoot(page, "onboarding-key")
    wizard.get_by_role("button", name="Make a key here").click()
    expect(wizard.get_by_text("Your containers know the key of this computer")).to_be_visible()
    wizard.get_by_role("button", name="Go on").click()
    expect(wizard.get_by_label("To type:")).to_be_visible()
    wizard.scroll_into_view_if_needed()
    shoot(page, "onboarding-vscode")
    wizard.get_by_role("button", name="I have done that").click()
    wizard.get_by_role("button", name="Go on").click()
    expect(wizard.get_by_role("heading", name="First steps")).to_be_visible()
    shoot(page, "onboarding-first-steps")
    wizard.get_by_role("button", name=re.compile("Container and project")).click()
    expect(wizard.get_by_text("You have a container that runs: jupyter")).to_be_visible()
    shoot(page, "onboarding-container")
    wizard.get_by_role("button", name="Begin a project").click()
    expect(wizard.get_by_text("Your projects: ~/projects/first-project.")).to_be_visible()
    wizard.get_by_role("button", name=re.compile("First steps")).click()
    wizard.get_by_role("button", name="Keep this page").click()
    for step in STEPS:
        expect(wizard.get_by_role("button", name=re.compile(f"✓ {step}"))).to_be_visible()
    home = docker("exec", person.container(), "sh", "-c", "ls -a ~ ~/projects ~/.config/ds01")
    for name in ("data", "first-project", "first-steps.md", "id_ed25519", "own-computer.txt"):
        assert name in home.split()


def test_the_second_time_is_as_it_was_left(house: House, browser: Browser) -> None:
    person = house.hub.person("second")
    page = logged_in(browser, person)
    opened_notebook(page, person)
    person.stop()
    person.start()
    page.goto(f"{house.hub.url}/user/{person.name}/?reset")
    page.wait_for_url(re.compile(f"/user/{person.name}/lab(?!/tree)"))
