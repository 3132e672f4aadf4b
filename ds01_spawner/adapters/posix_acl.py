"""Access control lists as the kernel keeps them: `system.posix_acl_access` (acl(5)).

A header and entries of tag, permissions and id, all little-endian (linux/posix_acl_xattr.h).
"""

import errno
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

XATTR = "system.posix_acl_access"

USER_OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_HEADER = struct.Struct("<I")
_VERSION = 2
_ENTRY = struct.Struct("<HHI")
_NO_ID = 0xFFFFFFFF
_NONE = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Acl:
    """Who may do what; permissions are three bits, as in a mode.

    Attributes:
        owner: The owner.
        group: The owning group.
        other: Everybody else.
        mask: The most that the group, and users and groups by name, may; `None` without those.
        users: Users by id.
        groups: Groups by id.
    """

    owner: int
    group: int
    other: int
    mask: int | None = None
    users: Mapping[int, int] = field(default_factory=dict)
    groups: Mapping[int, int] = field(default_factory=dict)

    @property
    def of_group(self) -> int:
        """What the owning group may do: `chmod` changes the mask where there is one."""
        return self.group if self.mask is None else self.group & self.mask

    def allowed(self, uid: int) -> int:
        """What a user by name may do."""
        perm = self.users.get(uid, 0)
        return perm if self.mask is None else perm & self.mask

    def with_user(self, uid: int, perm: int) -> "Acl":
        """The same, and this user may do that."""
        mask = (self.group if self.mask is None else self.mask) | perm
        users = {**self.users, uid: perm}
        return Acl(self.owner, self.group, self.other, mask, users, self.groups)

    def without_user(self, uid: int) -> "Acl":
        """The same without an entry of this user; the mask goes with the last entry by name.

        What the mask kept from the group stays kept from it.
        """
        users = {key: perm for key, perm in self.users.items() if key != uid}
        if users or self.groups:
            return Acl(self.owner, self.group, self.other, self.mask, users, self.groups)
        return Acl(self.owner, self.of_group, self.other)

    @property
    def raw(self) -> bytes:
        """As the kernel keeps it; without entries by name it is as good as a mode."""
        entries: list[tuple[int, int, int]] = [(USER_OWNER, self.owner, _NO_ID)]
        entries += [(USER, perm, uid) for uid, perm in sorted(self.users.items())]
        entries += [(GROUP_OWNER, self.group, _NO_ID)]
        entries += [(GROUP, perm, gid) for gid, perm in sorted(self.groups.items())]
        entries += [] if self.mask is None else [(MASK, self.mask, _NO_ID)]
        entries += [(OTHER, self.other, _NO_ID)]
        return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*each) for each in entries)


def raw_acl_of(path: Path | str) -> bytes:
    """The list of a file; empty without one.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return os.getxattr(path, XATTR)
    except OSError as exc:
        if exc.errno in _NONE:
            return b""
        raise


def entries_of(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, permissions and id of each entry."""
    if len(raw) > _HEADER.size:
        yield from _ENTRY.iter_unpack(raw[_HEADER.size :])


def acl_of(mode: int, raw: bytes) -> Acl:
    """What a file's mode and list say."""
    entries = list(entries_of(raw))
    if not entries:
        return Acl(mode >> 6 & 0o7, mode >> 3 & 0o7, mode & 0o7)
    plain = {tag: perm for tag, perm, _ in entries}
    return Acl(
        owner=plain[USER_OWNER],
        group=plain[GROUP_OWNER],
        other=plain[OTHER],
        mask=plain.get(MASK),
        users=_named(entries, USER),
        groups=_named(entries, GROUP),
    )


def _named(entries: Iterable[tuple[int, int, int]], wanted: int) -> dict[int, int]:
    return {number: perm for tag, perm, number in entries if tag == wanted}
