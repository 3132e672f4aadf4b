"""A person's own images, and the shared ones."""
