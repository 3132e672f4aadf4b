"""`ds01 events`."""

from ds01_cli.frame.table import Command

EVENTS = Command("ds01_cli.events.events", "events", "Show who did what, from the audit log.")
