"""`ds01 image`."""
