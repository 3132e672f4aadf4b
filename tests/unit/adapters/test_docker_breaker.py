from datetime import timedelta

import pytest

from ds01_spawner.adapters.docker_engine.breaker import Breaker
from ds01_spawner.domain.errors import Unavailable
from fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker("The engine does not answer", now=clock.now, monotonic=clock.monotonic)


def time_out(breaker: Breaker, subject: str | None = None) -> None:
    breaker.timed_out(subject, probe=breaker.admit())


def test_one_unanswered_call_about_the_engine_opens_it(breaker: Breaker) -> None:
    time_out(breaker)

    with pytest.raises(Unavailable, match=r"The engine does not answer \(since 12:00:00 UTC\)"):
        breaker.admit()


def test_one_wedged_container_is_not_a_stuck_engine(breaker: Breaker) -> None:
    for _ in range(10):
        time_out(breaker, "wedged")

    assert breaker.admit() is False


def test_several_containers_unanswered_in_a_row_open_it(breaker: Breaker) -> None:
    for name in ("a", "b", "c"):
        time_out(breaker, name)

    with pytest.raises(Unavailable):
        breaker.admit()


def test_an_answer_in_between_starts_the_count_again(breaker: Breaker) -> None:
    time_out(breaker, "a")
    time_out(breaker, "b")
    breaker.answered(probe=breaker.admit())
    time_out(breaker, "c")

    assert breaker.admit() is False


def test_one_probe_at_a_time_finds_out_whether_it_answers_again(
    breaker: Breaker, clock: FakeClock
) -> None:
    time_out(breaker)
    clock.advance(timedelta(seconds=2))

    assert breaker.admit() is True
    with pytest.raises(Unavailable):
        breaker.admit()


def test_a_probe_without_an_answer_waits_for_the_next(breaker: Breaker, clock: FakeClock) -> None:
    time_out(breaker)
    clock.advance(timedelta(seconds=2))
    breaker.timed_out(None, probe=breaker.admit())

    with pytest.raises(Unavailable, match="since 12:00:00"):
        breaker.admit()
    clock.advance(timedelta(seconds=2))
    assert breaker.admit() is True


def test_an_answer_to_the_probe_closes_it(breaker: Breaker, clock: FakeClock) -> None:
    time_out(breaker)
    clock.advance(timedelta(seconds=2))
    breaker.answered(probe=breaker.admit())

    assert breaker.admit() is False
    assert breaker.admit() is False


def test_a_late_answer_to_an_older_call_closes_it_too(breaker: Breaker) -> None:
    older = breaker.admit()
    time_out(breaker)
    breaker.answered(probe=older)

    assert breaker.admit() is False


def test_a_closed_socket_says_nothing_of_answers(breaker: Breaker, clock: FakeClock) -> None:
    breaker.failed(probe=breaker.admit())
    assert breaker.admit() is False

    time_out(breaker)
    clock.advance(timedelta(seconds=2))
    breaker.failed(probe=breaker.admit())
    with pytest.raises(Unavailable):
        breaker.admit()
    clock.advance(timedelta(seconds=2))
    assert breaker.admit() is True
