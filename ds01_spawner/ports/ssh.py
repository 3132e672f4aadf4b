"""What SSH servers in people's containers read."""

from collections.abc import Sequence
from typing import Protocol

from ds01_spawner.domain.ssh_identity import SshIdentity
from ds01_spawner.domain.ssh_key import SshKey


class SshFolder(Protocol):
    """A folder per person that every container of theirs has, read-only: `/run/ds01/ssh`."""

    def show(self, user: str, identity: SshIdentity, keys: Sequence[SshKey]) -> str:
        """Let exactly these keys open the person's containers.

        Returns:
            The public part of their containers' host key: `ssh-ed25519 AAAA…`. It is one person's
            alone, and stays the same.

        Raises:
            Unavailable: The folder cannot be written, or its host key is damaged.
        """
        ...

    def forget(self, user: str) -> None:
        """Remove the folder, with the host key; there need be none.

        Raises:
            Unavailable: It cannot be removed.
        """
        ...
