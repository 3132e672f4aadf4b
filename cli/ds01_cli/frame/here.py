"""Whether this is the server, where folders are those that containers can have."""

from ds01_spawner.home.folders import PROJECTS, on_server, projects

__all__ = ["PROJECTS", "on_server", "projects"]
