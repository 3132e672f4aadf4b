"""`ds01 container`: one's containers."""
