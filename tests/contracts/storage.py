"""What every `StorageMeter` must do."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.ports import StorageMeter

SOON = timedelta(seconds=20)
MIB = 1024**2
OTHER = 4_000_000_000

MakeHome = Callable[[str, int], str]
"""Makes the home of a person with so many bytes in it, and returns its path."""


class StorageMeterContract:
    def test_a_home_is_measured(self, meter: StorageMeter, make_home: MakeHome) -> None:
        use = meter.measure("alice", make_home("alice", 4 * MIB), SOON)
        assert use is not None
        assert 4 * MIB <= use.size_bytes < 5 * MIB
        assert use.user == "alice"
        assert (use.limit_bytes, use.told_percent) == (None, 0)

    def test_what_changed_is_seen(self, meter: StorageMeter, make_home: MakeHome) -> None:
        meter.measure("alice", make_home("alice", MIB), SOON)
        for size in (6 * MIB, 2 * MIB):
            use = meter.measure("alice", make_home("alice", size), SOON)
            assert use is not None
            assert size <= use.size_bytes < size + MIB

    def test_a_deadline_that_comes_first_loses_nothing(
        self, meter: StorageMeter, make_home: MakeHome
    ) -> None:
        path = make_home("slow", MIB)
        calls = 1
        while meter.measure("slow", path, timedelta(milliseconds=5)) is None:
            calls += 1
            assert calls < 1000
        assert calls > 1

    def test_a_home_that_does_not_exist_is_not_found(
        self, meter: StorageMeter, make_home: MakeHome
    ) -> None:
        path = f"{make_home('alice', 0)}-gone"
        with pytest.raises(NotFound):
            meter.measure("alice", path, SOON)
        with pytest.raises(NotFound):
            meter.bound("alice", path, MIB, SOON)

    def test_the_home_of_somebody_else_is_not_measured(
        self, meter: StorageMeter, make_home: MakeHome
    ) -> None:
        path = make_home("bob", MIB)
        with pytest.raises(Unavailable, match="belongs to"):
            meter.measure("alice", path, SOON, OTHER)
        with pytest.raises(Unavailable, match="belongs to"):
            meter.bound("alice", path, MIB, SOON, OTHER)
        assert meter.measure("bob", path, SOON, os.getuid()) is not None

    def test_what_is_walked_is_not_bounded(self, meter: StorageMeter, make_home: MakeHome) -> None:
        path = make_home("alice", MIB)
        meter.measure("alice", path, SOON)
        assert not meter.bound("alice", path, MIB, SOON)
