import asyncio
import threading
import time

import pytest

from ds01_spawner.spawner.threads import Threads

WAIT_SECONDS = 10.0


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, WAIT_SECONDS)


async def test_a_call_returns_its_result_or_its_error() -> None:
    threads = Threads(1)
    assert await threads.run(lambda: 7) == 7
    with pytest.raises(OSError, match="gone"):
        await threads.run(_fail)


def _fail() -> None:
    raise OSError("gone")


async def test_one_slow_call_holds_up_nobody_else() -> None:
    threads = Threads(2)
    release = threading.Event()
    slow = asyncio.create_task(threads.run(lambda: release.wait(WAIT_SECONDS)))
    began = time.monotonic()
    for _ in range(20):
        await threads.run(lambda: None)
    assert time.monotonic() - began < WAIT_SECONDS / 2
    assert not slow.done()
    release.set()
    assert await slow


async def test_what_a_cancelled_call_made_is_undone() -> None:
    threads = Threads(1)
    started, release, undone = threading.Event(), threading.Event(), threading.Event()
    made: list[str] = []

    def make() -> str:
        started.set()
        assert release.wait(WAIT_SECONDS)
        return "container"

    def undo(found: str) -> None:
        made.append(found)
        undone.set()

    task = asyncio.create_task(threads.run(make, undo=undo))
    await until(started)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == []
    release.set()
    await until(undone)
    assert made == ["container"]


async def test_nothing_is_undone_where_nothing_was_made() -> None:
    threads = Threads(1)
    started, release = threading.Event(), threading.Event()
    undone: list[object] = []

    def fail() -> None:
        started.set()
        assert release.wait(WAIT_SECONDS)
        raise OSError("not made")

    task = asyncio.create_task(threads.run(fail, undo=undone.append))
    await until(started)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await threads.run(lambda: None)
    assert await threads.run(lambda: "kept", undo=undone.append) == "kept"
    assert undone == []


async def test_a_call_begun_is_made_although_nobody_waits() -> None:
    done = threading.Event()
    Threads(1).begin(done.set)
    await until(done)
