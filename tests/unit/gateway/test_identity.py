from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.identity import Caller, Identification
from fakes.accounts import FakeAccounts
from fakes.calls import ROOT
from fakes.engine import FakeEngine
from fakes.facts import container, foreign_container

ALICE = UnixAccount("alice", 1001, 1001, "/home/alice", ("alice", "students"))
BOSS = UnixAccount("boss", 1002, 1002, "/home/boss", ("boss", "ds01-admin"))
INSIDE = "a" * 64


class Machine:
    """Accounts, an engine, and processes with their cgroups."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.accounts = FakeAccounts(ALICE, BOSS)
        self.engine = FakeEngine()
        self.seconds = 0.0
        self.identification = Identification(
            self.accounts, lambda: self.engine, proc=str(proc), monotonic=lambda: self.seconds
        )

    def process(self, pid: int, cgroup: str = "/user.slice/session-1.scope") -> int:
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "cgroup").write_text(f"4:cpu:{cgroup}\n0::{cgroup}\n")
        return pid

    def identify(self, uid: int, cgroup: str = "/user.slice") -> Caller:
        pid = 100 + len(list(self.proc.iterdir()))
        return self.identification.identify(self.process(pid, cgroup), uid)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_user_id_is_the_person_whose_account_it_is(machine: Machine) -> None:
    caller = machine.identify(1001)
    assert (caller.user, caller.account, caller.is_admin) == ("alice", ALICE, False)


@pytest.mark.parametrize(("uid", "user"), [(0, "root"), (1002, "boss")])
def test_root_and_the_administrators_group_may_do_everything(
    machine: Machine, uid: int, user: str
) -> None:
    caller = machine.identify(uid)
    assert (caller.user, caller.is_admin) == (user, True)


def test_who_has_no_account_is_nobody(machine: Machine) -> None:
    with pytest.raises(Forbidden, match="user id 4711"):
        machine.identify(4711)


def test_an_account_that_another_user_id_has_is_nobodys(machine: Machine) -> None:
    machine.accounts.people["alice"] = replace(ALICE, uid=1001)
    machine.accounts.people["shadow"] = replace(ALICE, name="shadow", uid=1003)
    machine.accounts.lookup = lambda _user: ALICE  # type: ignore[method-assign,assignment]
    with pytest.raises(Forbidden):
        machine.identify(1003)


def test_nobody_is_identified_while_accounts_cannot_be_looked_up(machine: Machine) -> None:
    machine.accounts.stuck = True
    with pytest.raises(Unavailable):
        machine.identify(1001)


def test_somebody_taken_out_of_a_group_is_out_of_it_within_seconds(machine: Machine) -> None:
    assert machine.identify(1002).is_admin
    machine.accounts.people["boss"] = replace(BOSS, groups=("boss",))
    machine.seconds = 6.0
    assert not machine.identify(1002).is_admin


def test_a_process_in_ones_own_container_is_oneself_and_no_administrator(machine: Machine) -> None:
    machine.engine.put(replace(container("boss"), id=INSIDE))
    caller = machine.identify(1002, f"/ds01/staff/boss/{INSIDE}")
    assert (caller.user, caller.is_admin) == ("boss", False)


@pytest.mark.parametrize(
    "owner", [container("bob"), foreign_container()], ids=["somebody else's", "nobody's"]
)
def test_a_user_id_in_a_container_of_others_is_not_believed(
    machine: Machine, owner: Container
) -> None:
    machine.engine.put(replace(owner, id=INSIDE))
    with pytest.raises(Forbidden, match="not yours"):
        machine.identify(1001, f"/system.slice/docker-{INSIDE}.scope")


def test_root_in_a_container_is_nobody(machine: Machine) -> None:
    machine.engine.put(replace(container("alice"), id=INSIDE))
    with pytest.raises(Forbidden, match="Root inside a container"):
        machine.identify(0, f"/ds01/student/alice/{INSIDE}")


def test_a_container_that_the_engine_does_not_know_is_the_machine_itself(machine: Machine) -> None:
    assert machine.identify(1001, f"/kubepods/{'b' * 64}").user == "alice"


def test_nobody_is_identified_while_the_engine_cannot_say_whose_a_container_is(
    machine: Machine,
) -> None:
    machine.engine.stuck = True
    with pytest.raises(Unavailable):
        machine.identify(1001, f"/ds01/student/alice/{INSIDE}")


def test_a_program_that_has_ended_is_nobody(machine: Machine) -> None:
    with pytest.raises(Forbidden, match="has ended"):
        machine.identification.identify(1, 0)


def test_root_is_no_person() -> None:
    with pytest.raises(Forbidden, match="root has no account of a person"):
        _ = ROOT.person
