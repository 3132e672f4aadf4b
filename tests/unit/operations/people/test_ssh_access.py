import pytest

from ds01_spawner.domain.errors import Conflict, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.operations.people.ssh_access import SshAccess
from fakes.accounts import FakeAccounts
from fakes.clock import EPOCH
from fakes.ledger import FakeLedger
from fakes.ssh_folder import KEY, FakeSshFolder

ALICE = UnixAccount("alice", 2001, 2001, "/home/alice")
MINE = SshKey("alice", "a", "ssh-ed25519", "AAAA", "laptop", EPOCH)
THEIRS = SshKey("bob", "b", "ssh-ed25519", "BBBB", "laptop", EPOCH)


@pytest.fixture
def ledger() -> FakeLedger:
    ledger = FakeLedger()
    with ledger.transaction() as transaction:
        transaction.put_ssh_key(THEIRS)
    return ledger


@pytest.fixture
def folder() -> FakeSshFolder:
    return FakeSshFolder()


@pytest.fixture
def access(ledger: FakeLedger, folder: FakeSshFolder) -> SshAccess:
    return SshAccess(accounts=FakeAccounts(ALICE), ledger=ledger, folder=folder)


def test_exactly_ones_own_keys_open_ones_containers(
    access: SshAccess, ledger: FakeLedger, folder: FakeSshFolder
) -> None:
    with ledger.transaction() as transaction:
        transaction.put_ssh_key(MINE)
    ready = access.prepare("alice")
    assert (ready.identity.login, ready.host_key, ready.keys) == ("alice", f"{KEY}alice", 1)
    assert folder.shown["alice"] == (ready.identity, (MINE,))


def test_without_a_key_one_is_told_how_to_add_one_and_old_ones_are_forgotten(
    access: SshAccess, folder: FakeSshFolder
) -> None:
    with pytest.raises(Conflict, match="ds01 ssh-config"):
        access.prepare("alice")
    assert folder.shown["alice"][1] == ()
    assert access.refresh("alice").keys == 0


def test_what_cannot_be_written_opens_nothing(access: SshAccess, folder: FakeSshFolder) -> None:
    folder.full = True
    with pytest.raises(Unavailable):
        access.refresh("alice")
