"""`carbon.yaml` with its time series, as reports, graphs and pages tell it."""

from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.carbon_files import CarbonFiles
from ds01_spawner.domain.gpu import CardPower
from ds01_spawner.domain.usage import Grain
from ds01_spawner.domain.usage_report import By, Period
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.operations.usage.report import Question, Reports
from fakes.clock import FakeClock
from fakes.lab import Lab

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
QUESTION = Question(By.USER, Period.WEEK)


def test_each_day_emits_what_the_series_says_of_it_and_later_what_the_file_says(
    tmp_path: Path,
) -> None:
    lab = Lab(clock=FakeClock())
    today = Grain.DAY.begin_of(lab.clock.now())
    lab.clock.advance(today + DAY / 2 - lab.clock.now())
    rows = [f"{today.isoformat()},100", f"{(today + DAY).isoformat()},300"]
    (tmp_path / "grid.csv").write_text("\n".join(["time,grams_per_kwh", *rows]) + "\n")
    (tmp_path / "carbon.yaml").write_text("intensity: 50\nseries: grid.csv\nsource: the grid\n")
    carbon = CarbonFiles(tmp_path)
    books = Books(
        ledger=lab.ledger,
        events=lab.events,
        probe=lab.probe,
        instance="here",
        rates=carbon.rates,
    )
    lab.run("alice")
    slot = next(use.slot for use in lab.admission.current().occupancy.of("alice"))
    lab.probe.watts[slot.gpu_uuid] = CardPower(100.0)

    def minutes(count: int) -> None:
        for _ in range(count):
            lab.clock.advance(MINUTE)
            books.keep(lab.admission.current().snapshot)

    minutes(9)
    lab.clock.advance(DAY)  # nobody looks
    minutes(9)
    lab.clock.advance(DAY)  # and what the series says last holds for a day alone
    minutes(9)
    reports = Reports(clock=lab.clock, ledger=lab.ledger, source=lambda: carbon.config().source)
    found = reports.series(QUESTION)
    energy = {each.begin: each.used.energy_kwh or 0.0 for each in found.parts}
    grams = {each.begin: (each.used.co2e_kg or 0.0) * 1000 for each in found.parts}
    for day, expected in ((today, 100), (today + DAY, 300), (today + 2 * DAY, 50)):
        assert energy[day] > 0
        assert grams[day] == pytest.approx(energy[day] * expected, rel=1e-3)
    assert found.source == "the grid"
    total = reports.report(QUESTION).total
    assert total.co2e_kg == pytest.approx(sum(grams.values()) / 1000)


@pytest.mark.parametrize("restarted", [False, True])
def test_figures_that_come_later_count_for_the_hours_that_they_are_of(
    tmp_path: Path, restarted: bool
) -> None:
    lab = Lab(clock=FakeClock())
    noon = Grain.DAY.begin_of(lab.clock.now()) + DAY / 2
    lab.clock.advance(noon - lab.clock.now())
    grid = tmp_path / "grid.csv"
    grid.write_text("time,grams_per_kwh\n")
    (tmp_path / "carbon.yaml").write_text("intensity: 50\nseries: grid.csv\nsource: the grid\n")

    def begun() -> Books:
        return Books(
            ledger=lab.ledger,
            events=lab.events,
            probe=lab.probe,
            instance="here",
            rates=CarbonFiles(tmp_path).rates,
        )

    books = begun()
    lab.run("alice")
    slot = next(use.slot for use in lab.admission.current().occupancy.of("alice"))
    lab.probe.watts[slot.gpu_uuid] = CardPower(100.0)
    for _ in range(120):
        lab.clock.advance(MINUTE)
        books.keep(lab.admission.current().snapshot)

    def grams() -> list[float]:
        reports = Reports(clock=lab.clock, ledger=lab.ledger)
        total = reports.report(QUESTION).total
        return [total.energy_kwh or 0.0, (total.co2e_kg or 0.0) * 1000]

    energy, emitted = grams()
    assert emitted == pytest.approx(energy * 50, rel=1e-3)
    rows = [f"{(noon + hour * DAY / 24).isoformat()},{100 * (hour + 1)}" for hour in range(3)]
    grid.write_text("\n".join(["time,grams_per_kwh", *rows]) + "\n")
    if restarted:
        books = begun()
    for _ in range(40):  # hours are looked at some at a time
        books.keep(lab.admission.current().snapshot)
    assert grams() == [energy, pytest.approx(energy * 150, rel=1e-3)]
