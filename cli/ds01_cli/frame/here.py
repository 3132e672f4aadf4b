"""Whether this is the server, where folders are those that containers can have."""

import os
from pathlib import Path

from ds01_spawner.client import places

PROJECTS = "projects"
"""The folder of one's home in which projects are made."""

_IN_A_CONTAINER = "DS01_CONTAINER"


def on_server() -> bool:
    """Whether the home that is here is the one on the server.

    A container has it at its own path, so a terminal in one is on the server as well.

    Raises:
        Unavailable: Nothing says where the API is.
    """
    return bool(os.environ.get(_IN_A_CONTAINER)) or places.find().socket is not None


def projects() -> Path:
    """Where projects are made."""
    return Path.home() / PROJECTS
