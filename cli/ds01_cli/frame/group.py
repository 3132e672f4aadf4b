"""Commands by name: a module is imported only when its command runs, so that help is quick."""

import importlib
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ds01_cli.frame.table import Command, Group, alike, group_help, is_empty
from ds01_cli.frame.tiers import tiered

__all__ = ["Command", "CommandGroup", "Group", "app_of", "loaded"]

_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
HELP = {"help_option_names": ["-h", "--help"]}


class CommandGroup(TyperGroup):
    """Imports a command when it is asked for.

    Args:
        path: The words before its commands', such as `container`; empty for the program.
        table: Its commands.
    """

    def __init__(self, path: str, table: Group, **attributes: Any) -> None:
        attributes = {"no_args_is_help": True, "rich_markup_mode": None, **attributes}
        super().__init__(**{**attributes, "help": table.help})
        self._path = path
        self._table = table
        self.commands = {
            name: TyperCommand(name, help=entry.help)
            for name, entry in table.entries.items()
            if not is_empty(entry)
        }
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; `None` where there is none of the name."""
        entry = self._table.entries.get(cmd_name)
        if entry is None or self._listing:
            return super().get_command(ctx, cmd_name)
        return loaded(f"{self._path} {cmd_name}".strip(), entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command; for what is none, those that may have been meant."""
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or name in self._table.entries):
            near = [f"'{each}'" for each in alike(name, self._table)]
            meant = f" Did you mean {', '.join(near)}?" if near else ""
            program = f"ds01 {self._path}".strip()
            ctx.fail(f"No such command '{name}'.{meant} All of them: {program} --help")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What could stand here, without importing any."""
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False

    def get_help(self, ctx: Any) -> str:
        """The list of commands, without importing any."""
        del ctx
        return group_help(self._path, self._table)


def loaded(path: str, entry: Command | Group) -> Any:
    """A command, ready to run, or a group of them.

    Args:
        path: Its words, such as `container deploy`.
        entry: Where it is.
    """
    name = path.rpartition(" ")[2]
    if isinstance(entry, Group):
        return CommandGroup(path, entry, name=name, context_settings=dict(HELP))
    command = typer.main.get_command(app_of(path, entry))
    for each in command.params:
        if each.param_type_name == "argument":
            _name_alone(each)
        else:
            _name_value(each)
    return command


def _name_alone(argument: Any) -> None:
    """Let help show `NAME`, not `NAME <str>`; what there is to choose from stays."""
    described = getattr(argument, "display_type_rich", None)
    if described is None:  # older releases of typer
        return

    def choices(ctx: Any) -> str | None:
        text: str | None = described(ctx=ctx)
        return text if text is not None and "|" in text else None

    argument.display_type_rich = choices


def _name_value(option: Any) -> None:
    """Let help show `--user USER`, not `--user <str>`; what there is to choose from stays."""
    kind = getattr(option, "type_descriptor", None)  # older releases of typer have none
    if option.metavar is None and not option.is_flag and not getattr(kind, "is_choice", True):
        option.metavar = max(option.opts, key=len).lstrip("-").upper()


def app_of(path: str, command: Command) -> typer.Typer:
    """A program of one command.

    Args:
        path: Its words, such as `container deploy`.
        command: Where it is.
    """
    module = importlib.import_module(command.module)
    function: Callable[..., Any] = getattr(module, command.function)
    app = typer.Typer(**_PLAIN)
    name = path.rpartition(" ")[2]
    app.command(name, context_settings={**HELP, **command.settings})(
        tiered(function, command.page or path)
    )
    return app
