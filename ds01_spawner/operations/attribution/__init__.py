"""Whose everything is that runs on the GPUs, and what becomes of work past the platform."""
