"""Doors that the machine has: how each is looked at, closed, and opened again as it was."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from ds01_spawner.domain.door import Finding, NodeAccess
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.ports.doors import (
    EngineSetup,
    GroupDatabase,
    Nodes,
)

Before = Mapping[str, object]
"""What undoing needs; JSON values only."""

_WRITE_ALL, _WRITE_GROUP = 0o002, 0o020
_FEW = 8


class Door(Protocol):
    """One way past the platform."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def look(self) -> Finding | None:
        """How it stands; `None` where this machine has no such thing."""
        ...

    def before(self) -> Before:
        """What `close` is about to change, as it is."""
        ...

    def close(self) -> None:
        """Make the changes that the finding names."""
        ...

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Make it as it was; what was done, and what could not be, in sentences."""
        ...


@dataclass(frozen=True, slots=True)
class GroupDoor:
    """A Unix group whose members are as good as root."""

    group: str
    why: str
    groups: GroupDatabase

    @property
    def name(self) -> str:
        """Such as `docker-group`."""
        return f"{self.group}-group"

    def look(self) -> Finding | None:
        """Who is in it."""
        members = self.groups.members(self.group)
        if members is None:
            return None
        elsewhere = [*members.elsewhere, *members.primary]
        people = members.everybody
        said = f"{_listed(people)} {'is' if len(people) == 1 else 'are'} in the group {self.group}."
        return Finding(
            name=self.name,
            is_open=bool(people),
            what=said if people else f"Nobody is in the group {self.group}.",
            why=self.why,
            changes=tuple(
                f"{user} is taken out of the group {self.group} (gpasswd -d {user} {self.group})."
                for user in members.listed
            ),
            by_hand=f"{_listed(elsewhere)}: by a directory, or as the primary group; change it"
            " there."
            if elsewhere
            else "Sessions that are open keep the group until they end."
            if people
            else "",
        )

    def before(self) -> Before:
        """Who is in it."""
        members = self.groups.members(self.group)
        return {"members": list(members.listed) if members else []}

    def close(self) -> None:
        """Take everybody out."""
        members = self.groups.members(self.group)
        for user in members.listed if members else ():
            self.groups.remove(user, self.group)

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Put back whoever was taken out."""
        told = []
        for user in _texts(before.get("members")):
            try:
                self.groups.add(user, self.group)
            except NotFound as exc:
                told.append(str(exc))
            else:
                told.append(f"{user} is in the group {self.group} again.")
        return tuple(told)


@dataclass(frozen=True, slots=True)
class SocketDoor:
    """An engine's socket."""

    name: str
    pattern: str
    why: str
    nodes: Nodes
    known_groups: frozenset[str] = frozenset({"root"})

    def look(self) -> Finding | None:
        """Who may open it."""
        found = self.nodes.find(self.pattern)
        if not found:
            return None
        opened = [each for each in found if self._faults(each)]
        paths = ", ".join(each.path for each in found)
        if not opened:
            return Finding(self.name, is_open=False, what=f"{paths}: root's.", why=self.why)
        return Finding(
            name=self.name,
            is_open=True,
            what=" ".join(
                f"{each.path} (mode {each.mode:04o}) is open to {', '.join(self._faults(each))}."
                for each in opened
            ),
            why=self.why,
            changes=tuple(
                f"{each.path} gets mode {each.mode & ~self._closed(each):04o}, and no access"
                " control list."
                for each in opened
            ),
            by_hand="The engine makes its socket anew when it starts: set SocketMode=0660 in"
            " docker.socket where that opens it.",
        )

    def before(self) -> Before:
        """Mode, owner, group and list of each that is open."""
        opened = [each for each in self.nodes.find(self.pattern) if self._faults(each)]
        return {"nodes": [asdict(each) for each in opened]}

    def close(self) -> None:
        """Let nobody write but owner and group."""
        for each in self.nodes.find(self.pattern):
            if self._faults(each):
                self.nodes.close(each.path, to_group=self._is_strange(each))

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Give each what it had."""
        told = []
        known = before.get("nodes")
        for each in known if isinstance(known, list) else ():
            access = NodeAccess(**{**each, "granted": tuple(each.get("granted", ()))})
            try:
                self.nodes.restore(access)
            except NotFound as exc:
                told.append(str(exc))
            else:
                told.append(f"{access.path} has mode {access.mode:04o} again.")
        return tuple(told)

    def _faults(self, access: NodeAccess) -> list[str]:
        everybody = access.mode & _WRITE_ALL and access.reachable
        group = [f"the group {access.group}"] if self._is_strange(access) else []
        return [*(["everybody"] if everybody else []), *group, *access.granted]

    def _is_strange(self, access: NodeAccess) -> bool:
        """Whether a group may write that no finding of its own tells of."""
        return bool(access.mode & _WRITE_GROUP) and access.group not in self.known_groups

    def _closed(self, access: NodeAccess) -> int:
        return _WRITE_ALL | _WRITE_GROUP if self._is_strange(access) else _WRITE_ALL


@dataclass(frozen=True, slots=True)
class SettingDoor:
    """A setting of the engine.

    Attributes:
        name: What the door is called.
        key: The setting's name in daemon.json.
        wanted: What it should be; `None`: nothing.
        why: Why it matters.
        engine: Where it is set.
        found: What is wrong by the facts, or an empty text; asked anew each time.
        effect: What changing it does.
    """

    name: str
    key: str
    wanted: object
    why: str
    engine: EngineSetup
    found: Callable[[], tuple[bool, str]]
    effect: str

    def look(self) -> Finding | None:
        """Whether it is as it should be."""
        is_open, what = self.found()
        file = self.engine.facts().file
        settable = is_open and self.engine.setting(self.key) != self.wanted
        return Finding(
            name=self.name,
            is_open=is_open,
            what=what,
            why=self.why,
            changes=(f"{file}: {self.effect}",) if settable else (),
            by_hand=f"{file} does not set it: look at the engine's command line."
            if is_open and not settable
            else "",
        )

    def before(self) -> Before:
        """What the file says."""
        return {"value": self.engine.setting(self.key)}

    def close(self) -> None:
        """Let the file say what is wanted."""
        self.engine.change(self.key, self.wanted)

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Let the file say what it said."""
        value = before.get("value")
        self.engine.change(self.key, value)
        said = "says nothing" if value is None else f"says {value!r}"
        return (f"{self.engine.facts().file} {said} of {self.key} again.",)


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = list(names[:_FEW])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
