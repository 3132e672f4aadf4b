"""A directory server, or a file server, that does not answer."""

import pwd
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ds01_spawner.adapters.accounts import SYSTEM, UnixAccounts
from ds01_spawner.domain.errors import Unavailable

PATIENCE_SECONDS = 10.0
_HANGS = "has not answered for 0.02 s"


class Directory:
    """Knows nobody; hangs for some until it is let go."""

    def __init__(self) -> None:
        self.stuck: set[str | int] = set()
        self.go_on = threading.Event()
        self.asked: list[str | int] = []

    def answer(self, key: str | int) -> pwd.struct_passwd:
        self.asked.append(key)
        if key in self.stuck:
            self.go_on.wait(PATIENCE_SECONDS)
        raise KeyError(key)


@pytest.fixture
def directory() -> Iterator[Directory]:
    made = Directory()
    yield made
    made.go_on.set()


@pytest.fixture
def accounts(directory: Directory) -> UnixAccounts:
    names = replace(
        SYSTEM, passwd=directory.answer, by_uid=directory.answer, failure=lambda _user: 0
    )
    return UnixAccounts(names, deadline_seconds=0.02)


def eventually(ask: Callable[[], object]) -> None:
    """Until it does not raise any more, within the patience."""
    over = threading.Event()
    ends = threading.Timer(PATIENCE_SECONDS, over.set)
    ends.start()
    try:
        while True:
            try:
                ask()
            except Unavailable:
                assert not over.is_set()
            else:
                return
    finally:
        ends.cancel()


def test_a_lookup_that_hangs_is_given_up_and_nobody_else_waits(
    directory: Directory, accounts: UnixAccounts
) -> None:
    directory.stuck = {"alice", 1001}
    with pytest.raises(Unavailable, match=_HANGS):
        accounts.lookup("alice")
    with pytest.raises(Unavailable, match=_HANGS):
        accounts.name_of(1001)

    assert accounts.lookup("bob") is None
    assert accounts.name_of(1002) is None


def test_who_hangs_is_not_asked_again_before_the_answer(
    directory: Directory, accounts: UnixAccounts
) -> None:
    directory.stuck = {"alice"}
    for _ in range(3):
        with pytest.raises(Unavailable, match=_HANGS):
            accounts.lookup("alice")
    assert directory.asked == ["alice"]

    directory.go_on.set()
    eventually(lambda: accounts.lookup("alice"))


def test_when_too_many_hang_nobody_is_asked(directory: Directory, accounts: UnixAccounts) -> None:
    directory.stuck = {*range(2000, 2032)}
    for uid in directory.stuck:
        with pytest.raises(Unavailable):
            accounts.name_of(int(uid))
    with pytest.raises(Unavailable, match=_HANGS):
        accounts.name_of(1002)
    assert 1002 not in directory.asked

    directory.go_on.set()
    eventually(lambda: accounts.name_of(1002))
