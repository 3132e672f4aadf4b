import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words, state_words, wait_words


def place(
    number: int, length: int = 3, expected: float | None = None, reason: str = "All are in use."
) -> m.Place:
    return m.Place(
        place=number,
        length=length,
        reason=reason,
        gpu="a MIG slot",
        waited_seconds=0,
        expected_seconds=expected,
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (place(0), "Your turn: you get a MIG slot."),
        (place(2), "Waiting for a MIG slot: you are number 2 of 3. All are in use."),
        (
            place(1, 1, 7200, reason=""),
            "Waiting for a MIG slot: you are the next. Expected wait: about 2 hours.",
        ),
    ],
)
def test_a_place_is_told_with_how_long_it_is_likely_to_take(told: m.Place, words: str) -> None:
    assert place_words(told) == words


def test_states_are_words() -> None:
    assert [state_words(each) for each in ("created", "exited", "running")] == [
        "not started yet",
        "stopped",
        "running",
    ]


@pytest.mark.parametrize(
    ("waits", "words"),
    [
        ((), ""),
        ((0.0, 0.0), ""),
        ((None,), ""),
        ((0.0, 3600.0, 3600.0), "none for 1, about 1 hour for 2 or 3"),
        ((7200.0,), "about 2 hours"),
    ],
)
def test_how_long_one_waits_for_gpus_of_a_size(waits: tuple[float | None, ...], words: str) -> None:
    size = m.ServerSize(size="full", memory_bytes=None, equivalents=1.0, most=3, waits=waits)
    assert wait_words(size) == words
