"""Graphs of what the API tells, as SVG: for pages, notebooks and reports.

Strings in, strings out: no clock, no file, no script. May import the client's models and `domain`.
"""
