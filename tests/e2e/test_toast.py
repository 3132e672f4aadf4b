"""What DS01 tells people appears in JupyterLab and in its terminals, in a real Chromium."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.lifecycle import Countdown
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_rendering import banner, notices_json
from ds01_spawner.domain.notice_text import About, Limit, Moment, warning_notice
from ds01_spawner.domain.timeouts import Bound
from ds01_spawner.domain.work import Level, Rule
from integration.lab_container import TOKEN, LabContainer, lab_container, notice

KEEP_FILE = ".keep-alive.jupyter"
POLL_MS = 15_000
WITHIN_A_POLL = POLL_MS + 5_000
READY_MS = 40_000
EXTENSION = Path(__file__).parents[2] / "hub_config/images/starter/notices/labextension"
SCREENSHOTS = os.environ.get("DS01_SCREENSHOTS")
"""A folder to put pictures for docs/screenshots into."""
WARNING = "Your server “jupyter” is stopped soon, because it is idle."
TEXT = (
    "Nothing has run on it for 1 hour 48 minutes. Servers of your group are stopped after 2 hours"
    " without work (idle_timeout).\n"
    "Run something, or press “Keep it running”. Your files stay either way."
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabContainer]:
    with lab_container(tmp_path_factory.mktemp("board") / "alice") as lab:
        yield lab


@pytest.fixture
def lab(running: LabContainer) -> LabContainer:
    """The shared server, with nothing on the board and nothing asked for."""
    running.board.show()
    running.run(f"rm -rf {KEEP_FILE} .jupyter; chmod 755 ~")
    return running


@pytest.fixture
def zone() -> str:
    """A zone other than UTC in which it is about noon, so that nothing ends on another day."""
    hours = 12 - now().hour or 1
    return f"Etc/GMT{-hours:+d}"  # POSIX counts them from the other side


@pytest.fixture
def page(chromium: Browser, zone: str) -> Iterator[Page]:
    """An empty page of somebody in `zone`, which is allowed no error."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 720}, locale="en-GB", timezone_id=zone
    )
    page = context.new_page()
    page.set_default_timeout(READY_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def open_lab(page: Page, lab: LabContainer) -> None:
    page.goto(f"{lab.url}/lab?token={TOKEN}")
    page.get_by_text("Terminal", exact=True).first.wait_for()


def toasts(page: Page) -> Locator:
    return page.locator(".Toastify__toast")


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.wait_for_timeout(1_000)  # until the toast has slid in
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def now() -> datetime:
    return datetime.now(UTC)


def milliseconds(moment: datetime) -> float:
    return moment.timestamp() * 1000


def look(page: Page, visibility: str) -> None:
    """Turn to the page (`visible`) or away from it (`hidden`), as its document sees it."""
    page.evaluate(
        """visibility => {
            const value = {value: visibility, configurable: true};
            Object.defineProperty(document, 'visibilityState', value);
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        visibility,
    )


def come_back(page: Page) -> None:
    """Look away and back, which makes the page ask at once; returns when it has the answer."""
    look(page, "hidden")
    with page.expect_response("**/ds01/notices*"):
        look(page, "visible")


def test_toast_says_what_happens_and_when(lab: LabContainer, page: Page, zone: str) -> None:
    open_lab(page, lab)
    expect(toasts(page)).to_have_count(0)
    warning = notice("first", now(), title=WARNING, text=TEXT)
    lab.board.show(warning)
    toast = toasts(page)
    expect(toast).to_have_count(1, timeout=WITHIN_A_POLL)
    at = datetime.fromisoformat(warning["deadline"])
    there = at.astimezone(ZoneInfo(zone))
    expect(toast).to_contain_text(WARNING)
    expect(toast).to_contain_text(f"In 12 minutes, at {there:%H:%M}.")
    expect(page.get_by_role("alert")).to_contain_text(WARNING)
    expect(toast.get_by_role("button", name="Keep it running")).to_be_visible()

    toast.get_by_role("button", name="Details").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Servers of your group are stopped after 2 hours")
    dialog.get_by_role("button", name="OK").click()
    expect(toast).to_have_count(1)

    tomorrow = there + timedelta(hours=20)
    lab.board.show(warning | {"deadline": tomorrow.isoformat()})
    come_back(page)
    expect(toast).to_contain_text(f"at {tomorrow:%a} {tomorrow.day} {tomorrow:%b, %H:%M}.")


def test_time_left_counts_down_in_place(lab: LabContainer, page: Page) -> None:
    open_lab(page, lab)
    soon = now() + timedelta(minutes=12, seconds=4)
    lab.board.show(notice("first", now(), deadline=soon.isoformat()))
    come_back(page)
    expect(toasts(page)).to_contain_text("In 12 minutes")
    page.wait_for_function("soon => Date.now() > soon - 12 * 60 * 1000", arg=milliseconds(soon))
    come_back(page)
    expect(toasts(page)).to_contain_text("In 11 minutes")
    lab.board.show(notice("first", now(), deadline=now().isoformat()))
    come_back(page)
    expect(toasts(page)).to_contain_text("At any moment now.")
    expect(toasts(page)).to_have_count(1)
    expect(toasts(page).get_by_role("alert")).to_have_attribute("aria-live", "off")


def test_time_left_is_right_where_the_clock_of_the_laptop_is_wrong(
    lab: LabContainer, page: Page
) -> None:
    page.clock.install(time=now() - timedelta(hours=3))
    lab.board.show(notice("first", now()))
    open_lab(page, lab)
    expect(toasts(page)).to_contain_text("In 12 minutes")


def test_keep_it_running_asks_for_it_and_says_until_when(lab: LabContainer, page: Page) -> None:
    lab.board.show(notice("first", now()))
    open_lab(page, lab)
    toasts(page).get_by_role("button", name="Keep it running").click()
    expect(page.get_by_text("Your server is kept running, until")).to_be_visible()
    assert lab.run(f"find {KEEP_FILE} -mmin -1") == KEEP_FILE
    expect(toasts(page)).to_have_count(1)
    expect(toasts(page).get_by_role("button", name="Keep it running")).to_have_count(0)
    lab.board.show()
    come_back(page)
    expect(toasts(page)).to_have_count(0)


def test_toast_says_why_it_cannot_be_kept(lab: LabContainer, page: Page) -> None:
    lab.board.show(notice("first", now()))
    open_lab(page, lab)
    expect(toasts(page)).to_have_count(1)
    lab.run(f"mkdir {KEEP_FILE}")
    toasts(page).get_by_role("button", name="Keep it running").click()
    expect(toasts(page)).to_contain_text(f"The file {KEEP_FILE}")
    expect(toasts(page)).to_contain_text("In 12 minutes")
    lab.run(f"rmdir {KEEP_FILE}")
    toasts(page).get_by_role("button", name="Keep it running").click()
    expect(page.get_by_text("Your server is kept running, until")).to_be_visible()


def test_final_warning_looks_different_and_may_offer_nothing(lab: LabContainer, page: Page) -> None:
    lab.board.show(
        notice("first", now()), notice("last", now(), kind="final_warning", keep_until=None)
    )
    open_lab(page, lab)
    expect(toasts(page)).to_have_count(2)
    expect(page.locator(".Toastify__toast--warning")).to_have_count(1)
    last = page.locator(".Toastify__toast--error")
    expect(last).to_have_count(1)
    expect(last.get_by_role("button", name="Keep it running")).to_have_count(0)


def test_what_was_put_away_does_not_come_back(lab: LabContainer, page: Page) -> None:
    lab.board.show(notice("first", now()))
    open_lab(page, lab)
    toasts(page).get_by_title("Hide notification").click()
    expect(toasts(page)).to_have_count(0)
    lab.board.show(notice("first", now(), deadline=now().isoformat()))
    come_back(page)
    listed = page.locator(".jp-Notification-List-Item")
    page.get_by_title("1 notification").click()
    expect(listed).to_contain_text("At any moment now.")
    page.reload()
    page.get_by_title("1 notification").wait_for()
    come_back(page)
    expect(toasts(page)).to_have_count(0)


def test_notices_that_are_markup_are_shown_as_they_are(lab: LabContainer, page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)> [a](javascript:alert(1))"
    lab.board.show(notice("first", now(), title=hostile, text=hostile * 9))
    open_lab(page, lab)
    expect(toasts(page)).to_contain_text(hostile)
    toasts(page).get_by_role("button", name="Details").click()
    expect(page.get_by_role("dialog")).to_contain_text(hostile)
    assert page.locator("img[src=x]").count() == 0


def test_asks_only_while_somebody_looks_and_nobody_else(lab: LabContainer, page: Page) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        assert request.url.startswith((lab.url, "data:", "blob:")), request.url
        if "ds01/notices" in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.clock.install()
    open_lab(page, lab)
    if not asked:
        page.wait_for_event("request", lambda request: "ds01/notices" in request.url)
    with page.expect_response("**/ds01/notices*"):
        page.clock.fast_forward(POLL_MS + 1_000)
    look(page, "hidden")
    before = len(asked)
    for _ in range(2):
        page.clock.fast_forward(POLL_MS + 1_000)
        page.wait_for_timeout(300)
    assert len(asked) == before
    lab.board.show(notice("first", now()))
    look(page, "visible")
    expect(toasts(page)).to_have_count(1, timeout=2_000)
    assert len(asked) == before + 1


def test_toast_can_be_read_in_the_dark_theme(lab: LabContainer, page: Page) -> None:
    settings = "~/.jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    theme = '{"theme": "JupyterLab Dark"}'
    lab.run(f"mkdir -p {settings}; echo '{theme}' > {settings}/themes.jupyterlab-settings")
    lab.board.show(notice("first", now()))
    open_lab(page, lab)
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    brightness = "e => getComputedStyle(e)[{}].match(/\\d+/g).slice(0, 3).map(Number)"
    message = toasts(page).locator(".jp-toast-message")
    text = message.evaluate(brightness.replace("{}", "'color'"))
    paper = toasts(page).evaluate(brightness.replace("{}", "'backgroundColor'"))
    assert min(text) - max(paper) > 120, (text, paper)


def test_lab_without_notifications_is_left_alone(page: Page) -> None:
    page.goto("about:blank")
    page.add_script_tag(path=EXTENSION / "static/remoteEntry.js")
    fake = """async () => {
        const remote = window._JUPYTERLAB['ds01-notices'];
        const share = module => ({'4.0.0': {get: async () => () => module}});
        for (const scope of [{}, {'@jupyterlab/apputils': share({}),
                '@jupyterlab/services': share({}), '@lumino/widgets': share({})}]) {
            await remote.init(scope);
            const {default: plugin} = (await remote.get('./extension'))();
            await plugin.activate({restored: Promise.resolve()});
        }
        return 'nothing happened';
    }"""
    assert page.evaluate(fake) == "nothing happened"


def test_terminal_begins_with_the_notice(lab: LabContainer, page: Page) -> None:
    settings = "~/.jupyter/lab/user-settings/@jupyterlab/terminal-extension"
    spoken = '{"screenReaderMode": true}'
    lab.run(f"mkdir -p {settings}; echo '{spoken}' > {settings}/plugin.jupyterlab-settings")
    said = [WARNING, "It is stopped at 14:35.", f"Keep it running: touch ~/{KEEP_FILE}"]
    lab.board.show(text="\n".join(said))
    open_lab(page, lab)
    page.locator(".jp-LauncherCard").filter(has_text="Terminal").first.click()
    terminal = page.locator(".xterm-accessibility-tree")
    for line in said:
        expect(terminal).to_contain_text(line)


def idle_warning(moment: datetime) -> Notice:
    """What the lifecycle tells a student whose server is idle since 96 minutes."""
    begin, end = moment - timedelta(minutes=96), moment + timedelta(minutes=24)
    countdown = Countdown(
        rule=Rule.IDLE,
        bound=Bound(timedelta(hours=2), "idle_timeout"),
        began_at=begin,
        deadline=end,
        valid_from=begin,
        lead=timedelta(minutes=5),
    )
    return warning_notice(
        About("alice", "c1", "jupyter._.alice", "jupyter", Interface.HUB),
        countdown,
        Level.FIRST,
        Limit("idle_timeout", "2h", "group student, resource-limits.yaml line 31"),
        Moment(moment, UTC),
        stops_at=end,
        keep_until=end + timedelta(hours=20),
    )


def test_what_the_platform_writes_is_what_people_see(lab: LabContainer, page: Page) -> None:
    settings = "~/.jupyter/lab/user-settings/@jupyterlab/terminal-extension"
    spoken = '{"screenReaderMode": true}'
    lab.run(f"mkdir -p {settings}; echo '{spoken}' > {settings}/plugin.jupyterlab-settings")
    warning = idle_warning(now())
    lab.board.put("json", notices_json([warning]).encode())
    lab.board.put("txt", banner([warning], UTC).encode())
    open_lab(page, lab)
    toast = toasts(page)
    expect(toast).to_contain_text("Your server stops soon.", timeout=WITHIN_A_POLL)
    expect(toast).to_contain_text("minutes, at ")
    expect(toast.get_by_role("button", name="Keep it running")).to_be_visible()
    picture(page, "toast")
    page.locator(".jp-LauncherCard").filter(has_text="Terminal").first.click()
    terminal = page.locator(".xterm-accessibility-tree")
    expect(terminal).to_contain_text("Your server stops in 24 minutes")
    expect(terminal).to_contain_text("Rule: idle_timeout = 2h")
    picture(page, "terminal-notice")
