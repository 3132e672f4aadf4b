"""A graph as SVG, with its legend and its table. Pure.

Colours and sizes are attributes, so that a graph is right without a style sheet, on light and on
dark; one may say more by the classes. What is not known is hatched, and is no bar of height 0.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from ds01_spawner.charts.legend import legend, table
from ds01_spawner.charts.scale import ticks
from ds01_spawner.charts.timeline import COLOURS, Timeline, day, heading, is_gap, label, told

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 74, 8, 12, 30

_INSIDE = HEIGHT - TOP - BOTTOM
_LABELS = 8
_LABEL = 60
"""How wide one is."""

_NARROWEST_BAR = 0.5


def drawn(chart: Timeline) -> str:
    """The graph with its legend, and its table to be opened."""
    return (
        f'<figure class="ds01-chart" id="{escape(chart.id)}">'
        f'<figcaption class="ds01-chart-title">{escape(heading(chart))}</figcaption>'
        f"{_svg(chart)}{legend(chart)}{table(chart)}</figure>"
    )


def _svg(chart: Timeline) -> str:
    marks = ticks(_highest(chart))
    scale = _INSIDE / marks[-1]
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="100%"'
    named = f'aria-labelledby="{escape(chart.id)}-t {escape(chart.id)}-d"'
    parts = [
        f'<svg class="ds01-chart-picture" role="img" {box} {named}>',
        f'<title id="{escape(chart.id)}-t">{escape(heading(chart))}</title>',
        f'<desc id="{escape(chart.id)}-d">{escape(chart.words)}</desc>',
        _hatches(chart),
        *(_rule(mark, scale, chart.said) for mark in marks),
        *_steps(chart, scale),
        *_labels(chart),
        _level(chart, scale),
        "</svg>",
    ]
    return "".join(parts)


def _highest(chart: Timeline) -> float:
    every = [[each or 0.0 for each in bars.values] for bars in chart.bars]
    sums = [float(sum(stack)) for stack in zip(*every, strict=True)]
    level = chart.line[1] if chart.line else 0.0
    return max([*sums, level, chart.highest])


def _hatches(chart: Timeline) -> str:
    """Patterns: one for what nobody knows, one for each kind of bar that is half known."""
    found = [("gap", "currentColor", 0.35)]
    found += [
        (f"h{place}", COLOURS[each.colour_at(place)], 1.0)
        for place, each in enumerate(chart.bars)
        if each.hatched
    ]
    patterns = "".join(
        f'<pattern id="{escape(chart.id)}-{name}" width="6" height="6"'
        ' patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="2" height="6" fill="{colour}" fill-opacity="{strong}"></rect></pattern>'
        for name, colour, strong in found
    )
    return f"<defs>{patterns}</defs>"


def _rule(mark: float, scale: float, said: Callable[[float], str]) -> str:
    y = round(HEIGHT - BOTTOM - mark * scale, 1)
    strong = 0.6 if mark == 0 else 0.15
    return (
        f'<line x1="{LEFT}" y1="{y:g}" x2="{WIDTH - RIGHT}" y2="{y:g}" stroke="currentColor"'
        f' stroke-opacity="{strong}"></line>'
        f'<text x="{LEFT - 6}" y="{y + 5:g}" text-anchor="end" font-size="15"'
        f' fill="currentColor">{escape(said(mark))}</text>'
    )


def _room(chart: Timeline) -> float:
    return (WIDTH - LEFT - RIGHT) / max(len(chart.begins), 1)


def _steps(chart: Timeline, scale: float) -> Iterable[str]:
    room = _room(chart)
    between = min(2.0, room * 0.2)
    for place, begin in enumerate(chart.begins):
        x, wide = LEFT + place * room, max(room - between, _NARROWEST_BAR)
        values = [each.values[place] for each in chart.bars]
        said = f"{day(begin, chart.step)}: {told(chart, place)}"
        inside = _bars(chart, values, x + between / 2, wide, scale)
        if is_gap(chart, place):
            inside = (
                f'<rect class="ds01-chart-gap" x="{x:.1f}" y="{TOP}" width="{room:.1f}"'
                f' height="{_INSIDE}" fill="url(#{escape(chart.id)}-gap)"></rect>'
            )
        yield f"<g><title>{escape(said)}</title>{inside}</g>"


def _bars(
    chart: Timeline, values: Sequence[float | None], x: float, wide: float, scale: float
) -> str:
    found, foot = [], float(HEIGHT - BOTTOM)
    for place, value in enumerate(values):
        if not value:
            continue
        tall = value * scale
        shade = chart.bars[place].colour_at(place)
        colour = COLOURS[shade]
        look = f'fill="{colour}"'
        if chart.bars[place].hatched:
            look = f'fill="url(#{escape(chart.id)}-h{place})" stroke="{colour}" stroke-width="0.5"'
        found.append(
            f'<rect class="ds01-chart-{shade}" x="{x:.1f}" y="{foot - tall:.1f}"'
            f' width="{wide:.1f}" height="{tall:.1f}" {look}></rect>'
        )
        foot -= tall
    return "".join(found)


def _labels(chart: Timeline) -> Iterable[str]:
    """Under some of the steps; every second of them is left out where there is little room."""
    room = _room(chart)
    every = max(-(-len(chart.begins) // _LABELS), 1)
    for place in range(0, len(chart.begins), every):
        fine = ' class="ds01-chart-fine"' if place // every % 2 else ""
        x = LEFT + place * room
        anchor = "middle" if room > 40 else "start"  # noqa: PLR2004 - a short label's width
        x += room / 2 if anchor == "middle" else 0
        if anchor == "start" and x + _LABEL > WIDTH:
            x, anchor = WIDTH, "end"
        yield (
            f'<text{fine} x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}" font-size="15"'
            f' fill="currentColor">{label(chart.begins[place], chart.step)}</text>'
        )


def _level(chart: Timeline, scale: float) -> str:
    if chart.line is None:
        return ""
    y = round(HEIGHT - BOTTOM - chart.line[1] * scale, 1)
    return (
        f'<line class="ds01-chart-level" x1="{LEFT}" y1="{y:g}" x2="{WIDTH - RIGHT}" y2="{y:g}"'
        f' stroke="{COLOURS[1]}" stroke-width="2" stroke-dasharray="7 4"></line>'
    )
