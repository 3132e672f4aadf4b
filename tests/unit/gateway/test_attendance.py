import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.attendance import MISSING_SECONDS, Attendance, Standing, standing
from ds01_spawner.gateway.identity import ADMIN_GROUP, Caller
from fakes.accounts import FakeAccounts

ALICE = UnixAccount("alice", 1001, 1001, "/home/alice", ("students",))
BOSS = UnixAccount("boss", 1002, 1002, "/home/boss", (ADMIN_GROUP,))


class Lab:
    """People with something open, and what was ended of it."""

    def __init__(self) -> None:
        self.accounts = FakeAccounts(ALICE, BOSS)
        self.seconds = 0.0
        self.ended: list[str] = []
        self.attendance = Attendance(lambda: self.seconds)
        self.open = ExitStack()

    def begin(self, user: str, *, is_admin: bool = False, name: str = "") -> ExitStack:
        account = self.accounts.people.get(user)
        caller = Caller(account.uid if account else 0, 7, user, account, is_admin)
        one = ExitStack()
        one.enter_context(
            self.attendance.attending(caller, lambda: self.ended.append(name or user))
        )
        return self.open.enter_context(one)

    async def look(self, times: int = 1, apart: float = 8.0) -> None:
        for _ in range(times):
            self.seconds += apart
            await self.attendance.look_once(self._standing)

    async def _standing(self, caller: Caller) -> Standing:
        return standing(caller, self.accounts, ADMIN_GROUP)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def close(lab: Lab) -> None:
    lab.accounts.closed.add("alice")


def make_anew(lab: Lab) -> None:
    del lab.accounts.people["alice"]
    lab.accounts.people["mallory"] = replace(ALICE, name="mallory")


@pytest.mark.parametrize("change", [close, make_anew])
async def test_everything_of_who_is_out_is_ended_at_the_second_look(
    lab: Lab, change: Callable[[Lab], None]
) -> None:
    lab.begin("alice", name="ssh")
    lab.begin("alice", name="logs")
    lab.begin("boss", is_admin=True)
    await lab.look(3)
    change(lab)
    await lab.look()
    assert lab.ended == []
    await lab.look()
    assert lab.ended == ["ssh", "logs"]


async def test_who_was_out_for_one_look_goes_on(lab: Lab) -> None:
    lab.begin("alice")
    for _ in range(3):
        lab.accounts.closed.add("alice")
        await lab.look()
        lab.accounts.closed.clear()
        await lab.look()
    assert lab.ended == []


async def test_an_administrator_who_is_none_any_more_does_not_go_on_as_one(lab: Lab) -> None:
    lab.begin("boss", is_admin=True, name="as administrator")
    lab.begin("boss", name="in a container")
    lab.accounts.people["boss"] = replace(BOSS, groups=())
    await lab.look(2)
    assert lab.ended == ["as administrator"]


async def test_an_administrator_whose_groups_a_directory_does_not_tell_for_a_while_goes_on(
    lab: Lab,
) -> None:
    lab.begin("boss", is_admin=True)
    lab.accounts.people["boss"] = replace(BOSS, groups=("1002",))
    lab.accounts.groups.discard(ADMIN_GROUP)
    await lab.look(20)
    assert lab.ended == []
    await lab.look(1 + int(MISSING_SECONDS // 8) - 20 + 1)
    assert set(lab.ended) == {"boss"}


async def test_whoever_gets_more_or_other_groups_goes_on(lab: Lab) -> None:
    lab.begin("alice")
    lab.accounts.people["alice"] = replace(ALICE, groups=("researchers", ADMIN_GROUP))
    await lab.look(3)
    assert lab.ended == []


async def test_an_idle_session_of_somebody_who_is_let_in_lasts_for_days(lab: Lab) -> None:
    lab.begin("alice")
    await lab.look(5, apart=24 * 3600)
    assert lab.ended == []


async def test_what_cannot_be_told_ends_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.begin("alice")
    lab.begin("boss", is_admin=True)
    lab.accounts.stuck = True
    await lab.look(5, apart=3600)

    def home_is_elsewhere(_user: str) -> None:
        raise Forbidden("The home belongs to uid 65534: its file server names nobody.")

    lab.accounts.stuck = False
    monkeypatch.setattr(lab.accounts, "lookup", home_is_elsewhere)
    await lab.look(5, apart=3600)
    assert lab.ended == []


async def test_a_directory_that_is_restarted_ends_nothing_and_an_account_that_stays_away_does(
    lab: Lab,
) -> None:
    lab.begin("alice")
    people = dict(lab.accounts.people)
    lab.accounts.people.clear()
    await lab.look(20)
    lab.accounts.people.update(people)
    await lab.look()
    lab.accounts.people.clear()
    await lab.look(20)
    assert lab.ended == []
    await lab.look(1 + int(MISSING_SECONDS // 8) - 20 + 1)
    assert set(lab.ended) == {"alice"}


async def test_root_is_always_let_in(lab: Lab) -> None:
    lab.begin("root", is_admin=True)
    await lab.look(3)
    assert lab.ended == []


async def test_what_has_ended_by_itself_is_not_ended_again_and_not_looked_at(lab: Lab) -> None:
    lab.begin("alice").close()
    close(lab)
    looked: list[str] = []

    async def look(caller: Caller) -> Standing:
        looked.append(caller.user)
        return Standing.OUT

    for _ in range(3):
        await lab.attendance.look_once(look)
    assert (lab.ended, looked) == ([], [])


async def test_whose_look_fails_or_hangs_keeps_nobody_else_in(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.attendance = Attendance(lambda: lab.seconds, patience_seconds=0.05)
    for user in ("alice", "boss", "broken"):
        account = replace(ALICE, name=user)
        caller = Caller(1001, 7, user, account)
        lab.open.enter_context(
            lab.attendance.attending(caller, lambda user=user: lab.ended.append(user))  # type: ignore[misc]
        )

    async def look(caller: Caller) -> Standing:
        if caller.user == "broken":
            raise RuntimeError("can't start new thread")
        if caller.user == "alice":
            await asyncio.Event().wait()
        return Standing.OUT

    async with asyncio.timeout(10):
        for _ in range(2):
            await lab.attendance.look_once(look)
    assert lab.ended == ["boss"]
    assert "can't start new thread" in str(caplog.records[0].exc_info)


async def test_a_look_that_fails_is_not_the_last(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ds01_spawner.gateway.attendance.LOOK_SECONDS", 0.0)
    answers: list[Exception | Standing] = [
        ValueError("a bug"),
        Unavailable("The directory does not answer."),
        Standing.OUT,
        Standing.OUT,
    ]
    over = asyncio.Event()
    lab.open.enter_context(lab.attendance.attending(Caller(1001, 7, "alice", ALICE), over.set))

    async def look(_caller: Caller) -> Standing:
        answer = answers.pop(0) if answers else Standing.OUT
        if isinstance(answer, Exception):
            raise answer
        return answer

    watching = asyncio.ensure_future(lab.attendance.watch(look))
    async with asyncio.timeout(10):
        await over.wait()
    watching.cancel()
    assert "a bug" in str(caplog.records[0].exc_info)
