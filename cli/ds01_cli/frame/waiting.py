"""What is shown while something takes its time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.status import Status as Spinner
from rich.text import Text

from ds01_cli.frame import asking, printing


class Status(Protocol):
    """What is being waited for, in words."""

    def update(self, text: str) -> None:
        """Say that something else is waited for now."""


@contextmanager
def status(text: str) -> Iterator[Status]:
    """Show `text` while the body runs, on stderr: turning on a terminal, one line when piped."""
    out = printing.console(stderr=True)
    if not out.is_terminal or asking.in_notebook():
        lines = _Lines()
        lines.update(text)
        yield lines
        return
    with out.status(Text(text)) as spinner:
        yield _Turning(spinner)


class _Lines:
    """Each text once, on a line."""

    def __init__(self) -> None:
        self._last = ""

    def update(self, text: str) -> None:
        if text != self._last:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress is on stderr
        self._last = text


class _Turning:
    """The latest text, beside something that turns."""

    def __init__(self, spinner: Spinner) -> None:
        self._spinner = spinner

    def update(self, text: str) -> None:
        self._spinner.update(Text(text))
