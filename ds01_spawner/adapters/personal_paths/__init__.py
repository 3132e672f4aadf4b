"""The host's files as a person sees them: opened by a process that is that person."""

from ds01_spawner.adapters.personal_paths.child import CommandFailed
from ds01_spawner.adapters.personal_paths.paths import UnixPaths

__all__ = ["CommandFailed", "UnixPaths"]
