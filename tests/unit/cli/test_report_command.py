"""`ds01 admin report`."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ds01_cli.admin.report import month_of
from ds01_cli.frame import printing
from ds01_cli.main import run
from ds01_spawner.client import models as m
from ds01_spawner.operations.usage.report import Reports
from fakes.api_app import NOW, FakeApi, usage_row
from fakes.api_house import House
from fakes.calls import ROOT
from fakes.program import said
from fakes.usage_books import fill

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]
LATER = timedelta(days=10)


class Page(HTMLParser):
    """What a page is made of, and what it says."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data} "


@pytest.fixture
def lab(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Three months of books; a manager types, some weeks into the next month."""
    monkeypatch.chdir(tmp_path)
    parts = house.lab
    parts.clock.advance(LATER)
    fill(parts.ledger, parts.clock.now(), 90)
    reports = Reports(clock=parts.clock, ledger=parts.ledger, source=lambda: "the <supplier>")
    house.api.api.platform.reports = reports
    monkeypatch.setattr(printing, "now", parts.clock.now)
    house.asks(ROOT)
    return house


def test_the_last_whole_month_is_one_file(lab: House) -> None:
    month = f"{month_of('', lab.lab.clock.now())[0]:%Y-%m}"
    path = Path(f"usage-{month}.html")
    assert said("admin report").startswith(f"{path}: written.")
    html = path.read_text("utf-8")
    page = Page(html)
    assert page.open == []
    assert page.tags.count("figure") == 5
    assert page.tags.count("h1") == 1
    for words in (
        "By group",
        "By project",
        "By person",
        "carol",
        "together",
        "the <supplier>",
        "did not look",
        "GPUs that mostly waited",
        "as whole GPUs",
    ):
        assert words in page.text, words
    for other in ("src=", "href=", "url(http", "@import", "<script"):
        assert other not in html, other


def test_a_month_without_anything_is_reported_too(lab: House) -> None:
    assert lab
    html = said("admin report", "--month", "2020-02", "-o", "-")
    page = Page(html)
    assert "No GPU was used in this month" in page.text
    assert "is not known" in page.text
    assert html.count("ds01-chart-gap") >= 29
    assert "2020-02-01 to 2020-02-29" in page.text


def test_a_month_that_lasts_ends_now(lab: House) -> None:
    now = lab.lab.clock.now()
    page = Page(said("admin report", "--month", f"{now:%Y-%m}", "-o", "-"))
    assert "The month is not over." in page.text
    assert f"to {now:%Y-%m-%d}" in page.text


def test_who_held_gpus_that_mostly_waited_is_named_politely(api: FakeApi) -> None:
    api.role = m.Role.MANAGER
    measured = {"gpu_hours": 40.0, "measured_hours": 40.0}
    rows = (
        usage_row("bob", **measured, busy_hours=4.0, efficiency=0.1),
        usage_row("<carol>", **measured, busy_hours=1.0, efficiency=0.025),
        usage_row("dave", **measured, busy_hours=36.0, efficiency=0.9),
        usage_row("erin", gpu_hours=2.0, measured_hours=2.0, busy_hours=0.0, efficiency=0.0),
    )
    usual = m.UsageReport(
        taken_at=NOW,
        begin=NOW,
        end=NOW,
        by="user",
        user=None,
        rows=rows,
        total=rows[0],
        co2e_source=None,
    )
    api.answers["getUsage"] = lambda asked: usual.model_copy(update={"by": asked.query.by})
    text = Page(said("admin report", "--month", "2026-01", "-o", "-")).text
    idle = text[text.index("GPUs that mostly waited") : text.index("How to read this")]
    assert "often a good reason" in idle
    assert idle.index("<carol>: for 39 of 40 hours") < idle.index("bob: for 36 of 40 hours")
    assert "dave" not in idle
    assert "erin" not in idle


def test_a_file_that_is_there_stays(lab: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab
    Path("mine.html").write_text("mine", "utf-8")
    assert run(["admin", "report", "-o", "mine.html"]) == 1
    assert "--force" in capsys.readouterr().err
    assert Path("mine.html").read_text("utf-8") == "mine"
    assert run(["admin", "report", "-o", "mine.html", "--force"]) == 0
    assert "<main>" in Path("mine.html").read_text("utf-8")
    assert [each.name for each in Path().glob("*mine*")] == ["mine.html"]


def test_it_is_about_everybody_and_for_managers(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api.role is m.Role.STUDENT
    assert run(["admin", "report"]) == 3
    assert "ds01 usage --month" in capsys.readouterr().err
    assert api.operations() == ["getMe"]


@pytest.mark.parametrize("text", ["2026-13", "October", "2026", "0000-01", "2030-01"])
def test_what_is_no_month_is_wrong_usage(api: FakeApi, text: str) -> None:
    assert run(["admin", "report", "--month", text]) == 2
    assert api.operations() == []


def test_the_last_month_of_a_year_is_the_one_before() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    assert month_of("", now) == (
        datetime(2025, 12, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
