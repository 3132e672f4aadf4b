"""The machine's doors: groups, sockets, the engine's configuration, and the records of changes.

Everything takes the folder that stands for `/`, so that tests work on a copy.
"""

from ds01_spawner.adapters.doors.engine_setup import DaemonFile
from ds01_spawner.adapters.doors.files import DoorFolder, HostFiles
from ds01_spawner.adapters.doors.gateway_socket import HttpSocket
from ds01_spawner.adapters.doors.groups import GroupFiles
from ds01_spawner.adapters.doors.nodes import FileNodes
from ds01_spawner.adapters.doors.service_ports import ListeningPorts

__all__ = [
    "DaemonFile",
    "DoorFolder",
    "FileNodes",
    "GroupFiles",
    "HostFiles",
    "HttpSocket",
    "ListeningPorts",
]
