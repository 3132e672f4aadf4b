"""What the platform needs from the outside world, as protocols.

Each has a real adapter in `adapters/` and a fake in `tests/fakes/`; one contract test holds both
to the same behaviour. Every method may raise `Unavailable`: the part did not answer in time, and
the caller decides nothing.
"""

from ds01_spawner.ports.engine import (
    ContainerList,
    Engine,
    EngineInfo,
    LocalImage,
)
from ds01_spawner.ports.folders import (
    BindStage,
    ContainerRoots,
    OpenedPath,
    PathKind,
    PersonalPaths,
    VolumeFolders,
)
from ds01_spawner.ports.hub_servers import (
    HubSpawning,
    HubStep,
    ServerAtHub,
    ServerState,
)
from ds01_spawner.ports.ledger import (
    Ledger,
    LedgerReader,
    LedgerTransaction,
)
from ds01_spawner.ports.lifecycle import (
    ActivityProbe,
    Channels,
    ContainerProcesses,
    HubClient,
    HubServer,
    JupyterServers,
    KeepAliveFiles,
    NoticeBoard,
    StorageMeter,
)
from ds01_spawner.ports.machine import (
    Accounts,
    Cgroups,
    Clock,
    EventLog,
    EventReader,
    GpuProbe,
    PolicySource,
)
from ds01_spawner.ports.ssh import SshFolder

__all__ = [
    "Accounts",
    "ActivityProbe",
    "BindStage",
    "Cgroups",
    "Channels",
    "Clock",
    "ContainerList",
    "ContainerProcesses",
    "ContainerRoots",
    "Engine",
    "EngineInfo",
    "EventLog",
    "EventReader",
    "GpuProbe",
    "HubClient",
    "HubServer",
    "HubSpawning",
    "HubStep",
    "JupyterServers",
    "KeepAliveFiles",
    "Ledger",
    "LedgerReader",
    "LedgerTransaction",
    "LocalImage",
    "NoticeBoard",
    "OpenedPath",
    "PathKind",
    "PersonalPaths",
    "PolicySource",
    "ServerAtHub",
    "ServerState",
    "SshFolder",
    "StorageMeter",
    "VolumeFolders",
]
