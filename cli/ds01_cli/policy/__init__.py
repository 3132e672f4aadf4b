"""`ds01 policy`: the files that decide, read where they are."""
