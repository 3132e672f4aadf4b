import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.ssh_identity import (
    authorized_keys,
    group_line,
    identity_of,
    passwd_line,
    server_command,
)
from ds01_spawner.domain.ssh_key import SshKey
from fakes.clock import EPOCH


def test_somebody_with_an_account_is_who_they_are_on_the_server() -> None:
    who = identity_of("anna.lee", UnixAccount("anna.lee", 2001, 100, "/home/anna.lee"))
    assert passwd_line(who) == "anna.lee:x:2001:100::/home/anna.lee:/bin/sh\n"
    assert group_line(who) == "anna.lee:x:100:\n"
    assert server_command(who) == ("/bin/sh", "/run/ds01/ssh/start.sh", "anna.lee")


@pytest.mark.parametrize(
    ("user", "login"),
    [("alice", "alice"), ("a.b-c_d", "a.b-c_d"), ("root", "ds01-root"), ("x", "x")],
)
def test_somebody_of_the_hub_alone_is_the_images_user_by_their_own_name(
    user: str, login: str
) -> None:
    assert passwd_line(identity_of(user, None)) == f"{login}:x:1000:1000::/home/jovyan:/bin/sh\n"


@given(st.text(min_size=1, max_size=60))
def test_whatever_somebody_is_called_their_line_is_one_line_of_seven_fields(user: str) -> None:
    line = passwd_line(identity_of(user, None))
    assert line.count(":") == 6
    assert line.count("\n") == 1
    assert line.split(":")[1:4] == ["x", "1000", "1000"]
    assert not line.startswith(("-", "root:"))


def test_each_key_is_a_line_without_options() -> None:
    keys = [SshKey("a", f"id{n}", "ssh-ed25519", "AAAA", "laptop", EPOCH) for n in range(2)]
    assert authorized_keys(keys) == "ssh-ed25519 AAAA laptop\n" * 2
    assert authorized_keys([]) == ""
