"""`ds01 usage`: what was used of the GPUs."""

import csv
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_spawner.charts import amounts
from ds01_spawner.domain.spreadsheet import text_cell
from ds01_spawner.domain.wording import clean, gpu_time, percent

if TYPE_CHECKING:
    from ds01_spawner.client.models import UsageReport, UsageRow

_HEADS = ("GPU-HOURS", "AS WHOLE GPUS", "BUSY", "WAITED", "GAVE UP", "ENERGY", "CO2E")
_TITLES = {"user": "PERSON", "group": "GROUP", "project": "PROJECT"}
_NONE = {"user": "nobody", "group": "no group", "project": "no project"}
_TOTAL = "(total)"
"""Names the last row of a table for spreadsheets; nothing is called so, because of the brackets."""

_MINUTE, _HOUR = 60, 3600


def usage(  # noqa: PLR0913 - what may be asked for
    *,
    by_user: Annotated[bool, typer.Option("--user", help="A row for each person.")] = False,
    by_group: Annotated[bool, typer.Option("--group", help="A row for each group.")] = False,
    by_project: Annotated[bool, typer.Option("--project", help="A row for each project.")] = False,
    week: Annotated[bool, typer.Option("--week", help="The last 7 days: the default.")] = False,
    month: Annotated[bool, typer.Option("--month", help="The last 30 days.")] = False,
    year: Annotated[bool, typer.Option("--year", help="The last 365 days.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Since the beginning.")] = False,
    of: Annotated[
        str | None, typer.Option("--of", metavar="NAME", help="Whose; for lab managers.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    as_json: Json = False,
) -> None:
    """Show what you used of the GPUs, and how busy they were."""
    by = _one({"user": by_user, "group": by_group, "project": by_project})
    period = _one({"week": week, "month": month, "year": year, "all": everything}) or "week"
    if as_csv and as_json:
        raise typer.BadParameter("Give --json or --csv, not both.")
    guide.tell("look")
    with session.connect() as client:
        report = client.usage(by=by, period=period, user=of)
    if as_json:
        printing.print_json(report)
    elif as_csv:
        _print_csv(report)
    else:
        _show(report)


def _one(flags: dict[str, bool]) -> str | None:
    """The flag that was given; `None` for none."""
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        words = " and ".join(f"--{name}" for name in given)
        raise typer.BadParameter(f"{words} do not go together: give one of them.")
    return given[0] if given else None


def _print_csv(report: "UsageReport") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    fields = list(type(report.total).model_fields)
    writer.writerow([report.by, *fields[1:], "begin", "end", "co2e_source"])
    days = report.begin.isoformat(), report.end.isoformat()
    source = text_cell(report.co2e_source or "")
    total = report.total.model_copy(update={"name": _TOTAL})
    for row in (*report.rows, total):
        figures = [getattr(row, name) for name in fields[1:]]
        cells = ("" if each is None else each for each in figures)
        writer.writerow([text_cell(row.name), *cells, *days, source])


def _show(report: "UsageReport") -> None:
    printing.say(_days(report))
    if not report.rows:
        printing.say("No GPU was used.")
    else:
        rows = [_row(each.name or _NONE[report.by], each) for each in report.rows]
        if len(rows) > 1:
            rows.append(_row("together", report.total))
        heads = [_TITLES[report.by], *_HEADS]
        known = [place for place, head in enumerate(heads) if _is_told(head, rows, place)]
        printing.table(
            [heads[place] for place in known],
            [[row[place] for place in known] for row in rows],
            right=[head for head in _HEADS if heads.index(head) in known],
        )
    for note in _notes(report):
        printing.note(clean(note, 300))


def _is_told(head: str, rows: list[list[str]], place: int) -> bool:
    """Whether a column says anything; what nobody told takes no room."""
    return head not in _HEADS[2:] or any(row[place] for row in rows)


def _days(report: "UsageReport") -> str:
    whose = report.user or "everybody"
    return f"{whose}, from {report.begin:%Y-%m-%d} to {report.end:%Y-%m-%d %H:%M} UTC"


def _row(name: str, row: "UsageRow") -> list[str]:
    efficiency = "" if row.efficiency is None else percent(row.efficiency)
    energy = "" if row.energy_kwh is None else amounts.energy(row.energy_kwh)
    emitted = "" if row.co2e_kg is None else amounts.emitted(row.co2e_kg)
    waited = ""
    if row.mean_wait_seconds is not None:
        waited = f"{row.waits} x {_span(row.mean_wait_seconds)}"
    gave_up = ""
    if row.mean_gave_up_seconds is not None:
        gave_up = f"{row.gave_up} x {_span(row.mean_gave_up_seconds)}"
    hours = amounts.hours(row.gpu_hours), amounts.hours(row.equivalent_hours)
    return [name, *hours, efficiency, waited, gave_up, energy, emitted]


def _span(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


def _notes(report: "UsageReport") -> Iterable[str]:
    total = report.total
    if total.busy_hours is not None and total.measured_hours < total.gpu_hours * 0.99:
        yield (
            f"How busy is known of {gpu_time(total.measured_hours)} of "
            f"{gpu_time(total.gpu_hours)} with a GPU: parts of a GPU do not tell."
        )
    elif total.gpu_hours and total.busy_hours is None:
        yield "How busy these GPUs were is not known: parts of a GPU do not tell."
    if report.co2e_source is not None and total.co2e_kg is not None:
        yield f"CO2e by {report.co2e_source}."
    yield from report.notes
