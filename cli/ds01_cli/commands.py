"""All commands of `ds01`, by name: where each is, and what it does in one sentence."""

from ds01_cli.frame.group import Group

PROGRAM = Group("Share a GPU server: containers, GPU slots and one policy file.", {})
