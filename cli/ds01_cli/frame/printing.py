"""What commands print: for people within the width of their terminal, for programs as JSON."""

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

Style = Literal["table", "simple"]
PIPED_WIDTH = 200
"""What a pipe holds on one line; who reads it cuts it as they like."""

_NARROWEST = 20
_BETWEEN = 2


def console(*, stderr: bool = False) -> "Console":
    """Where to print for people: no wider than the terminal; plain when piped or `NO_COLOR`."""
    from rich.console import Console  # noqa: PLC0415 - only where something is printed

    stream = sys.stderr if stderr else sys.stdout
    on_terminal = stream.isatty()
    plain = not on_terminal or bool(os.environ.get("NO_COLOR"))
    return Console(
        stderr=stderr,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not on_terminal,
        no_color=plain,
        width=None if on_terminal or "COLUMNS" in os.environ else PIPED_WIDTH,
    )


def say(*lines: str) -> None:
    """Print sentences, folded between words where a terminal is narrower."""
    out = console()
    for line in lines:
        out.print(line)


def say_below(label: str, text: str) -> None:
    """Print `text` after `label`, folded beside it where a terminal is narrower."""
    out = console()
    if not out.is_terminal:
        out.print(f"{label}{text}")
        return
    below = " " * len(label)
    width = max(out.width, len(label) + _NARROWEST)
    for line in textwrap.wrap(
        text, width, initial_indent=label, subsequent_indent=below, break_on_hyphens=False
    ):
        out.print(line, soft_wrap=True)


def note(*lines: str) -> None:
    """Print what is beside the matter, on stderr."""
    out = console(stderr=True)
    for line in lines:
        out.print(f"note: {line}")


def print_json(value: "BaseModel | Mapping[str, Any] | Sequence[Any]") -> None:
    """Print JSON for programs; the keys of models are those of the API."""
    sys.stdout.write(f"{json.dumps(_plain(value), indent=2, ensure_ascii=False)}\n")


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    style: Style = "table",
    right: Iterable[str] = (),
    empty: str = "Nothing.",
) -> None:
    """Print rows below their heads.

    On a terminal that is too narrow the widest cells are folded, and on one that is narrower still
    each row is a block of lines, `head: cell`, so that nothing is cut. Cells are shown without
    control characters.

    Args:
        heads: Of the columns.
        rows: Cells, as many as heads.
        style: `simple` has no heads and a tab between cells, for scripts.
        right: Heads of columns of figures.
        empty: What is said when there are no rows.
    """
    from ds01_spawner.domain.wording import clean  # noqa: PLC0415 - only where it is needed

    cells = [[clean(cell, PIPED_WIDTH) for cell in row] for row in rows]
    if style == "simple":
        for row in cells:
            sys.stdout.write("\t".join(row) + "\n")
        return
    if not cells:
        say(empty)
        return
    out = console()
    lines: list[Sequence[str]] = [heads, *cells]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    if out.is_terminal and not _fit(widths, out.width):
        _print_blocks(out, heads, cells)
        return
    figures = {heads.index(each) for each in right}
    for place, line_cells in enumerate(lines):
        for line in _folded(line_cells, widths, figures):
            out.print(line, style="" if place else "bold", soft_wrap=True)


def bar(used: float, allowed: float, width: int = 20) -> str:
    """`######--------------`: how much of something is used up."""
    full = 0 if allowed <= 0 else min(max(round(width * used / allowed), 0), width)
    if used > 0 and full == 0:
        full = 1
    return "#" * full + "-" * (width - full)


def counted(number: int, one: str, many: str = "") -> str:
    """`1 group`, `2 groups`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def here() -> tzinfo:
    """The time zone of whoever reads."""
    return datetime.now(UTC).astimezone().tzinfo or UTC


def clock(moment: datetime | None) -> str:
    """`14:35`, `14:35 tomorrow`, … in the reader's time zone; empty where there is none."""
    from ds01_spawner.domain.wording import clock_time  # noqa: PLC0415 - only where it is needed

    return "" if moment is None else clock_time(moment, now(), here())


def _print_blocks(out: "Console", heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for place, row in enumerate(rows):
        if place:
            out.print()
        for head, cell in zip(heads, row, strict=True):
            if cell:
                out.print(f"{head}: {cell}" if head else cell)


def _fit(widths: list[int], room: int) -> bool:
    """Whether columns of `widths` fit; the widest is made narrower where that is enough."""
    over = sum(widths) + _BETWEEN * (len(widths) - 1) - room
    if over <= 0:
        return True
    widest = widths.index(max(widths))
    if widths[widest] - over < _NARROWEST:
        return False
    widths[widest] -= over
    return True


def _folded(row: Sequence[str], widths: Sequence[int], figures: set[int]) -> Iterable[str]:
    """The lines of one row."""
    from rich.cells import set_cell_size  # noqa: PLC0415 - only where something is printed

    parts = [
        [cell] if _width(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
        for cell, width in zip(row, widths, strict=True)
    ]
    for texts in zip_longest(*parts, fillvalue=""):
        cells = [
            " " * (width - _width(text)) + text if place in figures else set_cell_size(text, width)
            for place, (text, width) in enumerate(zip(texts, widths, strict=True))
        ]
        yield (" " * _BETWEEN).join(cells).rstrip()


def _width(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415 - only where something is printed

    return cell_len(text)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
