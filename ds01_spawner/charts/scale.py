"""Where the marks of an axis are, and what they say. Pure."""

import math

_NICE = (1, 2, 2.5, 5, 10)
_THOUSAND = 1000
_SMALLEST = 1e-4
_MOST_DIGITS = 6
"""Of the smallest step of an axis: as many as its labels have room for."""


def ticks(highest: float, most: int = 5) -> tuple[float, ...]:
    """Round figures from 0 up to the first that is not below `highest`.

    Args:
        highest: What is to be shown; 0, and what is hardly more, is shown on an axis up to 1.
        most: How many steps there may be.
    """
    highest = highest if highest > _SMALLEST else 1.0
    rough = highest / most
    power = 10.0 ** math.floor(math.log10(rough))
    # The smallest nice step that reaches the top; the last of them always does.
    step = next(each * power for each in _NICE if each * power * most >= highest * (1 - 1e-9))
    count = math.ceil(highest / step - 1e-9)
    return tuple(round(step * place, 10) for place in range(count + 1))


def figure(value: float) -> str:
    """`0`, `0.025`, `3.2`, `12`, `1,250`: as exact as somebody looks."""
    size = abs(value)
    if size >= _THOUSAND:
        return f"{value:,.0f}"
    if size >= 100 or value == round(value):  # noqa: PLR2004 - three digits
        return f"{value:.0f}"
    digits = 1 if size >= 1 else min(1 - math.floor(math.log10(size)), _MOST_DIGITS)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"
