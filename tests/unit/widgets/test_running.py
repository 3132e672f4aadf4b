import asyncio
import threading
from collections.abc import Iterator

import pytest

from ds01_spawner.domain.errors import Conflict, DS01Error
from ds01_widgets.running import Background, Inline, Job


@pytest.fixture
def background() -> Iterator[Background]:
    running = Background()
    yield running
    running.close()


def never(_error: DS01Error) -> None:
    raise AssertionError("it did not fail")


def broken() -> int:
    return dict[str, int]()["nothing"]


def test_inline_is_done_when_start_returns() -> None:
    told: list[object] = []
    Inline().start(lambda _job: 3, told.append, never)
    assert told == [3]


def test_an_error_of_the_platform_is_told_as_it_is() -> None:
    told: list[DS01Error] = []
    error = Conflict("Taken.")

    def work(_job: Job) -> None:
        raise error

    Inline().start(work, print, told.append)
    assert told == [error]


def test_what_nobody_expected_is_told_in_words_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[DS01Error] = []

    def work(_job: Job) -> int:
        return broken()

    Inline().start(work, print, told.append)
    assert "inside the notebook" in told[0].message
    assert "KeyError" in caplog.text


def test_what_jobs_tell_is_done_on_the_loop_of_the_kernel() -> None:
    threads: list[threading.Thread] = []

    async def kernel() -> None:
        running = Background()
        ended = asyncio.Event()

        def work(job: Job) -> int:
            job.tell(lambda: threads.append(threading.current_thread()))
            return 1

        def done(_result: int) -> None:
            threads.append(threading.current_thread())
            ended.set()

        running.start(work, done, never)
        await asyncio.wait_for(ended.wait(), 10)
        running.close()

    asyncio.run(kernel())
    assert threads == [threading.main_thread()] * 2


def test_a_cell_that_waits_does_itself_what_jobs_tell() -> None:
    told: list[int] = []

    async def kernel() -> None:
        running = Background()
        running.start(lambda _job: 7, told.append, never)
        assert running.settle(10)
        assert told == [7]
        running.close()

    asyncio.run(kernel())


def test_a_cancelled_job_tells_nothing_and_what_it_waits_for_is_broken_off(
    background: Background,
) -> None:
    told: list[object] = []
    begun, ended = threading.Event(), threading.Event()

    def work(job: Job) -> int:
        job.when_cancelled(ended.set)
        begun.set()
        ended.wait(10)
        job.tell(lambda: told.append("more"))
        return 1

    job = background.start(work, told.append, never)
    assert begun.wait(10)
    job.cancel()
    assert background.settle(10)
    assert told == []


def test_what_is_to_be_broken_off_after_the_cancellation_is_at_once() -> None:
    job = Job(lambda deed: deed())
    job.cancel()
    broken_off: list[int] = []
    job.when_cancelled(lambda: broken_off.append(1))
    assert broken_off == [1]


def test_closing_ends_every_job(background: Background) -> None:
    begun = threading.Event()

    def work(job: Job) -> None:
        ended = threading.Event()
        job.when_cancelled(ended.set)
        begun.set()
        ended.wait(10)

    background.start(work, print, never)
    assert begun.wait(10)
    background.close()
    assert background.settle(0.1)


def test_what_cannot_be_drawn_holds_up_nothing_else(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    background.start(lambda _job: 1, lambda _one: told.append(broken()), never)
    background.start(lambda _job: 2, told.append, never)
    assert background.settle(10)
    assert told == [2]
    assert "could not show" in caplog.text
