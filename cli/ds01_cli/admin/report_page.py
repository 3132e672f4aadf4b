"""A month of the lab as a page that needs no other file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from ds01_spawner.charts import amounts
from ds01_spawner.charts import usage as charts
from ds01_spawner.charts.picture import drawn
from ds01_spawner.charts.scale import figure
from ds01_spawner.charts.timeline import Timeline
from ds01_spawner.client import models as m
from ds01_spawner.domain.wording import gpu_time, percent

IDLE_HOURS = 5.0
IDLE_SHARE = 0.5
"""Who is named held GPUs that long without computing, and mostly so."""

MOST_ROWS = 100
MOST_NAMED = 5

_UNKNOWN = "not known"
_NAMELESS = {"group": "no group", "project": "no project", "user": "nobody"}
_HEADS = (
    "GPU-hours",
    "As whole GPUs",
    "Busy",
    "Given",
    "Waits",
    "Mean wait",
    "Gave up",
    "Energy",
    "CO2e",
)
_LOOK = Path(__file__).with_name("report.css")


@dataclass(frozen=True, slots=True)
class Month:
    """What is reported.

    Attributes:
        begin: Of the month.
        end: Of it.
        series: Day by day.
        groups: The same by group.
        projects: By project.
        people: By person.
        gpus: What there is to be held, now.
    """

    begin: datetime
    end: datetime
    series: m.UsageSeries
    groups: m.UsageReport
    projects: m.UsageReport
    people: m.UsageReport
    gpus: m.Gpus


def page(month: Month) -> str:
    """The whole file."""
    title = f"GPU usage in {month.begin:%B %Y}"
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            f'<p class="quiet">{_days(month)}</p>',
            *_summary(month.series),
            *_graphs(month),
            *_gaps(month.series),
            *_past(month.people.total),
            *_tables(month),
            *_idle(month.people),
            *_explained(month.series),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{title} · DS01</title>\n<style>\n{_LOOK.read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _days(month: Month) -> str:
    taken = month.series.taken_at
    until = min(month.end, taken)
    last = until - timedelta(seconds=1)
    so_far = "" if until == month.end else " The month is not over."
    return (
        f"{month.begin:%Y-%m-%d} to {last:%Y-%m-%d}, days of UTC. Written {taken:%Y-%m-%d %H:%M}"
        f" UTC.{so_far}"
    )


def _summary(series: m.UsageSeries) -> Iterable[str]:
    total = series.total
    sums = [
        (amounts.hours(total.gpu_hours), "GPU-hours held"),
        (amounts.hours(total.equivalent_hours), "the same as whole GPUs"),
        (_share(total.efficiency), "busy while held"),
        (f"{total.waits} of {total.grants}", "times a GPU was waited for"),
        (_amount(total.energy_kwh, amounts.energy), "energy"),
        (_amount(total.co2e_kg, amounts.emitted), "CO2e"),
    ]
    items = "".join(f"<li><strong>{escape(what)}</strong>{words}</li>" for what, words in sums)
    yield f'<ul class="sums">{items}</ul>'
    if not total.gpu_hours:
        yield "<p>No GPU was used in this month, as far as the books tell.</p>"


def _graphs(month: Month) -> Iterable[str]:
    series, total = month.series, month.series.total
    shares = [each.equivalents for each in month.gpus.slots]
    known = [each for each in shares if each is not None]
    capacity = sum(known) if known and len(known) == len(shares) else None
    yield from _section("Demand", charts.demand(series, capacity), charts.busy(series))
    yield from _section("Waits", charts.waits(series))
    if total.mean_wait_seconds is not None:
        mean, longest = total.mean_wait_seconds, total.longest_wait_seconds or 0.0
        yield (
            f"<p>Those who waited did so for {charts.duration(mean)} on average and "
            f"{charts.duration(longest)} at most.</p>"
        )
    if gave_up := charts.gave_up_words(total):
        yield f"<p>{gave_up}</p>"
    emitted = [charts.emissions(series)] if total.co2e_kg is not None else []
    yield from _section("Energy", charts.energy(series), *emitted)
    yield f'<p class="quiet">{escape(charts.source_words(series))}</p>'


def _section(title: str, *graphs: Timeline) -> Iterable[str]:
    yield f"<h2>{title}</h2>"
    yield f'<div class="graphs">{"".join(map(drawn, graphs))}</div>'


def _gaps(series: m.UsageSeries) -> Iterable[str]:
    yield "<h2>What is not known</h2>"
    if not series.notes:
        yield "<p>Nothing is missing: the books were kept all the time.</p>"
    for note in series.notes:
        yield f'<p class="note">{escape(note)}</p>'


def _past(total: m.UsageRow) -> Iterable[str]:
    """What was used past the platform; nothing where nothing was."""
    if total.unmanaged_hours:
        yield "<h2>Past the platform</h2>"
        yield (
            f"<p>GPUs were held for {gpu_time(total.unmanaged_hours)} of "
            f"{gpu_time(total.gpu_hours)} by containers that were started past the platform: "
            "nobody stood in a queue for these, and no limit held them. They are in all figures."
            "</p>"
        )


def _tables(month: Month) -> Iterable[str]:
    reports = (("Group", month.groups), ("Project", month.projects), ("Person", month.people))
    for title, report in reports:
        yield f"<h2>By {title.lower()}</h2>"
        if report.rows:
            yield _table(title, report)
        else:
            yield "<p>Nothing was used.</p>"


def _table(title: str, report: m.UsageReport) -> str:
    heads = "".join(f'<th scope="col">{each}</th>' for each in (title, *_HEADS))
    rows = "".join(
        _row(each.name or _NAMELESS[report.by], each) for each in report.rows[:MOST_ROWS]
    )
    left = len(report.rows) - MOST_ROWS
    caption = f"The first {MOST_ROWS}; {left} more used less." if left > 0 else "Most used first."
    return (
        f'<div class="wide"><table><caption>{caption}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody><tfoot>{_row('together', report.total)}</tfoot></table></div>"
    )


def _row(name: str, row: m.UsageRow) -> str:
    mean = row.mean_wait_seconds
    cells: Sequence[str] = (
        amounts.hours(row.gpu_hours),
        amounts.hours(row.equivalent_hours),
        _share(row.efficiency),
        str(row.grants),
        str(row.waits),
        "" if mean is None else charts.duration(mean),
        str(row.gave_up),
        _amount(row.energy_kwh, amounts.energy),
        _amount(row.co2e_kg, amounts.emitted),
    )
    inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(name)}</th>{inside}</tr>'


def _idle(people: m.UsageReport) -> Iterable[str]:
    """Who could do with less, said as one would say it to them."""
    yield "<h2>GPUs that mostly waited</h2>"
    found = sorted(
        ((row.measured_hours - (row.busy_hours or 0.0), row) for row in people.rows),
        key=lambda each: -each[0],
    )
    named = [
        (idle, row)
        for idle, row in found
        if idle >= IDLE_HOURS and idle >= IDLE_SHARE * row.measured_hours
    ][:MOST_NAMED]
    if not named:
        yield "<p>Nobody held a GPU for long that mostly did nothing, as far as GPUs tell.</p>"
        return
    yield (
        "<p>There is often a good reason: data that comes slowly, a long look at a result. A "
        "smaller GPU, or giving it back in between, may serve these people as well. It is worth a "
        "question.</p>"
    )
    items = "".join(
        f"<li>{escape(row.name or 'nobody')}: for {figure(idle)} of {figure(row.measured_hours)} "
        "hours the GPU waited</li>"
        for idle, row in named
    )
    yield f"<ul>{items}</ul>"


def _explained(series: m.UsageSeries) -> Iterable[str]:
    yield "<h2>How to read this</h2>"
    yield (
        "<p>GPU-hours are how long slots were held: two slots for an hour are two, whatever their "
        "size. Busy is the share of that time in which the GPU computed, as far as the driver "
        "tells: of parts of a GPU it does not. Waited for is what people stood "
        "in the queue for, whether they had it in the end or gave up; a wait counts when it has "
        "ended. Energy is what the GPUs took while they were held, "
        "of a part its share; cooling and the rest of the server are not in it. Hatched days are "
        "not known, and are no zeros.</p>"
    )
    if series.kept_from is not None:
        yield f'<p class="quiet">The books begin on {series.kept_from:%Y-%m-%d}.</p>'


def _share(efficiency: float | None) -> str:
    return _UNKNOWN if efficiency is None else percent(efficiency)


def _amount(value: float | None, said: Callable[[float], str]) -> str:
    return _UNKNOWN if value is None else said(value)
