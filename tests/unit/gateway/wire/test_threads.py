import asyncio
import threading
from collections.abc import Callable

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.wire.threads import Threads


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.005)


async def test_what_a_deed_returns_or_raises_is_handed_on() -> None:
    threads = Threads(2)
    assert await threads.run("alice", lambda: 7) == 7

    def fail() -> int:
        raise Unavailable("The engine does not answer.")

    with pytest.raises(Unavailable):
        await threads.run("alice", fail)
    threads.close()


async def test_one_person_leaves_threads_to_others() -> None:
    threads = Threads(3, each=2)
    go_on = threading.Event()
    begun: list[int] = []

    def hang(number: int) -> None:
        begun.append(number)
        assert go_on.wait(5)

    waiting = [
        asyncio.ensure_future(threads.run("alice", lambda n=n: hang(n)))  # type: ignore[misc]
        for n in range(4)
    ]
    await until(lambda: len(begun) == 2)
    assert await threads.run("bob", lambda: "served") == "served"
    assert len(begun) == 2
    go_on.set()
    await asyncio.gather(*waiting)
    assert sorted(begun) == [0, 1, 2, 3]
    threads.close()


@pytest.mark.parametrize("late", [False, True], ids=["done before", "done after"])
async def test_what_nobody_waits_for_any_more_is_undone(late: bool) -> None:
    threads = Threads(2)
    go_on, begun = threading.Event(), threading.Event()
    undone: list[str] = []

    def deed() -> str:
        begun.set()
        assert go_on.wait(5)
        return "grant"

    waiting = asyncio.ensure_future(threads.run("alice", deed, undo=undone.append))
    await until(begun.is_set)
    if not late:
        go_on.set()
        await asyncio.to_thread(lambda: None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await until(lambda: undone == ["grant"])
    threads.close()


async def test_a_turn_that_was_given_up_is_given_back() -> None:
    threads = Threads(2, each=1)
    go_on, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert go_on.wait(5)

    waiting = asyncio.ensure_future(threads.run("alice", hang))
    await until(begun.is_set)
    waiting.cancel()
    second = asyncio.ensure_future(threads.run("alice", lambda: "second"))
    await asyncio.sleep(0)
    assert not second.done()
    go_on.set()
    assert await second == "second"
    threads.close()


async def test_a_closed_pool_says_so_and_keeps_no_turn() -> None:
    threads = Threads(2, each=1)
    threads.close()
    for _ in range(2):
        with pytest.raises(Unavailable, match="stopping"):
            await threads.run("alice", lambda: 7)
