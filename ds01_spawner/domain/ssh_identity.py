"""Who logs in to a container by SSH, and the files that tell its server so. Pure.

A container runs as its owner, whose uid and name its image need not know. What is here tells it:
lines of `passwd` and `group` that images look up before their own (docs/ssh.md), and the keys that
open the person's containers, and nothing else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ds01_spawner.domain.grant import IMAGE_HOME, IMAGE_USER, NOTICES
from ds01_spawner.domain.names import user_slug
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.ssh_key import SshKey

FOLDER_NAME = "ssh"
FOLDER = f"{NOTICES}/{FOLDER_NAME}"
"""Where a container finds what its SSH server reads."""

SHELL = "/bin/sh"
"""What every image has that can be logged in to; `session.sh` goes on with a better one."""

_LOGIN = re.compile(r"^[a-z_][a-z0-9_.-]{0,30}[a-z0-9_]\Z|^[a-z_]\Z")
_ROOT = "root"


@dataclass(frozen=True, slots=True)
class SshIdentity:
    """Who somebody is in their containers.

    Attributes:
        login: The name they log in with.
        uid: Their uid there.
        gid: Their main group there.
        home: Their home there.
    """

    login: str
    uid: int
    gid: int
    home: str


def identity_of(user: str, account: UnixAccount | None) -> SshIdentity:
    """Who `user` is in their containers; without an account, whom the platform made of them."""
    if account is not None:
        return SshIdentity(account.name, account.uid, account.gid, account.home)
    uid, gid = map(int, IMAGE_USER.split(":"))
    login = user if _LOGIN.match(user) else user_slug(user)
    return SshIdentity(f"ds01-{login}" if login == _ROOT else login, uid, gid, IMAGE_HOME)


def passwd_line(identity: SshIdentity) -> str:
    """The person as a line of `passwd`."""
    who = identity
    return f"{who.login}:x:{who.uid}:{who.gid}::{who.home}:{SHELL}\n"


def group_line(identity: SshIdentity) -> str:
    """The person's main group as a line of `group`."""
    return f"{identity.login}:x:{identity.gid}:\n"


def authorized_keys(keys: Iterable[SshKey]) -> str:
    """The keys that open the person's containers."""
    return "".join(f"{key.line}\n" for key in keys)


def server_command(identity: SshIdentity) -> tuple[str, ...]:
    """What is run in a container for each connection, with SSH on its standard streams."""
    return (SHELL, f"{FOLDER}/start.sh", identity.login)
