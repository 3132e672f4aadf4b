"""Whether the other services answer, and the lifecycle service's own figures."""

import logging
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

STALE_SECONDS = 300.0
"""Older figures of the lifecycle service are not passed on: it writes them with each pass."""

_LAST_GOOD = "ds01_culler_last_good_pass_timestamp_seconds"
_MOST_BYTES = 256 * 1024

_log = logging.getLogger("ds01.exporter")


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
        self._said = ""

    def look(self) -> ServiceFacts:
        """Which answer now."""
        answers = self._answers()
        for service, does in answers.items():
            if does:
                self._last_good[service] = self._now()
        problem = self._read_culler()
        if problem != self._said and problem:
            _log.info("Figures of the lifecycle service: %s", problem)
        self._said = problem
        passed_on = () if problem else self._passed_on
        return ServiceFacts(answers, dict(self._last_good), passed_on, problem)

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

    def _read_culler(self) -> str:
        """Read the file's figures; why there are none, or nothing."""
        try:
            status = self._file.stat()
            age = self._now().timestamp() - status.st_mtime
            if age > STALE_SECONDS:
                return f"{self._file} is {age:.0f} s old."
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._passed_on, self._stamp = self._figures(status.st_size), stamp
        except OSError as exc:
            return f"{self._file} cannot be read: {exc.strerror}."
        except (ValueError, OverflowError) as exc:
            return f"{self._file} is broken: {exc}"
        return ""

    def _figures(self, size: int) -> Sequence[Metric]:
        if size > _MOST_BYTES:
            raise ValueError(f"{size} bytes; expected {_MOST_BYTES} at most.")
        text = self._file.read_text(encoding="utf-8")
        found = list(text_string_to_metric_families(text))
        figures = [each for each in found if each.name.startswith("ds01_culler_")]
        for sample in (sample for metric in figures for sample in metric.samples):
            if sample.name == _LAST_GOOD:
                moment = datetime.fromtimestamp(sample.value, self._now().tzinfo)
                if sample.value or CULLER not in self._last_good:  # 0 is not since it began
                    self._last_good[CULLER] = moment
        return figures


def answers_http(url: str) -> bool:
    """Whether a server answers there, in time and without a fault of its own."""
    try:
        patience = CONNECT_SECONDS, ANSWER_SECONDS
        with requests.get(url, timeout=patience, stream=True) as answer:
            return answer.ok
    except requests.RequestException:
        return False
