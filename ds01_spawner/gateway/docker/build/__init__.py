"""`docker build`, by the classic builder, within the person's bounds."""
