from collections.abc import Iterator

import pytest

from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_widgets import polling
from ds01_widgets.polling import Watch, watch
from ds01_widgets.running import Inline
from fakes.wizards import threads, wait_for


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes quickly."""
    monkeypatch.setattr(polling, "LEAST_SECONDS", 0.01)


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    found: list[Watch] = []
    yield found
    for each in found:
        each.stop()


def never(_error: DS01Error) -> None:
    raise AssertionError("it did not fail")


def test_nothing_is_asked_more_often_than_every_two_seconds(watches: list[Watch]) -> None:
    watches.append(watch(Inline(), lambda: 1, print, never, 0.1))
    assert watches[0].seconds == polling.LEAST_SECONDS == 2


@pytest.mark.usefixtures("quick")
def test_a_question_is_asked_again_until_it_is_stopped(watches: list[Watch]) -> None:
    told: list[int] = []
    watches.append(watch(Inline(), lambda: 1, told.append, never, 0.01))
    wait_for(lambda: len(told) > 2)
    watches[0].stop()
    wait_for(lambda: not threads())
    count = len(told)
    assert count == len(told)


@pytest.mark.usefixtures("quick")
def test_one_thread_asks_for_all(watches: list[Watch]) -> None:
    first: list[int] = []
    second: list[int] = []
    watches.append(watch(Inline(), lambda: 1, first.append, never, 0.01))
    watches.append(watch(Inline(), lambda: 2, second.append, never, 0.01))
    wait_for(lambda: first and second)
    assert threads() == ["ds01-widgets-poll"]


@pytest.mark.usefixtures("quick")
def test_what_fails_is_asked_less_often_and_told(watches: list[Watch]) -> None:
    told: list[str] = []

    def ask() -> int:
        raise Unavailable("Away.")

    def failed(error: DS01Error) -> None:
        told.append(error.message)

    watches.append(watch(Inline(), ask, print, failed, 0.01))
    wait_for(lambda: len(told) > 2)
    assert set(told) == {"Away."}
    assert watches[0].misses > 2


@pytest.mark.usefixtures("quick")
def test_a_fault_of_ours_ends_nobodys_watch(watches: list[Watch]) -> None:
    told: list[str] = []
    answers: list[int] = []

    def ask() -> int:
        return dict[str, int]()["nothing"]

    watches.append(watch(Inline(), ask, print, lambda error: told.append(error.message), 0.01))
    watches.append(watch(Inline(), lambda: 1, answers.append, never, 0.01))
    wait_for(lambda: len(told) > 1 and len(answers) > 1)
    assert "inside the notebook" in told[0]


def test_what_is_stopped_while_it_is_asked_tells_nothing() -> None:
    told: list[int] = []

    def ask() -> int:
        found.stop()
        return 1

    found = Watch(Inline(), ask, told.append, never, 2)
    polling._asked(found)
    assert told == []
