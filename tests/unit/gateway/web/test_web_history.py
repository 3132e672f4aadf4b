import csv
import io
import re
from dataclasses import replace

import pytest

from ds01_spawner.operations.usage.report import Reports
from fakes.usage_books import fill
from fakes.web_lab import WebLab, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


@pytest.fixture
def used(lab: WebLab) -> WebLab:
    """A lab that was used for ninety days."""
    parts = lab.api.lab
    fill(parts.ledger, parts.clock.now(), 90)
    reports = Reports(clock=parts.clock, ledger=parts.ledger, source=lambda: "the supplier")
    lab.api.api.platform.reports = reports
    return lab


async def test_a_manager_sees_the_lab(used: WebLab) -> None:
    html = (await used.browser("mia").get("history")).html
    assert "What everybody used" in text_of(section(html, "summary"))
    demand = section(html, "demand")
    assert "all there are now: 4" in text_of(demand)
    assert "held, while nobody looked" in text_of(demand)
    shares = text_of(section(html, "shares"))
    assert "By group" in shares
    assert "carol" in shares
    energy = text_of(section(html, "energy"))
    assert "What a kilowatt-hour emits: the supplier." in energy
    assert "CO2e, kg" in energy
    waits = text_of(section(html, "waits"))
    assert "somebody waited for a GPU" in waits
    assert "gave up waiting" in waits
    assert "waited for" in text_of(demand)


async def test_others_see_what_is_theirs(used: WebLab) -> None:
    html = (await used.browser("alice").get("history?period=year")).html
    said = text_of(html)
    assert "What you used" in said
    assert "You had a GPU for" in said
    assert "Hours with a GPU" in said
    assert "carol" not in html
    assert "By group" not in said
    assert "thesis" in said
    refused = (await used.browser("alice").get("history?user=carol")).html
    assert "carol" not in text_of(section(refused, "demand")).replace("carol?", "")


@pytest.mark.parametrize("period", ["week", "month", "year", "all"])
async def test_each_period_is_a_link_away(used: WebLab, period: str) -> None:
    shown = await used.browser("mia").get(f"history?period={period}")
    assert shown.status == 200
    assert f'history?period={period}" aria-current="true"' in shown.html
    assert shown.html.count("<figure") == 5
    assert shown.html.count("<details") == 5


async def test_the_figures_come_as_a_file(used: WebLab) -> None:
    told = await used.browser("alice").get("history.csv?period=week")
    assert told.headers["Content-Type"].startswith("text/csv")
    assert 'attachment; filename="usage-' in told.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(told.html)))
    assert len(rows) == 7
    assert {"begin", "missing_hours", "gpu_hours", "energy_kwh", "gave_up"} <= set(rows[0])
    assert {row["co2e_source"] for row in rows} == {"the supplier"}
    everybody = await used.browser("mia").get("history.csv?period=week")
    total = sum(float(row["gpu_hours"]) for row in rows)
    assert sum(float(row["gpu_hours"]) for row in csv.DictReader(io.StringIO(everybody.html))) > (
        total
    )
    assert (await used.browser("").get("history.csv")).status == 302
    assert (await used.browser("alice").get("history.csv?user=bob")).status == 403
    assert (await used.browser("alice").get("history.csv?period=decade")).status == 400


async def test_a_lab_that_was_never_used_says_so(lab: WebLab) -> None:
    html = (await lab.browser("mia").get("history")).html
    assert "The books are empty" in text_of(section(html, "summary"))
    assert "Nobody had to wait" in text_of(section(html, "waits"))
    assert "No GPU was used." in text_of(section(html, "shares"))
    assert "You did not use a GPU." in text_of(section((await lab.browser().get()).html, "usage"))


async def test_me_and_people_show_the_last_month(used: WebLab) -> None:
    used.api.server("alice")
    mine = section((await used.browser("alice").get()).html, "usage")
    assert "You had a GPU for" in text_of(mine)
    assert "<svg" in mine
    row = text_of(section((await used.browser("mia").get("people")).html, "list"))
    assert "GPU-hours in 30 days" in row
    assert "alice student 1 running 1 0" not in row


async def test_health_tells_managers_and_more_to_administrators(used: WebLab) -> None:
    shown = (await used.browser("mia").get("health")).html
    assert "Nothing runs on the GPUs." in text_of(section(shown, "attribution"))
    assert "started by the platform" in text_of(section(shown, "unmanaged"))
    assert "slots can be read" in text_of(section(shown, "slots"))
    assert "written down just now" in text_of(section(shown, "books"))
    assert "engine" not in text_of(section(shown, "parts"))
    html = (await used.browser("boss").get("health")).html
    assert "engine works" in text_of(section(html, "parts"))
    assert "exporter not installed" in text_of(section(html, "parts"))
    levels = re.findall(r'class="ds01-level-(\w+)"', html)
    assert "warn" in levels
    assert levels == sorted(levels, key=["fail", "warn", "ok"].index)


async def test_health_tells_at_once_of_a_card_that_is_lost_and_when_it_looked(
    used: WebLab,
) -> None:
    boss = used.browser("boss")
    assert "gpus works" in text_of(section((await boss.get("health")).html, "parts"))
    used.api.lab.probe.present = replace(used.api.lab.probe.present, problems=("GPU 0 is lost.",))
    said = text_of(section((await boss.get("health")).html, "parts"))
    assert "gpus does not GPU 0 is lost." in said
    assert f"As of {used.api.lab.clock.now():%H:%M}:" in said
