"""Whether the other services answer, and the lifecycle service's own figures."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

import requests
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ds01_spawner.exporter.facts import ServiceFacts

HUB, GATEWAY, CULLER = "hub", "gateway", "culler"
CONNECT_SECONDS, ANSWER_SECONDS = 0.5, 1.5
"""Less together than a scrape waits. A hub at which a class logs in takes a second."""

_LAST_GOOD = "ds01_culler_last_good_pass_timestamp_seconds"
_MOST_BYTES = 256 * 1024


class ServiceWatch:
    """Asks them; one thread at a time.

    Args:
        now: The time.
        hub_url: The hub's API, which tells its version to everybody; `None` where nothing says
            where it is.
        gateway: Whether the gateway answers; `None` where it is not looked at.
        culler_file: Where the lifecycle service writes its figures.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        hub_url: str | None,
        gateway: Callable[[], bool] | None,
        culler_file: Path,
    ) -> None:
        self._now = now
        self._hub_url = hub_url
        self._gateway = gateway
        self._file = culler_file
        self._last_good: dict[str, datetime] = {}
        self._stamp: tuple[int, int] | None = None
        self._passed_on: Sequence[Metric] = ()

    def look(self) -> ServiceFacts:
        """Which answer now."""
        answers = self._answers()
        for service, does in answers.items():
            if does:
                self._last_good[service] = self._now()
        self._read_culler()
        return ServiceFacts(answers, dict(self._last_good), self._passed_on)

    def _answers(self) -> Mapping[str, bool]:
        """They are asked side by side: of two that hang, each has all of the time."""
        asked: dict[str, Callable[[], bool]] = {}
        if self._hub_url is not None:
            asked[HUB] = partial(answers_http, self._hub_url)
        if self._gateway is not None:
            asked[GATEWAY] = self._gateway
        if not asked:
            return {}
        with ThreadPoolExecutor(len(asked), "ask") as pool:
            told = {service: pool.submit(does) for service, does in asked.items()}
            return {service: each.result() for service, each in told.items()}

    def _read_culler(self) -> None:
        """The file's figures; those it had where it cannot be read, or there is none."""
        try:
            status = self._file.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp == self._stamp or status.st_size > _MOST_BYTES:
                return
            text = self._file.read_text(encoding="utf-8")
            found = list(text_string_to_metric_families(text))
        except (OSError, ValueError):
            return
        self._stamp = stamp
        self._passed_on = [each for each in found if each.name.startswith("ds01_culler_")]
        for metric in self._passed_on:
            for sample in metric.samples:
                if sample.name == _LAST_GOOD and sample.value:
                    self._last_good[CULLER] = datetime.fromtimestamp(
                        sample.value, self._now().tzinfo
                    )


def answers_http(url: str) -> bool:
    """Whether a server answers there, in time and without a fault of its own."""
    try:
        patience = CONNECT_SECONDS, ANSWER_SECONDS
        with requests.get(url, timeout=patience, stream=True) as answer:
            return answer.ok
    except requests.RequestException:
        return False
