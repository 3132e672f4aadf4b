"""Notices on their way to people, and what their way leaves behind."""
