"""Figures of what electricity emitted that arrive later than it was used: most grids' do."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from ds01_spawner.domain.carbon import Series, corrections, told_anew
from ds01_spawner.domain.usage import HOUR, Booking
from ds01_spawner.ports import Ledger

MOST_HOURS = 48
"""In one pass: every hour is a question to the ledger."""


class LateRates:
    """Finds what hours emitted of which a series tells something new; days stay as they are.

    A process that was started anew looks at all hours once.

    Args:
        ledger: Where the hours are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: Series | None = None
        self._hours: deque[datetime] = deque()
        self._asked = 0

    def due(self, series: Series, now: datetime) -> tuple[Booking, ...]:
        """What has to be added to the hours of the ledger now.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        if series is not self._known:
            waiting = set(self._hours)
            self._hours = deque(sorted({*waiting, *told_anew(series, self._known, now)}))
            self._known = series
        asked = [self._hours[place] for place in range(min(MOST_HOURS, len(self._hours)))]
        found = tuple(self._corrections(series, asked)) if asked else ()
        self._asked = len(asked)
        return found

    def booked(self) -> None:
        """What was due last is in the ledger."""
        for _ in range(self._asked):
            self._hours.popleft()
        self._asked = 0

    def _corrections(self, series: Series, hours: Iterable[datetime]) -> Iterable[Booking]:
        with self._ledger.reading() as transaction:
            for hour in hours:
                grams = series.of_hour(hour)
                if grams is not None:
                    booked = transaction.usage_booked(hour, hour + HOUR)
                    yield from corrections(booked, hour, grams)
