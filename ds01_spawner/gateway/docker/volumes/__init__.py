"""A person's own volumes."""
