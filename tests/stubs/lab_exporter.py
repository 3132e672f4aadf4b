"""The exporter on a lab in memory, as a process: prints its port, and serves until it is ended.

What is played is what there is to read, a little more at each scrape. Reading, figures and HTTP are
the exporter's own.
"""

import signal
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).parents[1]))

from ds01_spawner.culler.metrics import Metrics
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from ds01_spawner.exporter import reading
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.entry import open_to_all
from ds01_spawner.exporter.service import Service
from ds01_spawner.operations.lifecycle.enforce import PassReport
from fakes.exporter_lab import ExporterLab, lively_lab

HOUR = 3600 * 10**6


def go_on(lab: ExporterLab) -> None:
    """Somebody works for an hour, and some starts fail."""
    amount = Amount(
        held_microseconds=HOUR,
        seen_microseconds=HOUR,
        measured_microseconds=HOUR,
        busy_microseconds=HOUR // 2,
        metered_microseconds=HOUR,
        energy_millijoules=144_000_000,
        rated_millijoules=144_000_000,
        co2e_micrograms=15_200_000,
    )
    booking = Booking(
        Holder("alice", "student", "", "hub", "1g.5gb", 1 / 7), lab.lab.clock.now(), amount
    )
    with lab.ledger.transaction() as transaction:
        transaction.book_usage(Grain.HOUR, [booking])
    lab.write(
        "server.spawn", "bob", outcome="failed", details={"end": "failed", "cause": "not_ready"}
    )
    lab.write("gpu.allocate", "alice", details={"waited_seconds": 75.0, "decided_ms": 8})
    rule = "container_types.hub.idle_timeout"
    lab.write("cleanup.idle", "bob", actor="culler", details={"rule": rule})


def main() -> None:
    """Until it is told to end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        reading.SLOW_SECONDS = 0.5  # books are read once a minute otherwise
        lab = lively_lab(Path(folder))
        assert lab.xids is not None
        now = datetime.now(UTC)  # Prometheus' clock is no other
        lab.xids = {key: replace(each, last_at=now) for key, each in lab.xids.items()}
        culler = Metrics(Path(folder) / "culler.prom")
        culler.passed(PassReport(), seconds=0.2, repairs=1)
        culler._unreadable.labels("gpu").inc()
        told = generate_latest(culler._registry).decode()
        passed_on = list(text_string_to_metric_families(told))
        lab.services = replace(lab.services, passed_on=passed_on)
        exporter = Exporter(lab.reading, after=lambda _view: go_on(lab))
        service = Service(exporter, open_to_all, "127.0.0.1", 0)
        try:
            service.run(lambda: print(service.port, flush=True))  # noqa: T201 - read by the test
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
