import threading
import time
from collections.abc import Callable

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.exporter.source import Round, Source, gather

BOUND = 0.2


def source(name: str, read: Callable[[], int]) -> Source[int]:
    return Source(name, lambda _round: read())


def test_sources_are_read_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=5)
    every = [source(str(number), lambda: meeting.wait() * 0 + 1) for number in range(3)]
    found = gather(every, 5.0)
    assert [found.of(each) for each in every] == [1, 1, 1]


def test_one_that_fails_says_why_and_the_others_are_there() -> None:
    def fails() -> int:
        raise Unavailable("It is down.")

    bad, good = source("bad", fails), source("good", lambda: 7)
    found = gather([bad, good], BOUND)
    assert (found.of(bad), found.of(good)) == (None, 7)
    assert found.problem("bad") == "It is down."
    assert found.problem("good") == ""


def test_one_that_breaks_is_said_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    bad = source("bad", lambda: 1 // 0)
    assert "ZeroDivisionError" in gather([bad], BOUND).problem("bad")
    assert "bad cannot be read" in caplog.text


def test_a_failure_is_said_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    broken = [True, True, False, True]

    def read() -> int:
        if broken.pop(0):
            raise Unavailable("It is down.")
        return 1

    each = source("each", read)
    for now in range(4):
        gather([each], BOUND, float(now))
    assert caplog.text.count("It is down.") == 2


def test_one_that_hangs_keeps_one_thread_and_is_asked_again_when_it_returns() -> None:
    released, reads = threading.Event(), []

    def read() -> int:
        reads.append(1)
        released.wait(10)
        return len(reads)

    hangs, good = source("hangs", read), source("good", lambda: 7)
    begin = time.monotonic()
    for now in range(3):
        found = gather([hangs, good], BOUND, float(now))
        assert (found.of(hangs), found.of(good)) == (None, 7)
        assert "has not been read" in found.problem("hangs")
        assert found.seconds("hangs") >= now  # since it was begun, though no scrape waits again
    assert time.monotonic() - begin < 3 * BOUND + 2
    assert len(reads) == 1
    released.set()
    bound = time.monotonic() + 5
    while (found := gather([hangs], BOUND, time.monotonic())).of(hangs) is None:
        assert time.monotonic() < bound
    assert found.of(hangs) == 2


def test_one_source_may_stand_on_another() -> None:
    first = source("first", lambda: 20)

    def twice(current: Round) -> int:
        return 2 * current.of(first)

    second = Source("second", twice)
    assert gather([second, first], 5.0).of(second) == 40


def test_what_stands_on_a_failure_fails_with_its_reason() -> None:
    def fails() -> int:
        raise Unavailable("It is down.")

    first = source("first", fails)
    second: Source[int] = Source("second", lambda current: current.of(first))
    assert gather([first, second], 5.0).problem("second") == "It is down."


def test_a_slow_source_is_taken_as_it_was_while_it_is_read_anew() -> None:
    turn, read = threading.Event(), [0]

    def count() -> int:
        if read[0]:
            turn.wait(10)
        read[0] += 1
        return read[0]

    slow = Source("slow", lambda _round: count(), every_seconds=60, lasts_seconds=300)
    assert gather([slow], BOUND, 0.0).of(slow) == 1
    assert gather([slow], BOUND, 59.0).of(slow) == 1
    assert gather([slow], BOUND, 100.0).of(slow) == 1  # read meanwhile
    assert read == [1]
    turn.set()
    bound = time.monotonic() + 5
    while read == [1]:
        assert time.monotonic() < bound
        time.sleep(0.001)
    bound = time.monotonic() + 5
    while gather([slow], BOUND, 101.0).of(slow) != 2:
        assert time.monotonic() < bound


def test_a_slow_source_that_fails_for_long_is_missing() -> None:
    broken = [False]

    def read() -> int:
        if broken[0]:
            raise Unavailable("It is down.")
        return 1

    slow = Source("slow", lambda _round: read(), every_seconds=60, lasts_seconds=300)
    gather([slow], BOUND, 0.0)
    broken[0] = True
    assert gather([slow], BOUND, 200.0).of(slow) == 1
    assert gather([slow], BOUND, 500.0).of(slow) is None
