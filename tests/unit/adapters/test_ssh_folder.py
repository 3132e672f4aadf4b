import os
import stat
import subprocess
from pathlib import Path

import pytest

from contracts.ssh_folder import KEY, WHO, SshFolderContract
from ds01_spawner.adapters.notice_board import FileNoticeBoard
from ds01_spawner.adapters.ssh_folder import FileSshFolder
from ds01_spawner.adapters.ssh_folder.host_key import public_part
from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.domain.errors import Unavailable
from fakes.ssh_folder import FakeSshFolder


class TestFakeSshFolder(SshFolderContract):
    @pytest.fixture
    def folder(self) -> FakeSshFolder:
        return FakeSshFolder()


class TestFileSshFolder(SshFolderContract):
    """With the fixture below."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state" / "notices"


@pytest.fixture
def folder(root: Path) -> FileSshFolder:
    return FileSshFolder(root)


def test_everybody_inside_reads_it_and_nobody_on_the_host_gets_to_it(
    root: Path, folder: FileSshFolder
) -> None:
    root.mkdir(parents=True, mode=0o755)
    before = os.umask(0o077)
    try:
        folder.show("alice", WHO, [KEY])
    finally:
        os.umask(before)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    shown = root / "alice" / "ssh"
    for each in (shown.parent, shown):
        assert stat.S_IMODE(each.stat().st_mode) == 0o755
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in shown.iterdir()}
    names = ("authorized_keys", "group", "host_key", "passwd")
    assert files == dict.fromkeys((*names, "session.sh", "sshd_config", "start.sh"), 0o644)
    assert (shown / "authorized_keys").read_text() == "ssh-ed25519 AAAA laptop\n"


def test_a_restart_keeps_the_host_key(root: Path, folder: FileSshFolder) -> None:
    first = folder.show("alice", WHO, [])
    assert FileSshFolder(root).show("alice", WHO, []) == first


def test_keys_that_are_gone_open_nothing_any_more(root: Path, folder: FileSshFolder) -> None:
    folder.show("alice", WHO, [KEY])
    folder.show("alice", WHO, [])
    assert (root / "alice/ssh/authorized_keys").read_bytes() == b""


def test_links_are_replaced_and_not_followed(
    root: Path, folder: FileSshFolder, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    shown = root / "alice" / "ssh"
    shown.mkdir(parents=True)
    for name in ("authorized_keys", "passwd", "start.sh"):
        (shown / name).symlink_to(victim)
    folder.show("alice", WHO, [KEY])
    assert victim.read_text() == "mine"
    assert not (shown / "passwd").is_symlink()


@pytest.mark.parametrize("place", ["alice", "alice/ssh"])
def test_a_folder_that_is_a_link_is_replaced(
    root: Path, folder: FileSshFolder, tmp_path: Path, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(elsewhere)
    folder.show("alice", WHO, [KEY])
    assert list(elsewhere.iterdir()) == []
    assert not (root / place).is_symlink()


def test_a_host_key_that_is_a_link_or_damaged_is_not_used(
    root: Path, folder: FileSshFolder, tmp_path: Path
) -> None:
    folder.show("alice", WHO, [])
    key = root / "alice/ssh/host_key"
    other = tmp_path / "other"
    other.write_bytes(key.read_bytes())
    key.unlink()
    key.symlink_to(other)
    with pytest.raises(Unavailable, match="damaged"):
        folder.show("alice", WHO, [])
    key.unlink()
    key.write_text("-----BEGIN")
    with pytest.raises(Unavailable, match="Ask the administrator"):
        folder.show("alice", WHO, [])


def test_openssh_reads_the_host_key(root: Path, folder: FileSshFolder) -> None:
    public = folder.show("alice", WHO, [])
    key = root / "alice/ssh/host_key"
    key.chmod(0o600)  # ssh-keygen is stricter than sshd with files of its own
    command = ["ssh-keygen", "-y", "-f", str(key)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split()[:2] == public.split()


def test_what_is_no_ed25519_key_is_none() -> None:
    assert public_part(b"") is None
    assert public_part(b"x" * 100) is None


def test_a_full_disk_is_told(root: Path, folder: FileSshFolder) -> None:
    root.parent.mkdir(parents=True)
    root.write_text("a file")
    with pytest.raises(Unavailable, match="What SSH needs cannot be kept"):
        folder.show("alice", WHO, [])


def test_who_tidies_notices_up_leaves_it(root: Path, folder: FileSshFolder) -> None:
    folder.show("alice", WHO, [KEY])
    board = FileNoticeBoard(root, SystemZone())
    board.show("alice", "ssh", [])
    board.clear_others([])
    assert (root / "alice/ssh/authorized_keys").exists()
    assert not (root / "alice/ssh.json").exists()


def test_who_is_forgotten_has_another_host_key_afterwards(
    root: Path, folder: FileSshFolder
) -> None:
    before = folder.show("alice", WHO, [KEY])
    folder.forget("alice")
    folder.forget("alice")
    assert not (root / "alice" / "ssh").exists()
    assert folder.show("alice", WHO, [KEY]) != before
