"""What everybody used since there are books."""

from collections.abc import Sequence
from datetime import datetime

from ds01_spawner.domain.usage import Grain, days_settled
from ds01_spawner.domain.usage_totals import TotalPart, UsageTotal, totals
from ds01_spawner.ports import Clock, LedgerTransaction


class AllTime:
    """Reads it again and again; days, which are most of it, once until the books change them.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._days: tuple[datetime | None, Sequence[TotalPart]] = None, ()

    def totals(self, transaction: LedgerTransaction) -> Sequence[UsageTotal]:
        """By person and group: figures that only ever grow."""
        settled = days_settled(transaction.usage_mark(), self._clock.now())
        if settled is None or settled != self._days[0]:
            self._days = settled, transaction.usage_totals(Grain.DAY)
        present = (transaction.usage_totals(grain) for grain in (Grain.HOUR, None))
        return totals([*self._days[1], *(each for parts in present for each in parts)])
