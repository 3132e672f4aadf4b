"""Commands of `ds01` as the program runs them, with their errors for the test to see."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.group import app_of
from ds01_cli.frame.table import Command, found


def invoke(words: str, *arguments: str, width: int = 80, stdin: str | None = None) -> Result:
    """What a command answers; errors of the platform are raised.

    Args:
        words: What it is called, such as `container list`.
        arguments: What follows.
        width: Of the terminal that is imagined.
        stdin: What is piped in.
    """
    entry = found(words.split(), PROGRAM)
    assert isinstance(entry, Command), words
    runner = CliRunner(env={"COLUMNS": str(width)})
    return runner.invoke(app_of(words, entry), arguments, input=stdin, catch_exceptions=False)


def said(words: str, *arguments: str, width: int = 80, stdin: str | None = None) -> str:
    """What a command prints on standard output; it must be done."""
    result = invoke(words, *arguments, width=width, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(words: str, *arguments: str) -> Any:
    """What a command prints with `--json`."""
    return json.loads(said(words, *arguments, "--json"))
