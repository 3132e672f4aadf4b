from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("48h", timedelta(hours=48)),
        ("7d", timedelta(days=7)),
        ("0.25h", timedelta(minutes=15)),
        ("30 m", timedelta(minutes=30)),
        ("0s", timedelta()),
    ],
)
def test_reads_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("48", "48 has no unit; expected a duration such as 90s, 30m, 48h or 7d"),
        ("-1h", "-1h is negative"),
        ("48 hours", "'hours' is not a unit"),
        ("2w", "'w' is not a unit"),
        ("1:30", "':30' is not a unit"),
        ("1h30m", "'h30m' is not a unit"),
        ("long", "expected a duration such as 90s, 30m, 48h or 7d; found 'long'"),
        ("", "expected a duration"),
        ("48H", "'H' is not a unit"),
        ("٤h", "expected a duration"),
        ("99999999999d", "more than 100 years"),
        ("9" * 400 + "h", "more than 100 years"),
    ],
)
def test_refuses_what_is_no_duration(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="expected a duration") as caught:
        parse_duration(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512m", 512 * 1024**2),
        ("32g", 32 * 1024**3),
        ("32G", 32 * 1024**3),
        ("32GB", 32 * 1024**3),
        ("1 MiB", 1024**2),
        ("1t", 1024**4),
        ("1.5g", 1536 * 1024**2),
        ("100b", 100),
        ("100B", 100),
        ("64k", 65536),
        ("1 PiB", 1024**5),
    ],
)
def test_reads_sizes_in_binary_units(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lots", "expected a size such as 512m, 32g or 1t; found 'lots'"),
        ("32", "32 has no unit; expected a size such as 512m, 32g or 1t (did you mean 32g?)"),
        ("-32g", "-32g is negative"),
        ("32x", "'x' is not a unit"),
        ("32gg", "'gg' is not a unit"),
        ("48h", "'h' is not a unit"),
        ("1e3g", "'e3g' is not a unit"),
        ("1_000m", "'_000m' is not a unit"),
        ("0x10g", "'x10g' is not a unit"),
        ("9999999p", "more than any machine has"),
    ],
)
def test_refuses_what_is_no_size(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="expected a size") as caught:
        parse_size(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=48), "48h"),
        (timedelta(days=7), "7d"),
        (timedelta(seconds=90), "90s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(), "0s"),
    ],
)
def test_formats_durations_in_the_shortest_exact_way(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=36_500)))
def test_every_formatted_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**62))
def test_every_formatted_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused_with_words(text: str) -> None:
    for read in (parse_duration, parse_size):
        try:
            assert read(text) is not None
        except ValueError as error:
            assert "expected" in str(error)  # noqa: PT017 - most texts are refused
