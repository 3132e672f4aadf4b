"""Who a container's processes are, and what they may do to the kernel."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.docker.reading.go_json import Fields

IMAGE_USER_CAPABILITIES = frozenset(
    {
        *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"),
        *("SETGID", "SETPCAP", "SETUID"),
    }
)
"""Docker's default without NET_RAW, MKNOD, AUDIT_WRITE, SETFCAP and SYS_CHROOT.

https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
"""

_USER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?\Z")
_GROUP = re.compile(r"^\d{1,7}\Z", re.ASCII)
_CAPABILITY = re.compile(r"^[A-Z_]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class AskedUser:
    """Who runs inside.

    Attributes:
        is_image_user: Whether the policy lets the image say so; then nothing of the host is
            mounted.
        user: `uid:gid` of the person, or what was asked of the image's users; `None`: the image's.
        capabilities: What an image's user may do; always empty for the person.
        groups: More groups of an image's user.
    """

    is_image_user: bool = False
    user: str | None = None
    capabilities: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()


def asked_user(
    config: Fields, host: Fields, account: UnixAccount, *, allow_image_user: bool
) -> AskedUser:
    """Who the container runs as.

    Raises:
        Forbidden: Somebody else than the person, or capabilities they cannot have.
        InvalidRequest: Something that is no user, group or capability.
    """
    text = config.text("User")
    added = _capabilities(host.texts("CapAdd") or ())
    dropped = _capabilities(host.texts("CapDrop") or ())
    groups = host.texts("GroupAdd") or ()
    if allow_image_user:
        if bad := [group for group in groups if not _GROUP.match(group)]:
            raise InvalidRequest(
                f"--group-add {shown(bad[0])} is not a group's number.",
                "Give the group by its number.",
            )
        return AskedUser(
            is_image_user=True,
            user=checked_user(text) if text else None,
            capabilities=_image_capabilities(added, dropped),
            groups=tuple(int(group) for group in groups),
        )
    if added:
        raise Forbidden(
            f"--cap-add {min(added)} is not available here: containers run as you, without any "
            "capability.",
            "Leave it out.",
        )
    known = {*account.groups, *map(str, account.group_ids), str(account.gid)}
    if strange := [group for group in groups if group not in known]:
        raise Forbidden(
            f"--group-add {shown(strange[0])}: you are not in that group.",
            "Leave it out.",
        )
    return AskedUser(user=person_user(text, account))


def person_user(text: str, account: UnixAccount) -> str:
    """`uid:gid` for a `--user` that means the person, or says nothing.

    Raises:
        Forbidden: It means somebody else.
    """
    name, _, group = text.partition(":")
    gids = {str(gid): gid for gid in sorted({*account.group_ids, account.gid})}
    if name not in {"", account.name, str(account.uid)}:
        raise Forbidden(
            f"--user {shown(text)}: containers run as you, {account.name} "
            f"({account.uid}:{account.gid}), and never as root.",
            "Leave --user out; software is installed with docker build.",
        )
    if group and group not in gids:
        raise Forbidden(
            f"--user {shown(text)[1:-1]}: {shown(group)[1:-1]} is not one of your groups "
            f"({', '.join(gids)}).",
            "Leave the group out, or give one of yours by its number.",
        )
    return f"{account.uid}:{gids[group] if group else account.gid}"


def checked_user(text: str) -> str:
    """`text`, when it can be a user inside a container.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _USER.match(text):
        raise InvalidRequest(
            f"--user {shown(text)} cannot be read.", "Write it as USER or UID:GID."
        )
    return text


def _capabilities(names: Iterable[str]) -> frozenset[str]:
    found = [name.upper().removeprefix("CAP_") for name in names]
    if bad := [name for name in found if not _CAPABILITY.match(name)]:
        raise InvalidRequest(f"{shown(bad[0])} is not a capability.")
    return frozenset(found)


def _image_capabilities(added: frozenset[str], dropped: frozenset[str]) -> tuple[str, ...]:
    if beyond := sorted(added - IMAGE_USER_CAPABILITIES):
        raise Forbidden(
            f"--cap-add {beyond[0]} is not available here.",
            f"Leave it out; there are {', '.join(sorted(IMAGE_USER_CAPABILITIES))}.",
        )
    base = frozenset[str]() if "ALL" in dropped else IMAGE_USER_CAPABILITIES
    return tuple(sorted((base | added) - dropped))
