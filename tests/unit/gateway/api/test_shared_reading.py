import asyncio

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.api.shared_reading import SharedReading


class Source:
    """Something to be read, which takes until it may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.fails = False

    async def read(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.fails:
            raise Unavailable("It does not answer.")
        return number


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def shared(source: Source) -> SharedReading[int]:
    return SharedReading(source.read)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_moment_shares_a_reading(
    source: Source, shared: SharedReading[int]
) -> None:
    asking = [asyncio.ensure_future(shared()) for _ in range(30)]
    await turns()
    source.may_end.set()
    assert await asyncio.gather(*asking) == [1] * 30


async def test_nobody_is_told_what_was_read_before_they_asked(
    source: Source, shared: SharedReading[int]
) -> None:
    first = asyncio.ensure_future(shared())
    await turns()
    later = [asyncio.ensure_future(shared()) for _ in range(30)]
    await turns()
    assert source.begun == 1, "one after the other"
    source.may_end.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 30
    assert await shared() == 3


async def test_a_failure_is_told_to_all_and_the_next_reading_is_another(
    source: Source, shared: SharedReading[int]
) -> None:
    source.fails = True
    source.may_end.set()
    told = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [type(each) for each in told] == [Unavailable, Unavailable]
    source.fails = False
    assert await shared() == 2


async def test_who_goes_away_ends_no_reading_of_others(
    source: Source, shared: SharedReading[int]
) -> None:
    goes, stays = asyncio.ensure_future(shared()), asyncio.ensure_future(shared())
    await turns()
    goes.cancel()
    await turns()
    source.may_end.set()
    assert await stays == 1
