"""The audit log's file: history, and what is written from now on."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from ds01_cli.events.selection import Selection, in_columns
from ds01_spawner.adapters.event_history import Line, follow_events, read_events
from ds01_spawner.domain.errors import NotFound, Unavailable

LINES_BEFORE_FOLLOWING = 10


def show_file(
    path: Path, selection: Selection, *, follow: bool, everything: bool, as_json: bool
) -> None:
    """Print what is wanted of a log.

    Args:
        path: The log.
        selection: What is wanted.
        follow: Whether to go on with what comes, until interrupted.
        everything: Whether to begin with all that is wanted, and not with the last few lines.
        as_json: The lines themselves.

    Raises:
        NotFound: There is no log.
        Unavailable: It cannot be read.
    """
    shown = Shown(selection, as_written if as_json else for_people)
    try:
        if follow:
            shown.follow(path, everything=everything)
        else:
            shown.history(path)
    except BrokenPipeError:
        raise
    except (OSError, EOFError) as exc:
        raise Unavailable(
            f"The event log {path} cannot be read: {getattr(exc, 'strerror', None) or exc}.",
            "Administrators can read it.",
        ) from exc
    finally:
        shown.report_broken()


class Shown:
    """Prints the selected lines and counts the broken ones."""

    def __init__(self, selection: Selection, render: Callable[[Line], str]) -> None:
        self._selection = selection
        self._render = render
        self._broken = 0

    def history(self, path: Path) -> None:
        """Print what there is."""
        empty = True
        for line in read_events(path):
            empty = False
            if self._is_selected(line):
                typer.echo(self._render(line))
        if empty and not path.exists():
            raise NotFound(f"There is no event log at {path}.")

    def follow(self, path: Path, *, everything: bool) -> None:
        """Print the last few lines, or `everything`, and what comes, until interrupted."""
        before: deque[Line] | None = deque(maxlen=None if everything else LINES_BEFORE_FOLLOWING)

        def caught_up() -> bool:
            nonlocal before
            for line in before or ():
                typer.echo(self._render(line))
            before = None
            sys.stdout.flush()
            return True

        for line in self._selected(follow_events(path, caught_up=caught_up)):
            if before is None:
                typer.echo(self._render(line))
            else:
                before.append(line)

    def report_broken(self) -> None:
        """Say how many lines could not be read, if any."""
        if self._broken:
            lines = "line is" if self._broken == 1 else "lines are"
            typer.echo(f"{self._broken} {lines} broken and left out.", err=True)

    def _selected(self, lines: Iterator[Line]) -> Iterator[Line]:
        return (line for line in lines if self._is_selected(line))

    def _is_selected(self, line: Line) -> bool:
        if line.fields is None:
            self._broken += 1
            return False
        return self._selection.wants(line.fields)


def as_written(line: Line) -> str:
    """The line itself."""
    return line.text


def for_people(line: Line) -> str:
    """The line in columns."""
    return in_columns(line.fields or {})
