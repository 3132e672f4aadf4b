"""The first login: from the form to a notebook on a GPU, by clicking through the first wizard."""

import logging
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from e2e.house import House
from e2e.hub import docker
from e2e.lab_clicks import Lab, shoot
from e2e.pages import logged_in

pytestmark = pytest.mark.timeout(240)

_log = logging.getLogger(__name__)

STEPS = (
    "Your folders",
    "Your SSH key",
    "VS Code and ssh",
    "Container and project",
    "First steps",
)


@pytest.fixture
def browser(chromium: Browser, house: House) -> Iterator[Browser]:
    assert house.run
    yield chromium
    for context in chromium.contexts:
        context.close()


def begin(lab: Lab) -> None:
    """Start a server at the form; the first notebook is open."""
    lab.page.get_by_role("button", name="Start", exact=True).click()
    welcome = f"**/user/{lab.person.name}/lab/tree/ds01-notebooks/00-welcome.ipynb**"
    lab.page.wait_for_url(welcome)
    lab.ready("Welcome")


def take_the_steps(wizard: Locator) -> None:
    """Click through what is asked, from the first step to the last."""

    def click(name: str) -> None:
        wizard.get_by_role("button", name=name).click()

    expect(wizard.get_by_text("To be made: ~/projects")).to_be_visible()
    shoot(wizard, "wizard-onboarding-folders")
    click("Make my folders")
    expect(wizard.get_by_text("Folders made: ~/projects")).to_be_visible()
    click("Go on")
    expect(wizard.get_by_role("button", name="Make a key here")).to_be_visible()
    wizard.get_by_role("button", name="Why?").filter(visible=True).click()
    expect(wizard.get_by_text("Two keys.")).to_be_visible()
    shoot(wizard, "wizard-onboarding-key")
    click("Make a key here")
    expect(wizard.get_by_text("Your containers know the key of this computer")).to_be_visible()
    click("Go on")
    expect(wizard.get_by_label("To type:")).to_be_visible()
    shoot(wizard, "wizard-onboarding-vscode")
    click("I have done that")
    click("Go on")
    expect(wizard.get_by_role("heading", name="First steps")).to_be_visible()
    wizard.get_by_role("button", name=re.compile("Container and project")).click()
    expect(wizard.get_by_text("You have a container that runs: jupyter, with ")).to_be_visible()
    click("Begin a project")
    expect(wizard.get_by_text("Your projects: ~/projects/first-project.")).to_be_visible()
    shoot(wizard, "wizard-onboarding-project")
    wizard.get_by_role("button", name=re.compile("First steps")).click()
    click("Keep this page")
    for step in STEPS:
        expect(wizard.get_by_role("button", name=re.compile(f"✓ {step}"))).to_be_visible()
    shoot(wizard, "wizard-onboarding-first-steps")


def test_from_the_form_to_a_notebook_on_a_gpu_by_clicking(house: House, browser: Browser) -> None:
    person = house.hub.person("first")
    lab = Lab(logged_in(browser, person), person)
    with lab.clock.timing("first notebook"):
        begin(lab)
    with lab.clock.timing("wizard"):
        lab.run_all()
        wizard = lab.wizard("Your first day")
        expect(wizard.get_by_text("To be made: ~/projects")).to_be_visible()
    with lab.clock.timing("five steps"):
        take_the_steps(wizard)
    home = docker("exec", person.container(), "sh", "-c", "ls -a ~ ~/projects ~/.config/ds01")
    for name in ("data", "first-project", "first-steps.md", "id_ed25519", "own-computer.txt"):
        assert name in home.split()
    with lab.clock.timing("notebook on a GPU"):
        wizard.get_by_role("link", name="Your first GPU").click()
        lab.ready("Your first GPU")
        lab.run_all()
        given = lab.notebook.get_by_text(re.compile(r"This server was given: MIG-[0-9a-f-]{36}"))
        expect(given).to_be_visible()
        mine = lab.wizard("GPUs").locator("tr.ds01-mine")
        expect(mine).to_contain_text("1g.5gb")
    assert (
        given.inner_text().split()[-1]
        == person.inspect()["HostConfig"]["DeviceRequests"][0]["DeviceIDs"][0]
    )
    _log.info("%s", lab.clock)


def test_the_second_time_is_as_it_was_left(house: House, browser: Browser) -> None:
    person = house.hub.person("second")
    lab = Lab(logged_in(browser, person), person)
    begin(lab)
    person.stop()
    person.start()
    lab.page.goto(f"{house.hub.url}/user/{person.name}/?reset")
    lab.page.wait_for_url(re.compile(f"/user/{person.name}/lab(?!/tree)"))
