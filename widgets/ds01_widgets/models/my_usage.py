"""What somebody used of the GPUs, and how well."""

from collections.abc import Mapping
from typing import ClassVar

from ds01_spawner.charts import usage as charts
from ds01_spawner.charts.timeline import Timeline
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.wording import clean
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.live import Live
from ds01_widgets.running import Running

PERIODS: Mapping[str, str] = {
    "week": "the last 7 days",
    "month": "the last 30 days",
    "year": "the last year",
    "all": "since the beginning",
}
"""How far back, in words."""

_NOTES_LONGEST = 300


class MyUsageModel(Live[m.UsageSeries]):
    """One's own usage, a lab manager's too: everybody's is in the lab's pages.

    Attributes:
        period: How far back.
    """

    EVERY_SECONDS: ClassVar[float] = 60.0

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.period = "month"
        self._user = ""

    def read(self, client: Client) -> m.UsageSeries:
        """See `Live`."""
        self._user = self._user or client.me().user
        return client.usage_series(period=self.period, user=self._user)

    def choose(self, period: str) -> None:
        """Look so far back."""
        if period != self.period and period in PERIODS:
            self.period = period
            self.load()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was used, in one's own words."""
        if self.found is None:
            return ("Looking up what you used …",)
        return charts.own_words(self.found.total)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know."""
        if self.found is None:
            return ()
        source = charts.source_words(self.found)
        told = (source,) if self.found.total.co2e_kg is not None else ()
        return (*told, *(clean(each, _NOTES_LONGEST) for each in self.found.notes))

    def graphs(self, prefix: str) -> tuple[Timeline, ...]:
        """Day by day: hours with a GPU, and how busy it was where that is known.

        Args:
            prefix: Of their ids on the page.
        """
        if self.found is None or not self.found.total.gpu_hours:
            return ()
        hours = charts.hours(self.found, f"{prefix}-hours")
        if self.found.total.efficiency is None:
            return (hours,)
        return hours, charts.busy(self.found, f"{prefix}-busy")
