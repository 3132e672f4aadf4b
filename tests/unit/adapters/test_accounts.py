import errno
import grp
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.adapters.account_expiry import Expiry
from ds01_spawner.adapters.accounts import SYSTEM, NameService, UnixAccounts
from ds01_spawner.domain.errors import Forbidden, Unavailable

UID = os.getuid() or 4321
GROUPS = {UID: "alice", 4000: "lab-vision", 2000: "docker", 27: "sudo", 100: "users"}


def entry(
    home: Path | str, *, name: str = "alice", uid: int = UID, gid: int = UID
) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", str(home), "/bin/bash"))


def directory(*entries: pwd.struct_passwd, failure: int = 0) -> NameService:
    def passwd(user: str) -> pwd.struct_passwd:
        return {one.pw_name: one for one in entries}[user]

    def group(gid: int) -> grp.struct_group:
        return grp.struct_group((GROUPS[gid], "x", gid, []))

    return NameService(passwd, lambda _user: failure, lambda _user, _gid: list(GROUPS), group)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    if os.getuid() == 0:
        os.chown(tmp_path, UID, UID)
    return tmp_path


def test_a_person_has_ids_home_and_groups(home: Path) -> None:
    account = UnixAccounts(directory(entry(home))).lookup("alice")

    assert account is not None
    assert (account.name, account.uid, account.gid, account.home) == ("alice", UID, UID, str(home))
    assert account.groups == ("alice", "lab-vision", "docker", "sudo", "users")


def test_groups_with_power_over_the_host_stay_outside(home: Path) -> None:
    account = UnixAccounts(directory(entry(home))).lookup("alice")

    assert account is not None
    assert account.group_ids == (UID, 4000)


def test_a_primary_group_below_1000_is_kept(home: Path) -> None:
    account = UnixAccounts(directory(entry(home, gid=100))).lookup("alice")

    assert account is not None
    assert account.group_ids[0] == 100


def test_a_group_without_a_name_is_called_by_its_number(home: Path) -> None:
    names = replace(directory(entry(home)), group_ids=lambda _user, _gid: [UID, 5555])
    account = UnixAccounts(names).lookup("alice")

    assert account is not None
    assert account.groups == ("alice", "5555")


def test_somebody_without_an_account_is_none() -> None:
    assert UnixAccounts(directory()).lookup("alice") is None


@pytest.mark.parametrize("user", ["ds01-no-such-person", "a\0b", "\udc80", "", "0"])
def test_a_name_that_this_host_does_not_have_is_none(user: str) -> None:
    assert UnixAccounts().lookup(user) is None


def test_a_directory_that_ignores_case_does_not_merge_people(home: Path) -> None:
    names = replace(directory(), passwd=lambda _user: entry(home, name="alice"))

    assert UnixAccounts(names).lookup("Alice") is None


@pytest.mark.parametrize("user", ["root", "nobody", "daemon"])
def test_system_accounts_of_this_host_are_nobodys(user: str) -> None:
    with pytest.raises(Forbidden, match="system accounts cannot have containers"):
        UnixAccounts().lookup(user)


@pytest.mark.parametrize(("uid", "gid"), [(0, 0), (999, 1000), (65534, 1000), (1000, 0)], ids=str)
def test_system_ids_are_refused(home: Path, uid: int, gid: int) -> None:
    with pytest.raises(Forbidden):
        UnixAccounts(directory(entry(home, uid=uid, gid=gid))).lookup("alice")


def test_a_directory_server_that_is_down_is_not_an_unknown_person() -> None:
    names = directory(failure=errno.ECONNREFUSED)

    with pytest.raises(Unavailable, match="cannot be looked up: Connection refused"):
        UnixAccounts(names).lookup("alice")


def test_a_name_service_that_fails_for_groups_is_said(home: Path) -> None:
    def fail(_gid: int) -> grp.struct_group:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Unavailable, match="groups of alice"):
        UnixAccounts(replace(directory(entry(home)), group=fail)).lookup("alice")


@pytest.mark.parametrize("place", ["", "/", "//", "relative/home"])
def test_a_home_that_is_no_place_of_ones_own_is_refused(place: str) -> None:
    with pytest.raises(Forbidden, match="no person's home"):
        UnixAccounts(directory(entry(place))).lookup("alice")


def test_a_home_that_does_not_exist_yet_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"does not exist\. Log in to the server once"):
        UnixAccounts(directory(entry(tmp_path / "absent"))).lookup("alice")


def test_somebody_elses_home_is_refused(home: Path) -> None:
    names = directory(entry(home, uid=UID + 1))

    with pytest.raises(Forbidden, match=f"belongs to uid {UID}, not to alice"):
        UnixAccounts(names).lookup("alice")


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    file = home / "file"
    file.write_text("")

    with pytest.raises(Forbidden, match="not a directory"):
        UnixAccounts(directory(entry(file))).lookup("alice")


def test_the_status_of_the_name_service_is_zero_for_an_unknown_name() -> None:
    assert SYSTEM.failure("ds01-no-such-person") == 0


def test_a_closed_account_is_refused_until_it_is_opened(home: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    accounts = UnixAccounts(directory(entry(home)), expiry=Expiry(shadow))
    assert accounts.lookup("alice") is not None

    shadow.write_text("bob:!:1:0:9:7::1:\nalice:!:1:0:9:7::1:\n")
    with pytest.raises(Forbidden, match="The account alice is closed"):
        accounts.lookup("alice")

    shadow.write_text("bob:!:1:0:9:7::1:\nalice:!:1:0:9:7:::\n")
    assert accounts.lookup("alice") is not None

    shadow.write_text("alice:!:1:0:9:7::99999:\n")
    assert accounts.lookup("alice") is not None


def test_expiry_is_read_again_only_when_the_file_is_another(tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.write_text("alice:!:1:0:9:7::1:\n")
    expiry = Expiry(shadow)
    assert expiry.has_expired("alice")
    before = shadow.stat()
    shadow.write_text("alice:!:1:0:9:7::9:\n".replace("alice", "bobby"))
    os.utime(shadow, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert expiry.has_expired("alice")


def test_a_group_that_nobody_knows_is_not_there_and_one_that_cannot_be_looked_up_is_not_gone() -> (
    None
):
    def group(name: str) -> grp.struct_group:
        if name == "stuck":
            raise OSError(errno.EIO, "Input/output error")
        return {"lab": grp.struct_group(("lab", "x", 4000, []))}[name]

    accounts = UnixAccounts(replace(directory(), by_name=group))

    assert accounts.has_group("lab")
    assert not accounts.has_group("gone")
    with pytest.raises(Unavailable):
        accounts.has_group("stuck")
