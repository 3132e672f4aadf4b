"""A small line graph as SVG. Pure.

Edward Tufte, *Beautiful Evidence* (2006): intense, simple, word-sized graphics.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite

WIDTH, HEIGHT = 120, 24
_MARGIN = 2


def sparkline(lines: Iterable[Sequence[tuple[float, float]]], words: str) -> str:
    """Lines on a strip, from 0 to 1 both ways.

    Args:
        lines: Each from left to right: (how far, how high).
        words: What it shows, for who cannot see it.
    """
    drawn = "".join(map(_line, lines))
    base = HEIGHT - _MARGIN
    return (
        f'<svg class="ds01-spark" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' preserveAspectRatio="none" aria-label="{escape(words)}">'
        f'<line class="ds01-spark-base" x1="0" y1="{base}" x2="{WIDTH}" y2="{base}"></line>'
        f"{drawn}</svg>"
    )


def _line(points: Sequence[tuple[float, float]]) -> str:
    places = [_place(*each) for each in points if all(map(isfinite, each))]
    if not places:
        return ""
    if len(places) == 1:
        x, y = places[0]
        places.append((x + 1, y))
    return f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in places)}"></polyline>'


def _place(far: float, high: float) -> tuple[float, float]:
    inside = HEIGHT - 2 * _MARGIN
    far, high = (min(max(each, 0.0), 1.0) for each in (far, high))
    return round(far * WIDTH, 1), round(HEIGHT - _MARGIN - high * inside, 1)
