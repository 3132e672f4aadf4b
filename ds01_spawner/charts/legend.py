"""What a graph's colours are, and its figures as a table. Pure."""

from collections.abc import Iterable
from html import escape

from ds01_spawner.charts.timeline import COLOURS, NOTHING, UNKNOWN, Timeline, day, heading, is_gap


def legend(chart: Timeline) -> str:
    """What the colours are; without one where there is one."""
    entries = []
    if len(chart.bars) > 1:
        for place, each in enumerate(chart.bars):
            shade = each.colour_at(place)
            colour = COLOURS[shade]
            inside = (
                f'<rect class="ds01-chart-{shade}" width="12" height="12" fill="{colour}"></rect>'
            )
            if each.hatched:
                url = f"url(#{escape(chart.id)}-h{place})"
                inside = f'<rect width="12" height="12" fill="{url}" stroke="{colour}"></rect>'
            entries.append((inside, each.name))
    if chart.line is not None:
        stroke = f'stroke="{COLOURS[1]}" stroke-width="2" stroke-dasharray="5 2"'
        inside = f'<line x1="0" y1="6" x2="12" y2="6" {stroke}></line>'
        entries.append((inside, f"{chart.line[0]}: {chart.said(chart.line[1])}"))
    if any(is_gap(chart, place) for place in range(len(chart.begins))):
        url = f"url(#{escape(chart.id)}-gap)"
        entries.append((f'<rect width="12" height="12" fill="{url}"></rect>', UNKNOWN))
    if not entries:
        return ""
    items = "".join(
        f'<li><svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true"'
        f' focusable="false">{picture}</svg> {escape(name)}</li>'
        for picture, name in entries
    )
    return f'<ul class="ds01-chart-legend">{items}</ul>'


def table(chart: Timeline) -> str:
    """Every figure, to be opened."""
    names = [*(each.name for each in chart.bars), *(each.name for each in chart.columns)]
    heads = "".join(f'<th scope="col">{escape(each)}</th>' for each in names)
    rows = "".join(
        f'<tr><th scope="row">{day(begin, chart.step)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(chart, place))
        + "</tr>"
        for place, begin in enumerate(chart.begins)
    )
    return (
        f'<details class="ds01-chart-table" id="{escape(chart.id)}-table">'
        f'<summary>The figures<span class="visually-hidden"> of {escape(chart.title)}</span>'
        '</summary><table class="table table-sm">'
        f"<caption>{escape(heading(chart))}</caption><thead><tr>"
        f'<th scope="col">{chart.step.capitalize()}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def _cells(chart: Timeline, place: int) -> Iterable[str]:
    for each in chart.bars:
        value = each.values[place]
        nothing = NOTHING if place in chart.blank else UNKNOWN
        yield nothing if value is None else chart.said(value)
    for column in chart.columns:
        yield column.cells[place]
