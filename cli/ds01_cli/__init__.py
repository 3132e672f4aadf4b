"""The `ds01` program."""
