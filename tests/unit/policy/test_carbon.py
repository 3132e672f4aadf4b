import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from ds01_spawner.adapters.carbon_files import CarbonFiles
from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.policy.carbon import CarbonConfig, parse_carbon, parse_series
from ds01_spawner.policy.json_schema import render_carbon_schema

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "carbon.yaml"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERIES = "time,grams_per_kwh\n2026-01-31T13:00:00Z,200\n2026-01-31T13:00:00+01:00,300.5\n"


def test_the_shipped_file_says_what_holds_without_one() -> None:
    assert parse_carbon(SHIPPED.read_text(), "carbon.yaml") == CarbonConfig()


def test_the_shipped_schema_is_current_and_accepts_the_shipped_file() -> None:
    shipped = (CONFIG / "carbon.schema.json").read_text()
    assert shipped == render_carbon_schema(), (
        "run: ds01 policy schema carbon > config/carbon.schema.json"
    )
    validator = jsonschema.Draft202012Validator(json.loads(shipped))
    assert validator.is_valid(yaml.safe_load(SHIPPED.read_text()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intensity: 380\n", "source is missing"),
        ("series: grid.csv\n", "source is missing"),
        ("intensity: 9000\nsource: x\n", "at most 5000"),
        ("intensity: -1\nsource: x\n", "-1"),
        ("intensity: much\nsource: x\n", "much"),
        ("source: ''\n", "expected a text"),
        ("grams: 3\n", "unknown key"),
    ],
)
def test_a_fault_is_named(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse_carbon(text, "carbon.yaml")


def test_a_row_of_the_series_holds_until_the_next_and_for_a_day_at_most() -> None:
    series = parse_series(SERIES, "grid.csv")
    assert series.at(NOON - timedelta(seconds=1)) is None
    assert series.at(NOON) == 300.5
    assert series.at(NOON + HOUR) == 200
    assert series.at(NOON + 25 * HOUR) == 200
    assert series.at(NOON + 26 * HOUR) is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "found nothing"),
        ("when,grams\n", 1, "when,grams"),
        ("time,grams_per_kwh\nnoon,3\n", 2, "noon"),
        ("time,grams_per_kwh\n\n2026-01-31T12:00:00Z\n", 3, "2 columns"),
        ("time,grams_per_kwh\n2026-01-31T12:00:00Z,6000\n", 2, "at most"),
        ("time,grams_per_kwh\n2026-01-31T12:00:00,3\n", 2, "in which zone; write 2026-01-31T12"),
        ("time,grams_per_kwh\n2026-01-31,3\n", 2, "in which zone"),
        ("time,grams_per_kwh\n2026-01-31T12:00:00Z,n/a\n", 2, "n/a"),
    ],
)
def test_a_fault_in_the_series_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        parse_series(text, "grid.csv")
    assert caught.value.problems[0].line == line


def test_a_row_without_a_figure_is_no_row() -> None:
    series = parse_series(
        "time,grams_per_kwh\n2026-01-31T12:00:00Z,311\n2026-01-31T13:00:00Z,\n,\n"
        "2026-01-31T14:00:00Z,298\n",
        "grid.csv",
    )
    assert series.grams == (311, 298)
    assert series.at(NOON + HOUR) == 311


def test_a_file_that_a_spreadsheet_saved_is_read() -> None:
    series = parse_series("\ufeff" + SERIES.replace("\n", "\r\n"), "grid.csv")
    assert series.grams == (300.5, 200)


def test_the_mean_of_an_hour_is_known_where_all_of_it_is_told() -> None:
    series = parse_series(
        "time,grams_per_kwh\n2026-01-31T12:00:00Z,100\n2026-01-31T13:30:00Z,300\n", "grid.csv"
    )
    assert series.of_hour(NOON) == 100
    assert series.of_hour(NOON + HOUR) == 200
    assert series.of_hour(NOON + 24 * HOUR) == 300
    assert series.of_hour(NOON - HOUR) is None
    assert series.of_hour(NOON + 25 * HOUR) is None, "half an hour of it is told"


def test_with_a_series_that_is_broken_its_last_figures_count_and_else_the_constant(
    tmp_path: Path,
) -> None:
    config, grid = tmp_path / "carbon.yaml", tmp_path / "grid.csv"
    config.write_text("intensity: 380\nseries: grid.csv\nsource: the grid\n")
    grid.write_text(SERIES.replace("300.5", "x").replace("200", "y"))
    files = CarbonFiles(tmp_path)
    rates = files.rates()
    assert rates.at(NOON) == 380
    assert "grid.csv:2" in rates.notes[0]
    assert rates.notes[0].endswith("and 1 more. The constant in carbon.yaml counts meanwhile.")
    grid.write_text(SERIES)
    rates = files.rates()
    assert (rates.at(NOON), rates.notes) == (300.5, ())
    grid.unlink()
    rates = files.rates()
    assert (rates.at(NOON), rates.at(NOON - HOUR)) == (300.5, 380)
    assert rates.notes[0].endswith(
        "What it said before, else the constant in carbon.yaml counts meanwhile."
    )
    config.write_text("intensity: much\nsource: x\n")
    assert files.rates().at(NOON - HOUR) == 380
    assert len(files.rates().notes) == 2


def test_without_a_constant_a_broken_series_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "carbon.yaml").write_text("series: grid.csv\nsource: the grid\n")
    rates = CarbonFiles(tmp_path).rates()
    assert rates.at(NOON) is None
    assert rates.notes[0].endswith("Nothing is known of emissions meanwhile.")


def test_files_are_read_anew_when_they_change(tmp_path: Path) -> None:
    files = CarbonFiles(tmp_path)
    assert files.intensity()(NOON) is None
    config, series = tmp_path / "carbon.yaml", tmp_path / "grid.csv"
    config.write_text("intensity: 380\nsource: the supplier, 2025\n")
    assert files.intensity()(NOON) == 380
    assert files.config().source == "the supplier, 2025"
    config.write_text("intensity: 380\nseries: grid.csv\nsource: the grid\n")
    with pytest.raises(PolicyError, match=r"grid\.csv"):
        files.intensity()
    series.write_text(SERIES)
    assert files.intensity()(NOON) == 300.5
    assert files.intensity()(NOON - HOUR) == 380
    series.write_text(SERIES.replace("300.5", "123"))
    os.utime(series, ns=(1, 1))
    assert files.intensity()(NOON) == 123
    config.unlink()
    assert files.intensity()(NOON) is None
