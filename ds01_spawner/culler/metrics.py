"""Figures of the service itself, in Prometheus' text format, in a file of the state folder.

https://github.com/prometheus/node_exporter#textfile-collector
"""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from ds01_spawner.domain.activity import Verdict
from ds01_spawner.operations.lifecycle.enforce import PassReport
from ds01_spawner.operations.lifecycle.plan import Plan

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_log = logging.getLogger(__name__)


class Metrics:
    """What `culler.prom` says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "ds01_culler_pass_seconds",
            "Duration of a pass of the lifecycle service.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._passes = Counter(
            "ds01_culler_passes",
            "Passes by outcome: good, failed, or waited for another instance.",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in ("good", "failed", "waited"):  # from 0 on: the first is a growth
            self._passes.labels(outcome)
        self._containers = Gauge(
            "ds01_culler_containers",
            "Containers that the last pass decided about.",
            registry=self._registry,
        )
        self._actions = Counter(
            "ds01_culler_actions",
            "What passes did about containers, by kind.",
            ["action"],
            registry=self._registry,
        )
        self._unreadable = Counter(
            "ds01_culler_signal_read_failures",
            "Signals of containers that could not be read and counted as active.",
            ["signal"],
            registry=self._registry,
        )
        self._last_good = Gauge(
            "ds01_culler_last_good_pass_timestamp_seconds",
            "When the last good pass ended, in seconds since 1970.",
            registry=self._registry,
        )

    def passed(self, report: PassReport, seconds: float, repairs: int) -> None:
        """A pass ended as it should."""
        self._seconds.observe(seconds)
        self._passes.labels("waited" if report.waited else "good").inc()
        if report.waited:
            return
        self._last_good.set(time.time())
        for action in report.done:
            self._actions.labels(action.replace(" ", "_")).inc()
        if repairs:
            self._actions.labels("repair").inc(repairs)
        if report.plan is not None:
            self._containers.set(len(report.plan.decisions))
            for signal in _unreadable(report.plan):
                self._unreadable.labels(signal).inc()

    def failed(self, seconds: float) -> None:
        """A pass could not be made."""
        self._seconds.observe(seconds)
        self._passes.labels("failed").inc()

    def write(self) -> None:
        """Put the figures where an exporter finds them; a full disk stops nothing."""
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_to_textfile(str(self._path), self._registry)
        except OSError as exc:
            _log.warning("%s cannot be written: %s", self._path, exc)


def _unreadable(plan: Plan) -> Iterable[str]:
    for decision in plan.decisions:
        for finding in decision.subject.findings:
            if finding.verdict is Verdict.UNREADABLE:
                yield finding.signal.value
