"""Everything that an administrator would look at."""
