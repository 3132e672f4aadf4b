import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ds01_spawner.adapters.system_zone import SystemZone

HERE = SystemZone()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "UTC"])
def test_every_hour_of_a_year_is_what_the_zones_data_say(
    here: Callable[[str], None], zone: str
) -> None:
    here(zone)
    known = ZoneInfo(zone)
    for hour in range(366 * 24):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        there = moment.astimezone(HERE)
        assert there.replace(tzinfo=None) == moment.astimezone(known).replace(tzinfo=None)
        assert there.utcoffset() == moment.astimezone(known).utcoffset()
        assert there.astimezone(UTC) == moment


def test_midnight_is_the_servers_in_summer_and_in_winter(here: Callable[[str], None]) -> None:
    here("CET-1CEST,M3.5.0,M10.5.0/3")
    assert datetime(2026, 7, 2, tzinfo=HERE).astimezone(UTC).hour == 22
    assert datetime(2026, 12, 2, tzinfo=HERE).astimezone(UTC).hour == 23
    assert datetime(2026, 12, 2, tzinfo=HERE).tzname() == "CET"
