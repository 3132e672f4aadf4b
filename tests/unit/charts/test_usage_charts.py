from typing import Any

import pytest

from ds01_spawner.charts import usage as charts
from ds01_spawner.charts.picture import drawn
from ds01_spawner.charts.timeline import is_gap
from ds01_spawner.client import models as m
from fakes.api_app import usage_row, usage_series


def series(*rows: m.UsageRow, **facts: Any) -> m.UsageSeries:
    return usage_series("alice", rows, **facts)


def without_books(found: m.UsageSeries, place: int, hours: float = 24.0) -> m.UsageSeries:
    steps = list(found.steps)
    steps[place] = steps[place].model_copy(update={"missing_hours": hours})
    return found.model_copy(update={"steps": tuple(steps)})


NOTHING = usage_row("", gpu_hours=0.0, equivalent_hours=0.0, grants=0)


def test_demand_is_what_was_held_on_average_in_whole_gpus() -> None:
    found = charts.demand(series(usage_row("", gpu_hours=48.0, equivalent_hours=12.0)), 4.0)
    (held,) = found.bars
    assert held.values == [0.5]
    assert found.line == ("all there are now", 4.0)


def test_what_was_waited_for_stands_on_what_was_held() -> None:
    waited = {"gave_up": 2, "mean_gave_up_seconds": 3600.0, "queued_equivalent_hours": 6.0}
    row = usage_row("", gpu_hours=48.0, equivalent_hours=12.0, **waited)
    total = row.model_copy(update={"name": ""})
    found = series(row, total=total)
    held, wanted = charts.demand(found, 4.0).bars
    assert (held.values, wanted.values, wanted.name) == ([0.5], [0.25], "waited for")
    words = charts.demand(found, 4.0).words
    assert words.endswith("GPUs were held, at most 0.5. 0.25 more were waited for.")
    waits = charts.waits(found)
    assert waits.words == "0 waits. You gave up waiting 2 times, after 60 min on average."
    assert (waits.columns[-1].name, waits.columns[-1].cells) == ("gave up", ["2"])
    picture = drawn(charts.demand(found, 4.0))
    assert 'class="ds01-chart-3"' in picture, "not the colour of the line"


def test_what_was_held_while_nobody_looked_is_told_apart() -> None:
    row = usage_row("", gpu_hours=48.0, equivalent_hours=48.0, unseen_hours=12.0)
    held, dark = charts.demand(series(row), None).bars
    assert (held.values, dark.values, dark.hatched) == ([1.5], [0.5], True)


def test_a_day_without_books_is_a_gap_in_every_graph() -> None:
    found = without_books(series(NOTHING, NOTHING), 0)
    for make in (
        lambda each: charts.demand(each, 1.0),
        charts.hours,
        charts.waits,
        charts.energy,
        charts.emissions,
    ):
        (bars,) = make(found).bars
        assert list(bars.values) == [None, 0.0], make


def test_half_a_day_of_books_is_averaged_over_that_half() -> None:
    row = usage_row("", gpu_hours=6.0, equivalent_hours=6.0)
    (held,) = charts.demand(without_books(series(row), 0, 12.0), None).bars
    assert held.values == [0.5]
    (held,) = charts.demand(without_books(series(row), 0, 13.0), None).bars
    assert held.values == [None]


def test_how_busy_what_nobody_held_was_is_no_gap() -> None:
    found = charts.busy(without_books(series(NOTHING, NOTHING, usage_row("")), 1))
    assert [is_gap(found, place) for place in range(3)] == [False, True, True]
    assert "<td>nothing</td>" in drawn(found)


def test_use_whose_energy_nobody_told_is_no_use_without_energy() -> None:
    (bars,) = charts.energy(series(usage_row(""), NOTHING)).bars
    assert list(bars.values) == [None, 0.0]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"gpu_hours": 0.0}, ["You did not use a GPU."]),
        (
            {"gpu_hours": 12.5},
            ["You had a GPU for 12.5 hours.", "How busy it was is not known"],
        ),
        (
            {"gpu_hours": 0.5, "efficiency": 0.456, "waits": 1, "mean_wait_seconds": 400.0},
            ["for 30 minutes.", "computed for 46 % of that time", "waited once, 7 min"],
        ),
        (
            {"energy_kwh": 2.0, "co2e_kg": 0.76},
            ["You had a GPU for 2 hours.", "It took 2 kWh, which emitted 0.76 kg CO2e."],
        ),
    ],
)
def test_what_somebody_used_is_said_in_their_words(facts: dict[str, Any], words: list[str]) -> None:
    said = " ".join(charts.own_words(usage_row("alice", **facts)))
    for each in words:
        assert each in said


def test_who_gave_up_is_said_so() -> None:
    once = usage_row("", gpu_hours=0.0, gave_up=1, mean_gave_up_seconds=90.0)
    assert charts.own_words(once) == (
        "You did not use a GPU.",
        "You gave up waiting once, after 2 min.",
    )
    assert charts.gave_up_words(once) == "Somebody gave up waiting once, after 2 min."
    assert charts.gave_up_words(NOTHING) == ""


def test_who_says_what_electricity_emits_is_named() -> None:
    assert "Nobody said" in charts.source_words(series(NOTHING))
    assert "our supplier" in charts.source_words(series(NOTHING, co2e_source="our supplier"))
