"""Who may open sockets and devices: mode, owner and access control list (acl(5))."""

import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ds01_spawner.adapters.posix_acl import (
    GROUP,
    GROUP_OWNER,
    MASK,
    USER,
    XATTR,
    entries_of,
    raw_acl_of,
)
from ds01_spawner.domain.door import NodeAccess
from ds01_spawner.domain.errors import NotFound, Unavailable

_WRITE = 0o2


class FileNodes:
    """The `Nodes` port.

    Args:
        root: Folder that stands for `/`.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def find(self, pattern: str) -> tuple[NodeAccess, ...]:
        """Those that match, each once."""
        real = dict.fromkeys(
            path.resolve() for path in sorted(self._root.glob(pattern.removeprefix("/")))
        )
        found = [self._access(path) for path in real]
        return tuple(each for each in found if each is not None)

    def close(self, path: str, *, to_group: bool) -> None:
        """Let nobody write but its owner, and its group unless told otherwise."""
        node = self._place(path)
        with _translated(path):
            mode = stat.S_IMODE(node.stat().st_mode)
            entries = list(entries_of(raw_acl_of(node)))
            if entries:
                # Without the list, the mask would be what the group may do.
                own = next((perm for tag, perm, _ in entries if tag == GROUP_OWNER), 0)
                os.removexattr(node, XATTR)
                mode = (mode & ~0o070) | (own << 3)
            node.chmod(mode & ~(0o022 if to_group else 0o002))

    def restore(self, access: NodeAccess) -> None:
        """Give it the mode, owner, group and access control list of `access`."""
        node = self._place(access.path)
        with _translated(access.path):
            os.chown(node, access.uid, access.gid)
            node.chmod(access.mode)
            if access.acl:
                os.setxattr(node, XATTR, bytes.fromhex(access.acl))

    def _place(self, path: str) -> Path:
        return self._root / path.removeprefix("/")

    def _access(self, path: Path) -> NodeAccess | None:
        try:
            found = path.stat()
            acl = raw_acl_of(path)
        except OSError:
            return None
        shown = "/" + str(path.relative_to(self._root.resolve()))
        return NodeAccess(
            path=shown,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            group=_group_name(found.st_gid),
            acl=acl.hex(),
            reachable=self._is_reachable(path),
            granted=_granted(acl),
        )

    def _is_reachable(self, path: Path) -> bool:
        above = path.relative_to(self._root.resolve()).parents
        return all((self._root / each).stat().st_mode & stat.S_IXOTH for each in list(above)[:-1])


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _granted(acl: bytes) -> tuple[str, ...]:
    entries = list(entries_of(acl))
    mask = next((perm for tag, perm, _ in entries if tag == MASK), 0o7)
    kinds = {USER: "user", GROUP: "group"}
    return tuple(
        f"{kinds[tag]} {number}"
        for tag, perm, number in entries
        if tag in kinds and perm & mask & _WRITE and number != 0
    )


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise NotFound(f"{path} does not exist.") from exc
    except OSError as exc:
        raise Unavailable(f"The access to {path} cannot be changed: {exc.strerror}.") from exc
