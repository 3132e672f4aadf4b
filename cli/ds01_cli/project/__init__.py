"""`ds01 project`."""
