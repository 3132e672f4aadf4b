import threading

import pytest

from ds01_spawner.domain.errors import Conflict
from ds01_spawner.operations.containers.stillness import Stillness

SOON = 0.05
ID = "a" * 64


def test_nothing_starts_while_its_files_are_copied() -> None:
    stillness = Stillness(SOON)
    stillness.begin_copy(ID)

    with pytest.raises(Conflict, match="docker cp"):
        stillness.begin_start(ID)
    stillness.begin_start("b" * 64)


def test_nothing_is_copied_while_it_starts() -> None:
    stillness = Stillness(SOON)
    with stillness.starting(ID):
        with pytest.raises(Conflict, match="just being started"):
            stillness.begin_copy(ID)
        stillness.begin_copy("b" * 64)

    stillness.begin_copy(ID)


def test_copies_go_on_side_by_side_and_the_last_lets_starts_go_on() -> None:
    stillness = Stillness(SOON)
    stillness.begin_copy(ID)
    stillness.begin_copy(ID)
    stillness.end_copy(ID)
    with pytest.raises(Conflict):
        stillness.begin_start(ID)

    stillness.end_copy(ID)

    stillness.begin_start(ID)


def test_a_start_waits_for_a_copy() -> None:
    stillness = Stillness(30)
    stillness.begin_copy(ID)
    waiting = threading.Thread(target=stillness.begin_start, args=(ID,))
    waiting.start()
    assert waiting.is_alive()

    stillness.end_copy(ID)

    waiting.join(10)
    assert not waiting.is_alive()


def test_a_start_that_fails_leaves_nothing() -> None:
    stillness = Stillness(SOON)
    with pytest.raises(ValueError, match="no"), stillness.starting(ID):
        raise ValueError("no")

    stillness.begin_copy(ID)
