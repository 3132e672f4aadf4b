"""Commands by name: a module is imported only when its command runs, so that help is quick."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ds01_cli.frame.tiers import tiered

_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
HELP = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is not loaded yet.

    Attributes:
        module: Where it is.
        function: What it is there.
        help: One sentence.
        settings: Of its context, such as `allow_interspersed_args`.
    """

    module: str
    function: str
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands below one word.

    Attributes:
        help: One sentence.
        entries: They, by name.
    """

    help: str
    entries: Mapping[str, "Command | Group"]


class CommandGroup(TyperGroup):
    """Lists its commands without importing any.

    Args:
        path: The words before its commands', such as `container`; empty for the program.
        table: Its commands.
    """

    def __init__(self, path: str, table: Group, **attributes: Any) -> None:
        attributes = {"no_args_is_help": True, "rich_markup_mode": None, **attributes}
        super().__init__(**{**attributes, "help": attributes.get("help") or table.help})
        self._path = path
        self._table = table
        self._listing = False
        self.commands = {
            name: TyperCommand(name, help=entry.help) for name, entry in table.entries.items()
        }

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or a stand-in with its help where all are listed."""
        if self._listing or cmd_name not in self._table.entries:
            return super().get_command(ctx, cmd_name)
        return loaded(f"{self._path} {cmd_name}".strip(), self._table.entries[cmd_name])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def loaded(path: str, entry: Command | Group) -> Any:
    """A command, ready to run, or a group of them.

    Args:
        path: Its words, such as `container deploy`.
        entry: Where it is.
    """
    name = path.rpartition(" ")[2]
    if isinstance(entry, Group):
        return CommandGroup(path, entry, name=name, context_settings=dict(HELP))
    function: Callable[..., Any] = getattr(importlib.import_module(entry.module), entry.function)
    app = typer.Typer(**_PLAIN)
    app.command(name, context_settings={**HELP, **entry.settings})(tiered(function, path))
    return typer.main.get_command(app)
