import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from ds01_cli.main import run
from ds01_spawner.client import models as m
from fakes.api_app import NOW, FakeApi, usage_row
from fakes.program import said, told

KNOWN = {
    "gpu_hours": 30.0,
    "equivalent_hours": 7.5,
    "busy_hours": 3.0,
    "measured_hours": 10.0,
    "efficiency": 0.3,
    "unseen_hours": 1.5,
    "energy_kwh": 4.256,
    "metered_hours": 28.5,
    "co2e_kg": 1.5,
    "grants": 9,
    "waits": 2,
    "mean_wait_seconds": 90.0,
    "longest_wait_seconds": 120.0,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    found = FakeApi()
    monkeypatch.setattr("ds01_cli.frame.session.connect", found.connect)
    return found


def answers(*rows: m.UsageRow, **facts: Any) -> Callable[[Any], m.UsageReport]:
    def report(asked: Any) -> m.UsageReport:
        usual: dict[str, Any] = {
            "taken_at": NOW,
            "begin": NOW.replace(hour=0),
            "end": NOW,
            "by": asked.query.by or "user",
            "user": None,
            "rows": rows,
            "total": usage_row("", **KNOWN),
            "co2e_source": "the supplier, 2025",
        }
        return m.UsageReport(**{**usual, **facts})

    return report


def test_what_nobody_told_has_no_column(api: FakeApi) -> None:
    assert api.user == "alice"
    text = said("usage", width=100)
    assert text.splitlines()[0] == "alice, from 2026-01-31 to 2026-01-31 12:00 UTC"
    assert "GPU-HOURS  AS WHOLE GPUS" in text
    for head in ("BUSY", "WAITED", "ENERGY", "CO2E", "together"):
        assert head not in text


def test_every_figure_that_is_known_is_shown(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = usage_row("bob", **KNOWN), usage_row("")
    api.answers["getUsage"] = answers(*rows, notes=("For 1.5 GPU-hours nobody looked.",))
    assert run(["usage", "--group", "--month"]) == 0
    shown = capsys.readouterr()
    assert api.asked[-1].query.by == "group"
    assert api.asked[-1].query.period == "month"
    lines = shown.out.splitlines()
    assert lines[0].startswith("everybody, from ")
    assert lines[1].split()[0] == "GROUP"
    assert lines[2].split() == [
        "bob",
        "30.0",
        "7.5",
        "30",
        "%",
        "2",
        "x",
        "2",
        "min",
        "4.3",
        "kWh",
        "1.5",
        "kg",
    ]
    assert lines[3].split() == ["no", "group", "2.0", "0.5"]
    assert lines[4].split()[:3] == ["together", "30.0", "7.5"]
    assert "nobody looked" in shown.err
    assert "10 hours of 30 hours with a GPU" in shown.err
    assert "CO2e by the supplier, 2025" in shown.err


def test_short_use_is_no_zero(api: FakeApi) -> None:
    row = usage_row("bob", gpu_hours=0.05, equivalent_hours=0.007, energy_kwh=0.0042, co2e_kg=0.001)
    api.answers["getUsage"] = answers(row)
    shown = " ".join(said("usage", width=120).split())
    assert "3 min 25 s" in shown
    assert "4.2 Wh 1 g" in shown


def test_it_is_said_why_nobody_knows_how_busy_they_were(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["getUsage"] = answers(usage_row("bob"), total=usage_row(""))
    assert run(["usage"]) == 0
    shown = capsys.readouterr()
    assert "BUSY" not in shown.out
    assert "is not known: parts of a GPU do not tell." in shown.err


def test_who_waited_and_gave_up_is_told_apart(api: FakeApi) -> None:
    row = usage_row("bob", gave_up=3, mean_gave_up_seconds=7200.0)
    api.answers["getUsage"] = answers(row)
    text = said("usage", width=120)
    assert "GAVE UP" in text
    assert "WAITED" not in text
    assert "3 x 2.0 h" in text


def test_programs_get_the_report(api: FakeApi) -> None:
    api.answers["getUsage"] = answers(usage_row("bob", **KNOWN))
    found = told("usage", "--all")
    assert found["rows"][0]["name"] == "bob"
    assert found["total"]["longest_wait_seconds"] == 120.0
    assert api.asked[-1].query.period == "all"


def test_spreadsheets_get_a_row_for_each_and_no_formula(api: FakeApi) -> None:
    api.answers["getUsage"] = answers(usage_row("bob", **KNOWN), usage_row("=1+1"))
    rows = list(csv.reader(io.StringIO(said("usage", "--csv", "--project", "--year"))))
    assert rows[0][:3] == ["project", "gpu_hours", "equivalent_hours"]
    assert rows[1][:3] == ["bob", "30.0", "7.5"]
    assert rows[2][0] == "'=1+1"
    assert rows[2][rows[0].index("busy_hours")] == ""
    assert rows[0][-3:] == ["begin", "end", "co2e_source"]
    assert {tuple(row[-3:]) for row in rows[1:]} == {
        ("2026-01-31T00:00:00+00:00", "2026-01-31T12:00:00+00:00", "the supplier, 2025")
    }
    assert [row[0] for row in rows[1:]] == ["bob", "'=1+1", "(total)"]
    assert rows[3][1] == "30.0", "of all rows"


def test_managers_may_name_somebody(api: FakeApi) -> None:
    said("usage", "--of", "bob", "--week")
    assert api.asked[-1].query.user == "bob"


def test_nothing_was_used(api: FakeApi) -> None:
    api.answers["getUsage"] = answers(total=usage_row("", gpu_hours=0.0), co2e_source=None)
    assert said("usage").endswith("No GPU was used.\n")


@pytest.mark.parametrize(
    "flags", ["--user --group", "--week --all", "--json --csv", "--project=thesis"]
)
def test_flags_that_do_not_go_together_are_a_wrong_usage(api: FakeApi, flags: str) -> None:
    assert run(["usage", *flags.split()]) == 2
    assert api.asked == []
