"""Each wizard once in a notebook of the real hub, by clicking; all of them on one server."""

import logging
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from e2e.full_house import ONE, FullHouse
from e2e.house import House
from e2e.hub import Person, docker, eventually
from e2e.lab_clicks import DARK, LIGHT, SHOTS, Lab, shoot

pytestmark = pytest.mark.timeout(600)

_log = logging.getLogger(__name__)

IMAGE = "groesse-1"
BUILD_MS = 500_000
"""About 110 packages are installed: a minute where nothing else goes on."""

WIZARDS = {
    "GpuStatus": "GPUs",
    "MyLimits": "Your limits",
    "ExtendServer": "Keep a server running",
    "LaunchServer": "Start a server",
    "ProjectInit": "Begin a project",
    "ImageBuilder": "Make an image",
    "Onboarding": "Your first day",
}


@pytest.fixture(scope="module")
def person(open_doors: House) -> Iterator[Person]:
    """Somebody whose server runs, without a GPU."""
    hub = open_doors.hub
    found = hub.user("anna") if SHOTS else hub.person("clicker")
    found.start(gpu="none")
    yield found
    open_doors.hub.empty()


@pytest.fixture(scope="module")
def lab(person: Person, chromium: Browser) -> Iterator[Lab]:
    """Their page, with a notebook in which every wizard was run."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    found = Lab(context.new_page(), person)
    found.come_in()
    found.put(
        "wizards.ipynb", "Wizards", "from ds01_widgets import *", *(f"{each}()" for each in WIZARDS)
    )
    found.open("wizards.ipynb", "Wizards")
    found.run_all()
    yield found
    context.close()


def there(lab: Lab, name: str) -> Locator:
    """A wizard that has asked what it shows."""
    wizard = lab.wizard(WIZARDS[name])
    wizard.scroll_into_view_if_needed()
    expect(wizard.get_by_text("Looking at")).to_have_count(0)
    return wizard


@pytest.fixture(scope="module")
def build(lab: Lab) -> Locator:
    """The wizard for images, which builds one with one package more, while others are looked at."""
    wizard = there(lab, "ImageBuilder")
    wizard.get_by_label("Framework").select_option("CPU only")
    wizard.get_by_role("checkbox", name="Data science").uncheck()
    wizard.get_by_label("Python packages, one a line").fill("einops")
    wizard.get_by_label("Name of the image").fill(IMAGE)
    lab.clock.begin("image")
    wizard.get_by_role("button", name="Build the image").click()
    expect(wizard.get_by_role("button", name="Cancel the build")).to_be_visible()
    return wizard


def test_a_build_shows_its_log_and_how_far_it_is(lab: Lab, build: Locator) -> None:
    build.get_by_role("button", name="Show the log").click()
    expect(build.get_by_role("region", name="Log")).to_contain_text("apt-get update")
    expect(build.get_by_role("progressbar")).to_be_visible()
    expect(build.get_by_role("status").filter(has_text="Step")).to_be_visible()
    shoot(build, "wizard-image-building")
    assert lab.faults(build, narrow=1024) == []


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_no_wizard_hinders_anybody_or_is_wider_than_its_notebook(lab: Lab, theme: str) -> None:
    lab.use_theme(theme)
    for name in WIZARDS:
        wizard = there(lab, name)
        shoot(wizard, f"{name}-{theme}")
    wizards = lab.notebook.locator(".ds01")
    expect(wizards).to_have_count(len(WIZARDS))
    assert lab.faults(wizards, narrow=1024) == []


def test_a_server_is_kept_running_with_the_keyboard_alone(lab: Lab) -> None:
    wizard, keys = there(lab, "ExtendServer"), lab.page.keyboard
    why = wizard.get_by_role("button", name="Why?")
    why.focus()
    keys.press("Space")
    expect(wizard.get_by_role("button", name="Close the explanation")).to_be_focused()
    keys.press("Enter")
    expect(why).to_be_focused()
    keys.press("Tab")
    expect(wizard.get_by_label("Server")).to_be_focused()
    keys.press("Tab")
    expect(wizard.get_by_label("For")).to_be_focused()
    keys.press("End")  # with JupyterLab's own keys, another cell
    keys.press("Tab")
    expect(wizard.get_by_role("button", name="Keep it running")).to_be_focused()
    keys.press("Enter")
    expect(wizard.locator(".ds01-good")).to_contain_text("My server")
    shoot(wizard, "wizard-extend")


def test_a_project_is_begun(lab: Lab, person: Person) -> None:
    wizard = there(lab, "ProjectInit")
    wizard.get_by_label("Name").fill("leaf-segmentation")
    wizard.get_by_label("About").fill("Blätter zählen, Größe messen")
    wizard.get_by_label("Framework").select_option("CPU only")
    expect(wizard.get_by_text("files are made in")).to_be_visible()
    wizard.get_by_text("files are made in").click()
    shoot(wizard, "wizard-project")
    wizard.get_by_role("button", name="Make the project").click()
    expect(wizard.locator(".ds01-good")).to_contain_text("leaf-segmentation")
    folder = "~/projects/leaf-segmentation"
    made = docker(
        "exec", person.container(), "sh", "-c", f"cat {folder}/README.md {folder}/Dockerfile"
    )
    assert "Blätter zählen" in made
    assert '"framework": "cpu"' in made


def test_a_server_waits_for_a_gpu_gets_it_and_is_opened(lab: Lab, open_doors: House) -> None:
    crowd = FullHouse(open_doors.hub)
    crowd.fill_size("1g.5gb")
    wizard = there(lab, "LaunchServer")
    wizard.get_by_role("button", name="Look again").click()
    wizard.get_by_label("Name of the new server").fill("thesis")
    wizard.get_by_label("GPU with 4.8 GB").check()
    expect(wizard.get_by_text("you would be the next")).to_be_visible()
    wizard.get_by_role("button", name="Start the server").click()
    place = wizard.get_by_role("status").filter(has_text="Waiting for a slot of 1g.5gb")
    expect(place).to_be_visible()
    shoot(wizard, "wizard-server-queue")
    assert lab.faults(wizard, narrow=1024) == []
    crowd.leave(ONE)
    with lab.clock.timing("from free to running"):
        expect(wizard.locator(".ds01-good")).to_contain_text("thesis runs.", timeout=60_000)
    shoot(wizard, "wizard-server-running")
    gpus = there(lab, "GpuStatus")
    gpus.get_by_role("button", name="Look again").click()
    expect(gpus.get_by_text("you (thesis)")).to_be_visible()
    shoot(gpus, "wizard-gpus")
    lab.put("gpu.ipynb", "A GPU", "!echo given: $NVIDIA_VISIBLE_DEVICES")
    with lab.page.expect_popup() as opened:
        wizard.get_by_role("link", name="Open thesis").last.click()
    popup = Lab(opened.value, lab.person)
    popup.page.wait_for_url(f"**/user/{lab.person.name}/thesis/lab**")
    popup.open("gpu.ipynb", "A GPU", server="thesis")
    popup.run_all()
    given = lab.person.inspect("thesis")["HostConfig"]["DeviceRequests"][0]["DeviceIDs"][0]
    expect(popup.notebook.get_by_text(f"given: {given}")).to_be_visible()
    popup.page.close()
    wizard.get_by_role("button", name="Stop it …").click()
    wizard.get_by_role("button", name="Yes, stop it").click()
    eventually(lambda: not lab.person.server("thesis"), what="the server is stopped")


def test_the_image_is_chosen_for_a_server_and_has_its_package(lab: Lab, build: Locator) -> None:
    expect(build.get_by_text(f"The image {IMAGE} is ready")).to_be_visible(timeout=BUILD_MS)
    lab.clock.end("image")
    shoot(build, "wizard-image-built")
    program = "import einops\nprint('einops', einops.__version__)"
    lab.put(
        "own.ipynb", "Own", program, "!ds01 --version", "from ds01_widgets import *\nMyLimits()"
    )
    page = lab.page.context.new_page()
    page.goto(f"{lab.person.hub.url}/hub/spawn/{lab.person.name}/own")
    page.locator("label", has_text=IMAGE).click()
    page.locator("input[name=gpu][value=none]").check()
    with lab.clock.timing("server of it"):
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url(f"**/user/{lab.person.name}/own/lab**")
        page.get_by_text("Terminal", exact=True).first.wait_for()
    own = Lab(page, lab.person)
    own.open("own.ipynb", "Own", server="own")
    own.run_all()
    expect(own.notebook.get_by_text("einops 0.")).to_be_visible()
    expect(own.notebook.get_by_text("ds01 0.")).to_be_visible()
    expect(own.wizard("Your limits").get_by_text("in group student")).to_be_visible()
    page.close()
    lab.person.stop("own")


def test_a_build_that_fails_says_where_why_and_what_to_do(lab: Lab, build: Locator) -> None:
    build.get_by_role("button", name="Make a new one").click()
    build.get_by_role("heading", name="A new image").wait_for()
    build.get_by_label("Framework").select_option("CPU only")
    build.get_by_role("checkbox", name="Data science").uncheck()
    build.get_by_label("Python packages, one a line").fill("einops\nds01-no-such-package-at-all")
    build.get_by_label("Name of the image").fill("fails")
    with lab.clock.timing("a build that fails"):
        build.get_by_role("button", name="Build the image").click()
        problem = build.get_by_role("alert").filter(has_text="pip finds no package called")
        expect(problem).to_contain_text("Is it spelled as on PyPI?", timeout=120_000)
    expect(problem.locator(".ds01-failed-line")).to_contain_text("ds01-no-such-package-at-all")
    shoot(build, "wizard-image-failed")
    assert lab.faults(build, narrow=1024) == []
    _log.info("%s", lab.clock)
