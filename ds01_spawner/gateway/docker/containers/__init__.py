"""A person's own containers."""
