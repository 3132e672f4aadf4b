from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ds01_spawner.domain.wording import clean, clock_time, date_and_time, length, size, span

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("later", "text"),
    [
        (timedelta(0), "13:00"),
        (timedelta(hours=2, minutes=35, seconds=59), "15:35"),
        (timedelta(hours=11), "00:00 tomorrow"),
        (timedelta(days=-1), "13:00 yesterday"),
        (timedelta(days=6), "13:00 on Friday 6 February"),
        (timedelta(days=-31), "13:00 on Wednesday 31 December 2025"),
        (timedelta(days=150), "14:00 on Tuesday 30 June"),
    ],
)
def test_a_time_is_said_as_a_clock_on_the_wall_says_it(later: timedelta, text: str) -> None:
    assert clock_time(NOON + later, NOON, BERLIN) == text


def test_a_date_is_said_with_its_day() -> None:
    assert date_and_time(NOON, BERLIN) == "Saturday 31 January, 13:00"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(minutes=-3), "less than a minute"),
        (timedelta(seconds=29), "less than a minute"),
        (timedelta(seconds=60), "1 minute"),
        (timedelta(minutes=23, seconds=59), "24 minutes"),
        (timedelta(minutes=80), "1 hour 20 minutes"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=47, minutes=59), "47 hours 59 minutes"),
        (timedelta(hours=48), "2 days"),
        (timedelta(hours=73, minutes=59), "3 days 1 hour"),
    ],
)
def test_a_span_is_said_as_exactly_as_it_matters(duration: timedelta, text: str) -> None:
    assert span(duration) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1023, "1 KB"),
        (100 * 1024**3, "100 GB"),
        (int(82.43 * 1024**3), "82.4 GB"),
        (1000 * 1024**3, "1 TB"),
        (5 * 1024**6, "5120 PB"),
    ],
)
def test_a_size_is_said_with_three_digits(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("thesis-run", "thesis-run"),
        ("Jürgen 山田 🎓", "Jürgen 山田 🎓"),
        ("a\x1b[2Jb\r\nc\x00", "a�[2Jb��c�"),
        ("a\u202egpj\u200b\u2028\ud800\x9b", "a�gpj����"),
        ("x" * 81, "x" * 79 + "…"),
    ],
    ids=["plain", "any script", "controls", "what nobody sees", "long"],
)
def test_nothing_that_controls_a_terminal_is_left(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "no time"),
        (1, "1 second"),
        (20, "20 seconds"),
        (59.6, "1 minute"),
        (90, "1 minute 30 seconds"),
        (7200, "2 hours"),
        (200_000, "2 days 7 hours"),
    ],
)
def test_the_length_of_a_limit_is_said_to_the_second_while_that_counts(
    seconds: float, words: str
) -> None:
    assert length(timedelta(seconds=seconds)) == words
