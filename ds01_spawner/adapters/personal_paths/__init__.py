"""The host's files as a person sees them: opened by a process that is that person.

This module imports nothing, because that process is started for every path: `paths` is the port.
"""
