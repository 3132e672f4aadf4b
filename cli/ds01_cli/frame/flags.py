"""Flags that commands of all kinds have; those of one noun are in its folder."""

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    SIMPLE = "simple"
    JSON = "json"


Form = Annotated[Format, typer.Option("--format", help="table, simple (for scripts) or json.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
User = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Whose; for administrators.")
]
UserToSee = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Whose; for lab managers.")
]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody's; for lab managers.")]
