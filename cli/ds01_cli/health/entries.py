"""`ds01 health`."""

from ds01_cli.frame.table import Command

HEALTH = Command(
    "ds01_cli.health.health", "health", "Check every part of the platform, and say what to do."
)
