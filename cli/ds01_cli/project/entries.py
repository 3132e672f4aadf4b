"""Commands below `ds01 project`."""

from ds01_cli.frame.table import Group

PROJECT = Group("Begin a project with a tree of its own, and work on it.", {})
