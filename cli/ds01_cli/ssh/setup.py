"""What this computer needs to get into containers: a key, and files for `ssh`."""

from typing import TYPE_CHECKING

from ds01_spawner.home.ssh_files import (
    Files,
    files,
    include,
    is_included,
    leave_out,
    prepare,
    program,
    read,
    write,
)

if TYPE_CHECKING:
    from ds01_spawner.client import Client

__all__ = [
    "Files",
    "files",
    "include",
    "is_included",
    "leave_out",
    "prepare",
    "program",
    "read",
    "ready",
    "write",
]


def ready(client: "Client | None" = None) -> Files:
    """The files; made, and the key added to one's own, where that was not done yet.

    Args:
        client: Asks the API; by default one is opened where it is needed.
    """
    where = files()
    if where.config.exists():
        return where
    if client is not None:
        prepare(client, None)
        return where
    from ds01_cli.frame import session  # noqa: PLC0415 - most connections do without

    with session.connect() as opened:
        prepare(opened, None)
    return where
