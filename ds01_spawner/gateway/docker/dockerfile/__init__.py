"""Dockerfiles as the classic builder reads them, and within bounds. Pure."""
