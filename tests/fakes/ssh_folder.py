"""What SSH servers read, in memory."""

from collections.abc import Sequence

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.names import check_user
from ds01_spawner.domain.ssh_identity import SshIdentity
from ds01_spawner.domain.ssh_key import SshKey

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"


class FakeSshFolder:
    """The `SshFolder` port.

    Attributes:
        shown: Identity and keys, by user.
        full: When set, nothing can be written, as on a full disk.
    """

    def __init__(self) -> None:
        self.shown: dict[str, tuple[SshIdentity, tuple[SshKey, ...]]] = {}
        self.full = False

    def show(self, user: str, identity: SshIdentity, keys: Sequence[SshKey]) -> str:
        if self.full:
            raise Unavailable("What SSH needs cannot be kept: no space left on device.")
        self.shown[check_user(user)] = (identity, tuple(keys))
        return f"{KEY}{user}"

    def forget(self, user: str) -> None:
        self.shown.pop(check_user(user), None)
