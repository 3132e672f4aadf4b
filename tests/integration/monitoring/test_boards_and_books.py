"""What boards say of a day, and what `ds01 usage` says of it: one figure."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from ds01_spawner.domain.usage_report import By, Period, Row
from ds01_spawner.operations.usage.report import Question, Reports
from fakes.exporter_lab import ExporterLab, Scraped
from monitoring import files

HOUR = 3600 * 10**6
STEPS = 288
WHOLE = Holder("carol", "researcher", "", "hub", "full", 1.0)
PART = Holder("carol", "researcher", "", "hub", "2g.10gb", 2 / 7)
ALICE = Holder("alice", "student", "", "hub", "1g.5gb", 1 / 7)
UNTOLD = Amount(
    held_microseconds=4 * HOUR,
    seen_microseconds=4 * HOUR,
    metered_microseconds=4 * HOUR,
    energy_millijoules=4 * 180_000_000,
    rated_millijoules=4 * 180_000_000,
    co2e_micrograms=80_000_000,
)
TOLD = Amount(
    held_microseconds=5 * HOUR,
    seen_microseconds=4 * HOUR,  # for an hour nobody looked
    measured_microseconds=4 * HOUR,
    busy_microseconds=3 * HOUR,
    metered_microseconds=4 * HOUR,
    energy_millijoules=4 * 720_000_000,
    rated_millijoules=4 * 720_000_000,
    co2e_micrograms=320_000_000,
)


def series(begin: Scraped, end: Scraped) -> list[dict[str, str]]:
    """Both scrapes and a straight line between them, over a day."""
    found = []
    for metric, rows in end._values.items():
        if not metric.startswith("ds01_user_gpu_") or not metric.endswith("_total"):
            continue
        for key, last in rows.items():
            first = begin._values[metric].get(key, 0.0)
            labels = ", ".join(f'{name}="{value}"' for name, value in key)
            name = f'{metric}{{instance="gpu-server", {labels}}}'
            found.append({"series": name, "values": f"{first}+{(last - first) / STEPS}x{STEPS}"})
    return found


def expression(board: str, title: str) -> str:
    values = {"server": "gpu-server"}
    (found,) = (
        target["expr"]
        for panel in files.boards()[board]["panels"]
        if panel["title"] == title
        for target in panel["targets"]
    )
    names = ["server", "user", "group"]
    return files.filled_in(str(found).replace("$__range", "24h"), names, values)


@pytest.fixture(scope="module")
def day() -> tuple[list[dict[str, str]], dict[str, Row], Row]:
    """A day as Prometheus has it, and as the books have it by person and in all."""
    lab = ExporterLab()
    begin = lab.lab.clock.now()

    def book(amounts: dict[Holder, Amount]) -> None:
        with lab.ledger.transaction() as transaction:
            now = lab.lab.clock.now()
            bookings = [Booking(holder, now, amount) for holder, amount in amounts.items()]
            transaction.book_usage(Grain.HOUR, bookings)

    book({WHOLE: TOLD})
    before = lab.scrape()
    lab.lab.clock.advance(timedelta(days=1))
    lab.seconds += 600
    book({WHOLE: TOLD, PART: UNTOLD, ALICE: UNTOLD})
    lab.scrape()
    after = lab.scrape()
    question = Question(By.USER, Period.WEEK, since=begin + timedelta(days=1))
    report = Reports(clock=lab.lab.clock, ledger=lab.ledger).report(question)
    return series(before, after), {row.name: row for row in report.rows}, report.total


def check(tmp_path: Path, rows: list[dict[str, str]], asked: dict[str, dict[str, float]]) -> None:
    """Let promtool ask each expression at the end of the day."""
    samples = [
        {
            "expr": f"round({text}, 1e-6)",
            "eval_time": "24h",
            "exp_samples": [
                {"labels": labels, "value": round(value, 6)} for labels, value in expected.items()
            ],
        }
        for text, expected in asked.items()
    ]
    case = {
        "rule_files": [str(files.PROMETHEUS / "rules" / "figures.yaml")],
        "evaluation_interval": "5m",
        "tests": [{"interval": "5m", "input_series": rows, "promql_expr_test": samples}],
    }
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(case), encoding="utf-8")
    done = subprocess.run(
        ("promtool", "test", "rules", str(path)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_boards_say_of_a_day_what_the_books_say(
    day: tuple[list[dict[str, str]], dict[str, Row], Row], tmp_path: Path
) -> None:
    rows, people, everything = day
    alice, carol = people["alice"], people["carol"]
    assert carol.efficiency == 0.75
    assert alice.efficiency is None
    assert everything.co2e_kg == 0.48
    share = expression("person", "Share that was busy")
    held = expression("person", "GPU-hours held")
    emitted = expression("energy", "Emissions in the time shown")
    energy = expression("energy", "Energy by person")
    both = {'{user="alice"}': alice, '{user="carol"}': carol}
    check(
        tmp_path,
        rows,
        {
            share: {'{user="carol"}': carol.efficiency},
            held: {who: row.gpu_hours for who, row in both.items()},
            energy: {who: row.energy_kwh or 0.0 for who, row in both.items()},
            emitted: {"{}": 1000 * everything.co2e_kg},
        },
    )


def test_energy_of_a_busy_hour_is_of_slots_that_tell_both(
    day: tuple[list[dict[str, str]], dict[str, Row], Row], tmp_path: Path
) -> None:
    text = expression("energy", "Energy of a busy GPU-hour")
    check(tmp_path, day[0], {text: {'{user="carol"}': 4 * 0.2 / 3}})
