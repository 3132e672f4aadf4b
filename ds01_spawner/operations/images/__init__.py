"""Images that people build: what of, where, and which there are."""
