from datetime import UTC, datetime, timedelta

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.containers.prune import is_prunable
from ds01_spawner.gateway.docker.reading.prune_filters import moment
from fakes.engine_json import managed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("500ms", NOW - timedelta(milliseconds=500)),
        ("1769860800", NOW),
        ("1769860800.0", NOW),
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-01-31T13:00:00+01:00", NOW),
    ],
)
def test_a_moment_is_a_span_a_count_of_seconds_or_a_date(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "1d", "-1h", "9" * 12 + "h", "2026-13-01"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time"):
        moment(text, NOW)


def test_what_was_made_since_is_kept() -> None:
    entry = {"Labels": managed("a", "alice"), "Created": int(NOW.timestamp())}

    assert is_prunable(entry, {}, None)
    assert is_prunable(entry, {}, NOW + timedelta(seconds=1))
    assert not is_prunable(entry, {}, NOW)
