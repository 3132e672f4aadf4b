"""A person's own networks."""
