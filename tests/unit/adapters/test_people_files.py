"""Members files and addresses on disk."""

from pathlib import Path

import pytest

from ds01_spawner.adapters import membership_files
from ds01_spawner.adapters.address_files import AddressFiles
from ds01_spawner.adapters.membership_files import MembershipFiles
from ds01_spawner.domain.errors import InvalidRequest, NotFound, PolicyError, Unavailable
from ds01_spawner.policy.members import MembersFile

POLICY = "groups:\n  student: {priority: 10}\n  staff: {priority: 20}\n"
CHANNELS = """channels:
  mail:
    url_file: mail.url
    addresses: "{user}@uni.example"
    addresses_file: addresses.yaml
  chat:
    url: slack://token/{address}
    addresses_file: chat.yaml
  lab:
    url: json://hooks.uni.example/{user}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "resource-limits.yaml").write_text(POLICY)
    (tmp_path / "notifications.yaml").write_text(CHANNELS)
    (tmp_path / "mail.url").write_text("mailtos://ds01@mail.uni.example?to={address}\n")
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "staff.members").write_text("# Staff\nbob\nalice\n")
    return tmp_path


@pytest.fixture
def members(folder: Path) -> MembershipFiles:
    return MembershipFiles(folder)


@pytest.fixture
def addresses(folder: Path) -> AddressFiles:
    return AddressFiles(folder)


def test_somebody_is_moved_and_others_stay(members: MembershipFiles, folder: Path) -> None:
    assert members.of("alice") == {"staff": f"{folder}/groups/staff.members:3"}
    members.move("alice", "student", "Alice Liddell")
    assert members.of("alice") == {"student": f"{folder}/groups/student.members:1"}
    assert (folder / "groups/staff.members").read_text() == "# Staff\nbob\n"
    members.move("alice", None)
    assert members.of("alice") == {}


def test_a_file_keeps_mode_and_link(members: MembershipFiles, folder: Path) -> None:
    real = folder / "real.members"
    (folder / "groups" / "staff.members").rename(real)
    (folder / "groups" / "staff.members").symlink_to(real)
    real.chmod(0o640)
    members.move("carol", "staff")
    assert (folder / "groups" / "staff.members").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "carol" in real.read_text()


def test_a_policy_that_is_not_valid_is_not_touched(members: MembershipFiles, folder: Path) -> None:
    (folder / "groups" / "nonsense.members").write_text("dora\n")
    with pytest.raises(PolicyError, match="no group of that name"):
        members.move("alice", "student")
    assert members.of("alice") == {"staff": f"{folder}/groups/staff.members:3"}


def test_a_group_that_does_not_exist_gets_no_file(members: MembershipFiles, folder: Path) -> None:
    with pytest.raises(PolicyError):
        members.move("alice", "nobody")
    assert not (folder / "groups" / "nobody.members").exists()
    assert "alice" in members.of("alice") or "staff" in members.of("alice")


def test_what_turns_out_invalid_is_undone(
    members: MembershipFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = membership_files._put

    def also_breaks(file: MembersFile) -> None:
        put(file)
        (folder / "resource-limits.yaml").write_text("groups: 7\n")

    monkeypatch.setattr(membership_files, "_put", also_breaks)
    with pytest.raises(PolicyError):
        members.move("carol", "staff")
    assert (folder / "groups" / "staff.members").read_text() == "# Staff\nbob\nalice\n"


def test_a_file_that_cannot_be_written_is_said(
    members: MembershipFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(membership_files, "put_text", full)
    with pytest.raises(Unavailable, match="No space left"):
        members.move("carol", "staff")


def test_channels_that_keep_addresses_are_known(addresses: AddressFiles) -> None:
    assert [(each.name, each.scheme) for each in addresses.channels()] == [
        ("mail", "mailtos"),
        ("chat", "slack"),
    ]


def test_addresses_are_kept_in_their_channels_file(addresses: AddressFiles, folder: Path) -> None:
    addresses.put("alice", "mail", "a@uni.example")
    addresses.put("alice", "chat", "@alice")
    addresses.put("bob", "chat", "@bob")
    assert addresses.of("alice") == {"mail": "a@uni.example", "chat": "@alice"}
    assert (folder / "addresses.yaml").stat().st_mode & 0o777 == 0o640
    addresses.remove("alice")
    assert addresses.of("alice") == {}
    assert (folder / "chat.yaml").read_text() == 'bob: "@bob"\n'


def test_a_channel_without_addresses_takes_none(addresses: AddressFiles) -> None:
    with pytest.raises(NotFound, match="No channel lab"):
        addresses.put("alice", "lab", "a@uni.example")
    with pytest.raises(InvalidRequest):
        addresses.put("alice", "mail", "a b")


def test_without_channels_there_is_nothing(folder: Path, addresses: AddressFiles) -> None:
    (folder / "notifications.yaml").unlink()
    assert addresses.channels() == ()
    assert addresses.of("alice") == {}
    addresses.remove("alice")
