"""What a page offers as a file."""

import csv
import io
from collections.abc import Iterator

from ds01_spawner.client import models as m
from ds01_spawner.domain.spreadsheet import text_cell
from ds01_spawner.gateway.web.handler import WebHandler
from ds01_spawner.gateway.web.history import series_of

_HEADS = ("begin", "end", "hours", "missing_hours")
_NOT_OF_STEPS = frozenset({"name", "unmanaged_hours"})


class HistoryFileHandler(WebHandler):
    """`history.csv`: the figures of the page, a line for each step."""

    async def get(self) -> None:
        """Answer with the file."""
        requester = await self.requester()
        if requester is None:
            self.redirect(self.get_login_url())
            return
        found = await series_of(self.visit(requester))
        self.set_header("Content-Type", "text/csv; charset=UTF-8")
        name = f"usage-{found.begin:%Y-%m-%d}-to-{found.end:%Y-%m-%d}.csv"
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(series_csv(found))


def series_csv(series: m.UsageSeries) -> str:
    """A series as a table for spreadsheets; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = [name for name in m.UsageRow.model_fields if name not in _NOT_OF_STEPS]
    source = text_cell(series.co2e_source or "")
    writer.writerow([*_HEADS, *figures, "co2e_source"])
    for step in series.steps:
        told = (_cell(getattr(step.used, name)) for name in figures)
        writer.writerow([*_begun(step), *told, source])
    return text.getvalue()


def _begun(step: m.UsageStep) -> Iterator[str | float]:
    yield step.begin.isoformat()
    yield step.end.isoformat()
    yield step.hours
    yield step.missing_hours


def _cell(figure: float | None) -> str | float:
    return "" if figure is None else figure
