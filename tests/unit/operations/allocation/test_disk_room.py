import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.allocation.disk_room import LEAST_FREE_BYTES, DiskRoom


def test_a_disk_that_is_nearly_full_takes_nothing_more() -> None:
    DiskRoom(lambda: "/data", lambda _: LEAST_FREE_BYTES).check()
    with pytest.raises(Unavailable, match=r"2.0 GiB are free, and 2 GiB are kept"):
        DiskRoom(lambda: "/data", lambda _: LEAST_FREE_BYTES - 1).check()


def test_what_would_fill_the_disk_is_not_begun() -> None:
    room = DiskRoom(lambda: "/data", lambda _: 2 * LEAST_FREE_BYTES)
    room.check(LEAST_FREE_BYTES)
    with pytest.raises(Unavailable, match=r"4.0 GiB are free, 2.0 GiB would be added, and 2 GiB"):
        room.check(LEAST_FREE_BYTES + 1)


def test_one_that_does_not_answer_takes_nothing_more() -> None:
    def fail(_: str) -> int:
        raise OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match="Input/output error"):
        DiskRoom(lambda: "/data", fail).check()


def test_the_real_disk_is_looked_at() -> None:
    DiskRoom(lambda: "/").check()
