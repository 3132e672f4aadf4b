"""What every `SshFolder` does, the fake and the real one."""

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.ssh_identity import identity_of
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.ports import SshFolder
from fakes.clock import EPOCH

KEY = SshKey("alice", "id", "ssh-ed25519", "AAAA", "laptop", EPOCH)
WHO = identity_of("alice", None)


class SshFolderContract:
    """Inherit, and give the fixture `folder`."""

    def test_the_host_key_is_one_persons_and_stays(self, folder: SshFolder) -> None:
        first = folder.show("alice", WHO, [])
        assert first.startswith("ssh-ed25519 AAAA")
        assert folder.show("alice", WHO, [KEY]) == first
        others = [folder.show(user, WHO, []) for user in ("bob", "Alice", "alice@x.org")]
        assert len({first, *others}) == 4

    @pytest.mark.parametrize("user", ["", "../x", "a\nb"])
    def test_nobody_impossible_has_a_folder(self, folder: SshFolder, user: str) -> None:
        with pytest.raises(InvalidRequest):
            folder.show(user, WHO, [])
