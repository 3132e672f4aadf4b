"""The doors of a machine in memory."""

from dataclasses import dataclass, field, replace

from ds01_spawner.domain.door import DoorRecord, EngineFacts, GroupMembers, NodeAccess, ServicePort
from ds01_spawner.domain.errors import NotFound, Unavailable

_CLOSED, _GROUP = 0o002, 0o022


@dataclass
class FakeGroups:
    """The `GroupDatabase` port.

    Attributes:
        groups: Members by group.
        users: Who exists.
        stuck: When set, nothing can be changed.
    """

    groups: dict[str, GroupMembers] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    stuck: bool = False

    def members(self, group: str) -> GroupMembers | None:
        return self.groups.get(group)

    def remove(self, user: str, group: str) -> None:
        self._check()
        known = self.groups.get(group)
        if known is not None:
            listed = tuple(each for each in known.listed if each != user)
            self.groups[group] = replace(known, listed=listed)

    def add(self, user: str, group: str) -> None:
        self._check()
        known = self.groups.get(group)
        if known is None:
            raise NotFound(f"There is no group {group}.")
        if user in known.listed:
            return
        if user not in self.users:
            raise NotFound(f"There is no user {user} any more.")
        self.groups[group] = replace(known, listed=(*known.listed, user))

    def _check(self) -> None:
        if self.stuck:
            raise Unavailable("gpasswd failed: cannot lock /etc/group")


@dataclass
class FakeNodes:
    """The `Nodes` port; a pattern is a path, or ends with `*`."""

    nodes: dict[str, NodeAccess] = field(default_factory=dict)

    def find(self, pattern: str) -> tuple[NodeAccess, ...]:
        begin, star, _ = pattern.partition("[")
        return tuple(
            each
            for path, each in self.nodes.items()
            if path == pattern or (star and path.startswith(begin))
        )

    def close(self, path: str, *, to_group: bool) -> None:
        known = self._known(path)
        mode = known.mode & ~(_GROUP if to_group else _CLOSED)
        self.nodes[path] = replace(known, mode=mode, acl="", granted=())

    def restore(self, access: NodeAccess) -> None:
        self._known(access.path)
        self.nodes[access.path] = access

    def _known(self, path: str) -> NodeAccess:
        if path not in self.nodes:
            raise NotFound(f"{path} does not exist.")
        return self.nodes[path]


@dataclass
class FakeEngineSetup:
    """The `EngineSetup` port.

    Attributes:
        settings: What the file says.
        options: What the command line says of them besides.
        tcp: Addresses that it listens on.
        runc: What it says of its runc.
    """

    settings: dict[str, object] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    tcp: tuple[str, ...] = ()
    runc: str = ""

    def facts(self) -> EngineFacts:
        said = {"default-runtime": "runc", "live-restore": False} | self.settings | self.options
        return EngineFacts(
            default_runtime=str(said["default-runtime"]),
            live_restore=bool(said["live-restore"]),
            tcp=self.tcp,
            runc=self.runc,
        )

    def setting(self, key: str) -> object:
        return self.settings.get(key)

    def change(self, key: str, value: object) -> None:
        if value is None:
            self.settings.pop(key, None)
        else:
            self.settings[key] = value


@dataclass
class FakeSystemFiles:
    """The `SystemFiles` port."""

    texts: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def write(self, path: str, text: str | None) -> None:
        if text is None:
            self.texts.pop(path, None)
        else:
            self.texts[path] = text


@dataclass
class FakeGateway:
    """The `GatewaySocket` port."""

    running: bool = True
    path: str = "/run/ds01/docker.sock"

    def answers(self) -> bool:
        return self.running


@dataclass
class FakeServicePorts:
    """The `ServicePorts` port."""

    ports: tuple[ServicePort, ...] = ()

    def look(self) -> tuple[ServicePort, ...]:
        return self.ports


@dataclass
class FakeRecords:
    """The `DoorRecords` port."""

    records: dict[str, DoorRecord] = field(default_factory=dict)

    def load(self, name: str) -> DoorRecord | None:
        return self.records.get(name)

    def save(self, record: DoorRecord) -> None:
        self.records[record.name] = record

    def forget(self, name: str) -> None:
        self.records.pop(name, None)
