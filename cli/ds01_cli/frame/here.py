"""Whether this is the server, where folders are those that containers can have."""

from ds01_spawner.home.folders import (
    PROJECTS,
    check_on_server,
    in_container,
    on_server,
    projects,
    resolved,
    server_path,
)

__all__ = [
    "PROJECTS",
    "check_on_server",
    "in_container",
    "on_server",
    "projects",
    "resolved",
    "server_path",
]
