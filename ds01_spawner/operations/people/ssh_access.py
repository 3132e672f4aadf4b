"""Who may log in to somebody's containers by SSH, told to the containers."""

from dataclasses import dataclass

from ds01_spawner.domain.errors import Conflict
from ds01_spawner.domain.ssh_identity import SshIdentity, identity_of
from ds01_spawner.ports import Accounts, Ledger, SshFolder


@dataclass(frozen=True, slots=True)
class SshReadiness:
    """What SSH to somebody's containers looks like.

    Attributes:
        identity: Who they are there.
        host_key: The public key of all their containers.
        keys: How many keys of theirs open them.
    """

    identity: SshIdentity
    host_key: str
    keys: int


class SshAccess:
    """Keeps the files of people's SSH servers as the ledger has their keys. Thread-safe."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, folder: SshFolder) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._folder = folder

    def refresh(self, user: str) -> SshReadiness:
        """Let exactly the person's keys open their containers, from now on.

        Raises:
            InvalidRequest: The name cannot be a person's.
            Forbidden: It is a system account's.
            Unavailable: Accounts, ledger or files cannot be read or written.
        """
        identity = identity_of(user, self._accounts.lookup(user))
        with self._ledger.transaction() as transaction:
            # Within it: of two at the same time, the later one has the newer keys.
            keys = transaction.ssh_keys(user)
            host_key = self._folder.show(user, identity, keys)
        return SshReadiness(identity, host_key, len(keys))

    def prepare(self, user: str) -> SshReadiness:
        """As `refresh`, for somebody who is about to connect.

        Raises:
            Conflict: No key opens anything.
        """
        ready = self.refresh(user)
        if not ready.keys:
            raise Conflict(
                "No SSH key of yours is known here.",
                "Add one: ds01 ssh-config, on the computer that you connect from.",
            )
        return ready
