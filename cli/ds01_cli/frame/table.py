"""The table of commands, and its own help: what `ds01 --help` needs, which loads nothing else."""

import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_WIDEST = 80
_INDENT = 2
_BETWEEN = 2
_OPTIONS = {
    "--version": "Show the version.",
    "-h, --help": "Show this message and exit.",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is not loaded yet.

    Attributes:
        module: Where it is.
        function: What it is there.
        help: One sentence.
        settings: Of its context, such as `allow_interspersed_args`.
        page: The words of its page in the handbook, where they are not its own.
    """

    module: str
    function: str
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    page: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands below one word.

    Attributes:
        help: One sentence.
        entries: They, by name.
    """

    help: str
    entries: Mapping[str, "Command | Group"]


def found(words: list[str], program: Group) -> "Command | Group | None":
    """What stands under `words` below the program; `None` is nothing."""
    entry: Command | Group | None = program
    for word in words:
        entry = entry.entries.get(word) if isinstance(entry, Group) else None
    return entry


def again(entry: "Command | Group", words: str) -> "Command | Group":
    """What stands under `words`, to be put under other words as well; its pages are the same."""
    if isinstance(entry, Command):
        return replace(entry, page=words)
    entries = {name: again(each, f"{words} {name}") for name, each in entry.entries.items()}
    return replace(entry, entries=entries)


def alike(word: str, group: Group) -> list[str]:
    """Commands that somebody may have meant by a word that is none: spelt so, or one word below."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for what is mistyped

    shown = [name for name, entry in group.entries.items() if not is_empty(entry)]
    below = [
        f"{name} {word}"
        for name, entry in group.entries.items()
        if isinstance(entry, Group) and word in entry.entries
    ]
    return [*get_close_matches(word, shown), *below]


def group_help(path: str, group: Group) -> str:
    """What `--help` prints for commands below one word.

    Args:
        path: The word, such as `admin aliases`; empty for the program.
        group: They.
    """
    width = min(shutil.get_terminal_size().columns, _WIDEST) - 2
    usage = f"Usage: {f'ds01 {path}'.strip()} COMMAND [ARGS]..."
    shown = {name: entry for name, entry in group.entries.items() if not is_empty(entry)}
    commands = {name: entry.help for name, entry in shown.items()}
    options = _OPTIONS if not path else {"-h, --help": _OPTIONS["-h, --help"]}
    lines = [usage, "", *_rows({"": group.help}, width, 0)]
    lines += ["", "Commands:", *_rows(commands, width), "", "Options:", *_rows(options, width)]
    if not path:
        lines += ["", "Each command has --help, --info, --concepts and --guided."]
    return "\n".join(lines)


def is_empty(entry: Command | Group) -> bool:
    """Whether nothing stands below a word yet."""
    return isinstance(entry, Group) and not entry.entries


def _rows(texts: Mapping[str, str], width: int, between: int = _BETWEEN) -> list[str]:
    column = max(map(len, texts), default=0) + between
    below = " " * (_INDENT + column)
    lines: list[str] = []
    for name, text in texts.items():
        first = f"{'':{_INDENT}}{name:<{column}}"
        lines += textwrap.wrap(
            text, max(width, len(first) + 20), initial_indent=first, subsequent_indent=below
        )
    return lines
