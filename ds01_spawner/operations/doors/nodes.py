"""The GPUs' device nodes as a way past the platform."""

import re
from collections.abc import Callable, Collection, Iterator

from ds01_spawner.domain.door import NodeAccess
from ds01_spawner.ports.doors import GroupDatabase, Nodes, SystemFiles

PATTERNS = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-modeset")
"""Without these nobody gets a GPU. The others, for unified memory and MIG, reach none alone."""

PARAMETERS = "/proc/driver/nvidia/params"
_SERVICES = frozenset(
    {"dcgm", "gdm", "Debian-gdm", "lightdm", "nvidia-dcgm", "nvidia-persistenced", "sddm"}
)
_OTHERS = 0o007
_BY_HAND = (
    "Close them to all but a group, with the files of config/modprobe and config/udev; read"
    " docs/bare-metal.md first: some containers mount the server's own nodes."
)


class NodesLook:
    """Looks who may open a GPU outside of containers.

    Args:
        nodes: Who may open which.
        groups: Who is in the nodes' group.
        files: What the driver says of itself.
        granted: User ids that have a grant.
    """

    def __init__(
        self,
        nodes: Nodes,
        groups: GroupDatabase,
        files: SystemFiles,
        granted: Callable[[], Collection[int]],
    ) -> None:
        self._nodes = nodes
        self._groups = groups
        self._files = files
        self._granted = granted

    def __call__(self) -> tuple[bool, str, str] | None:
        """Whether it stands open, what was found, and what to do; `None` without GPUs.

        Raises:
            Unavailable: It cannot be looked at.
        """
        found = [each for pattern in PATTERNS for each in self._nodes.find(pattern)]
        if not found:
            return None
        faults = list(self._faults(found))
        if faults:
            return True, " ".join(faults), _BY_HAND
        groups = ", ".join(dict.fromkeys(each.group for each in found))
        return False, f"The GPUs' device nodes are root's and the group's {groups}.", ""

    def _faults(self, found: list[NodeAccess]) -> Iterator[str]:
        opened = [each.path for each in found if each.mode & _OTHERS and each.reachable]
        if opened:
            yield f"{', '.join(opened)}: open to everybody."
        elif mode := self._made_anew():
            yield f"They are closed, and the driver makes them anew with mode {mode:04o}."
        known = {f"user {uid}" for uid in self._granted()}
        strangers = dict.fromkeys(who for each in found for who in each.granted if who not in known)
        if strangers:
            yield f"Open without a grant to {', '.join(strangers)}."
        for group in dict.fromkeys(each.group for each in found if each.mode & 0o060):
            members = self._groups.members(group)
            people = (
                [name for name in members.everybody if name not in _SERVICES] if members else []
            )
            if people and group != "root":
                yield f"In the group {group}, which may open them: {', '.join(people)}."

    def _made_anew(self) -> int | None:
        """The mode that nvidia-modprobe gives them, where everybody may open that."""
        said = self._files.read(PARAMETERS) or ""
        told = dict(re.findall(r"^(\w+): (\d+)$", said, re.MULTILINE))
        mode = int(told.get("DeviceFileMode", "0"))
        return mode if mode & _OTHERS and told.get("ModifyDeviceFiles") == "1" else None
