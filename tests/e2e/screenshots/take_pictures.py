"""Pictures of every page; script/screenshots runs it. Not a test: it asserts what it needs."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from ds01_spawner.domain.labels import USER
from e2e.full_house import queue
from e2e.house import House, open_house
from e2e.hub import Hub, Person, docker, eventually
from e2e.lab_config import STARTER
from e2e.pages import sign_in
from e2e.screenshots.camera import Camera
from e2e.screenshots.gateway_with_history import HISTORY
from e2e.screenshots.scene import LONG, ME, NEW, SLOTS, STOPPED, THESIS, Scene, furnish, own_images
from integration.engine_proxy import Mode

ROOT = Path(__file__).parents[3]
LAB = "/services/ds01/"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8 jürgen@pc"
PAGES = ("gpus", "queue", "events", "policy")
PERIODS = ("week", "month", "year", "all")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def camera() -> Camera:
    looks = os.environ.get("DS01_PICTURES_LOOKS")
    docs = Path(os.environ.get("DS01_PICTURES") or ROOT / "docs/screenshots")
    for folder in (docs, *([Path(looks)] if looks else ())):
        folder.mkdir(parents=True, exist_ok=True)
    return Camera(docs, Path(looks) if looks else None)


@pytest.fixture(scope="module")
def lab(new_hub: Callable[..., Hub], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    others = docker("ps", "--all", "--filter", f"label={USER}", "--format", "{{.Names}}").split()
    assert not others, f"other installations on this engine would be in the pictures: {others}"
    history = tmp_path_factory.mktemp("history") / "history.json"
    os.environ[HISTORY] = str(history)
    gateway = (str(Path(__file__).with_name("gateway_with_history.py")),)
    with open_house(new_hub, furnish, gateway, DS01_CULLER_PASS_SECONDS="86400") as house:
        yield house


@pytest.fixture(scope="module")
def scene(lab: House) -> Scene:
    return Scene(lab.hub, Path(os.environ[HISTORY]))


class Visitor:
    """Somebody in front of a browser."""

    def __init__(self, browser: Browser, person: Person) -> None:
        self.person = person
        self.page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        self.page.set_default_timeout(30_000)
        self.page.goto(f"{person.hub.url}/hub/home")
        sign_in(self.page, person)
        self.page.wait_for_url("**/hub/home")

    def at_lab(self, path: str = "") -> Page:
        self.page.goto(f"{self.person.hub.url}{LAB}{path}")
        return self.page

    def at_hub(self, path: str) -> Page:
        self.page.goto(f"{self.person.hub.url}/hub/{path}")
        return self.page

    def at_form(self, server: str = "") -> Page:
        return self.at_hub(f"spawn/{quote(self.person.name)}" + (f"/{server}" if server else ""))


def chosen(page: Page, image: str, gpu: str) -> None:
    page.locator(f"input[name=image][value='{image}']").check()
    page.locator(f"input[name=gpu][value='{gpu}']").check()


def test_before_anybody_came(lab: House, chromium: Browser, camera: Camera) -> None:
    hub = lab.hub
    page = chromium.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(f"{hub.url}/hub/login")
    camera.take(page, "login", keep=True, longest=380)
    page.get_by_label("Username").fill(ME)
    page.get_by_label("Password").fill("no")
    page.get_by_role("button", name="Sign in").click()
    camera.take(page, "login-refused")
    new = Visitor(chromium, hub.user(NEW))
    camera.take(new.at_hub("home"), "home-empty")
    camera.take(new.at_lab(), "lab-me-empty")
    for name in (*PAGES[:3], "history"):
        camera.take(new.at_lab(name), f"lab-{name}-empty")
    camera.take(new.at_lab("people"), "lab-refused")
    camera.take(new.at_lab("nowhere"), "lab-missing")
    boss = Visitor(chromium, hub.user("admin"))
    camera.take(boss.at_lab(), "lab-me-administrator")
    for name in ("people", "history", "health"):
        camera.take(boss.at_lab(name), f"lab-{name}-empty-administrator")
    camera.take(boss.at_lab("events?action=nothing.like.it"), "lab-events-none-found")


@pytest.fixture(scope="module")
def busy(lab: House, scene: Scene) -> Iterator[House]:
    """The lab, where many work and something is free."""
    assert len(lab.hub.slots()) == SLOTS
    me = lab.hub.user(ME)
    scene.hold()
    scene.stop(STOPPED)
    scene.store()
    scene.remember()
    scene.book()
    for server in ("", THESIS, "statistik"):
        me.start(server, gpu="none" if server else "mig", image="starter", project="robotik")
    scene.unused(me, THESIS, 100)
    scene.stopped_by_rule(me, "statistik")
    scene.load()
    lab.kill_gateway()
    lab.start_gateway()
    with own_images(ME, STARTER, "bildsegmentierung-mit-pytorch-und-lightning"):
        yield lab


def test_me(busy: House, chromium: Browser, camera: Camera) -> None:
    student = Visitor(chromium, busy.hub.user(ME))
    page = student.at_lab()
    for key, said, name in (("kein Schlüssel", "alert", "problem"), (KEY, "status", "told")):
        page.get_by_label("Add a public key").fill(key)
        page.get_by_role("button", name="Add the key").click()
        expect(page.get_by_role(said).filter(visible=True)).to_be_visible()  # type: ignore[arg-type]
        camera.take(page, f"lab-me-{name}")
    page = student.at_lab()
    camera.take(page, "lab-me", keep=True)
    camera.take(page, "lab-me-dark", keep=True, dark=True, longest=900)
    page.locator("summary").filter(has_text="Give back").first.click()
    page.locator("#every-limit summary").click()
    camera.take(page, "lab-me-open")
    home = student.at_hub("home")
    stops = home.locator(f"tr[data-server-name={THESIS}]").get_by_text("Stops at")
    expect(stops).to_be_visible()
    camera.take(home, "home", keep=True)
    camera.take(student.at_hub(f"user/{quote(ME)}/statistik/"), "not-running", keep=True)


def test_what_all_see(busy: House, chromium: Browser, camera: Camera) -> None:
    student = Visitor(chromium, busy.hub.user(ME))
    boss = Visitor(chromium, busy.hub.user("admin"))
    for name in ("gpus", "events", "policy"):
        camera.take(student.at_lab(name), f"lab-{name}-student")
    for name, longest in (("gpus", 1700), ("people", 1500), ("events", 900)):
        camera.take(boss.at_lab(name), f"lab-{name}", keep=True, longest=longest)
    page = boss.at_lab(f"events?user={quote(LONG)}")
    page.locator("details summary").first.click()
    camera.take(page, "lab-events-open")
    camera.take(boss.at_lab(f"policy?user={quote('niemand')}"), "lab-policy-unknown")


def test_the_past(busy: House, chromium: Browser, camera: Camera) -> None:
    student = Visitor(chromium, busy.hub.user(ME))
    boss = Visitor(chromium, busy.hub.user("admin"))
    for period in PERIODS:
        path = f"history?period={period}"
        camera.take(student.at_lab(path), f"lab-history-{period}-student")
        kept = period == "month"
        name = "history" if kept else f"lab-history-{period}"
        page = boss.at_lab(path)
        camera.take(page, name, keep=kept, longest=2400)
    for summary in page.locator(".ds01-chart-table summary").all():
        summary.click()
    camera.take(page, "lab-history-figures")


def test_health(busy: House, scene: Scene, chromium: Browser, camera: Camera) -> None:
    scene.looked()
    boss = Visitor(chromium, busy.hub.user("admin"))
    camera.take(boss.at_lab("health"), "health", keep=True, longest=2400)
    scene.trouble()
    page = boss.at_lab("health")
    expect(page.get_by_text("nobody knows whose")).to_be_visible()
    camera.take(page, "lab-health-trouble")
    scene.load()


def test_an_edited_policy(busy: House, chromium: Browser, camera: Camera) -> None:
    boss = Visitor(chromium, busy.hub.user("admin"))
    edited = (busy.hub.config / "resource-limits.yaml").read_text()
    for old, new in (("max_gpu_slots: 2", "max_gpu_slots: 3"), ("timeout: 2h", "timeout: 90m")):
        edited = edited.replace(old, new, 1)
    broken = edited.replace("90m", "zwei Stunden").replace("max_cpus: 4", "max_cpu: 4")
    for text, name in ((broken, "lab-policy-fault"), (edited, "lab-policy-preview")):
        page = boss.at_lab(f"policy?user={quote(ME)}")
        page.get_by_label("The edited file").fill(text)
        page.get_by_role("button", name="Show what it would change").click()
        expect(page.locator("#preview-answer")).to_be_visible()
        camera.take(page, name)
    camera.take_part(page, "#preview", "lab-policy-preview")


def test_forms(busy: House, chromium: Browser, camera: Camera) -> None:
    camera.take(Visitor(chromium, busy.hub.user(ME)).at_form("versuch"), "form-own-images")
    other = Visitor(chromium, busy.hub.user(LONG))
    camera.take(other.at_form(), "form", keep=True, longest=1800)
    camera.take(other.at_hub("home"), "home-other-containers")
    limited = Visitor(chromium, busy.hub.user("li.wei"))
    camera.take(limited.at_form(), "form-refused")


def all_wait(hub: Hub, waiting: Mapping[str, str]) -> None:
    """Each of these people asks for a server of that name, one after the other."""
    with ThreadPoolExecutor(len(waiting)) as pool:
        for name, server in waiting.items():
            before = len(queue(hub))
            pool.submit(hub.user(name).ask, server, gpu="1g.5gb")
            eventually(partial(_is_longer, hub, before), what="somebody waits")


def _is_longer(hub: Hub, before: int) -> bool:
    return len(queue(hub)) > before


def test_queue(busy: House, scene: Scene, chromium: Browser, camera: Camera) -> None:
    hub = busy.hub
    scene.fill()
    waiting = {
        LONG: "zweite-messreihe",
        "mehmet.çelik": "hausaufgabe-4",
        ME: "vergleichslauf-b",
    }
    all_wait(hub, waiting)
    student, boss = Visitor(chromium, hub.user(ME)), Visitor(chromium, hub.user("admin"))
    camera.take(student.at_lab(), "lab-me-waiting")
    camera.take(student.at_lab("queue"), "lab-queue-student")
    camera.take(boss.at_lab("queue"), "lab-queue", keep=True)
    camera.take(boss.at_lab("gpus"), "lab-gpus-full")
    new = Visitor(chromium, hub.user(NEW))
    page = new.at_form(THESIS)
    camera.take(page, "form-nothing-free", keep=True, longest=1800)
    chosen(page, "starter", "1g.5gb")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text(re.compile(r"Place \d of \d in the queue"))).to_be_visible()
    camera.take(page, "pending-queue", keep=True)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/hub/spawn/**")
    camera.take(new.at_form(THESIS), "form-last-choice")
    for name, server in waiting.items():
        hub.request("DELETE", hub.user(name).path(server))
    eventually(lambda: not queue(hub), what="nobody waits")


def test_a_start_that_fails(
    busy: House, tiny_image: str, chromium: Browser, camera: Camera
) -> None:
    hub = busy.hub
    with own_images(ME, tiny_image, "kaputt"):
        me = Visitor(chromium, hub.user(ME))
        eventually(lambda: me.at_form("versuch").locator("input[value*=kaputt]").count() == 1)
        page = me.page
        page.locator("input[value*=kaputt]").check()
        page.locator("input[name=gpu][value=none]").check()
        hub.proxy.rule(r"POST /containers/create", Mode.DELAY, 8)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("heading", name="Starting")).to_be_visible()
        camera.take(page, "pending-starting")
        expect(page.get_by_role("heading", name="did not start")).to_be_visible()
        hub.proxy.clear()
        camera.take(page, "pending-failed", keep=True)
        page.reload()
        camera.take(page, "not-running-failed")
        busy.kill_gateway()
        camera.take(me.at_hub("home"), "home-without-gateway")
        me.page.goto(f"{hub.url}{LAB}")
        camera.take(me.page, "lab-away")
