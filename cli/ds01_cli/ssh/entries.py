"""Commands to get into containers with SSH and editors; they are at the top: `ds01 ssh`."""

from collections.abc import Mapping

from ds01_cli.frame.table import Command

SSH: Mapping[str, Command] = {}
