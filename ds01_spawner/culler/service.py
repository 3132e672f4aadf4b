"""The loop: pass after pass, whatever the last one ran into."""

import logging
import os
import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.composition import Platform
from ds01_spawner.culler.metrics import Metrics
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.repair import GRACE
from ds01_spawner.operations.lifecycle.enforce import Enforcer, PassReport, Terms
from ds01_spawner.operations.repair.reconcile import Reconciler
from ds01_spawner.ports import HubClient

DELIVERY_SECONDS = 2.0
STORAGE_SECONDS = 60.0
BARE_METAL_SECONDS = 5.0
PAST_SECONDS = 60.0
PAST_PAUSE_SECONDS = 2.0
STORAGE_BUDGET = timedelta(seconds=20)
_JITTER = 0.1
_WANTED_SECONDS = 1.0
_STOPS_AT_ONCE = 4
"""An old engine deadlocks when many containers go at once."""

_log = logging.getLogger("ds01.culler")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the service looks, and how long it leaves things alone.

    Attributes:
        pass_seconds: Between two passes, give or take a tenth.
        grace: Nothing younger is repaired.
    """

    pass_seconds: float = 60.0
    grace: timedelta = GRACE

    @property
    def lease_seconds(self) -> float:
        """How long another instance waits when this one dies."""
        return 3 * self.pass_seconds + 5

    @property
    def longest_pass_seconds(self) -> float:
        """After this a pass begins nothing more and leaves the rest to the next."""
        return 2 * self.pass_seconds

    @property
    def recheck_after(self) -> timedelta:
        """Between the look that leads to a stop and the one that confirms it."""
        return timedelta(seconds=min(5.0, self.pass_seconds / 2))


@dataclass(slots=True)
class _Parts:
    """What passes are made with; made when they first can be."""

    enforcer: Enforcer
    reconciler: Reconciler


class Service:
    """Passes for as long as they are wanted, with deliveries and measurements beside them."""

    def __init__(self, platform: Platform, hub: HubClient | None, pace: Pace) -> None:
        self._platform = platform
        self._hub = hub
        self._pace = pace
        self._metrics = Metrics(platform.directories.state / "metrics" / "culler.prom")
        self._executor = ThreadPoolExecutor(_STOPS_AT_ONCE, thread_name_prefix="stop")
        self._parts: _Parts | None = None
        self._said = ""
        self._noted: frozenset[str] = frozenset()
        self._unmeasured: frozenset[str] = frozenset()
        self._unseen: frozenset[str] = frozenset()
        self._unkept: frozenset[str] = frozenset()
        self._waits = False
        self._ended = threading.Event()

    def run(self, wanted: Callable[[], bool]) -> None:
        """Make passes until the service is no longer `wanted`."""
        beside = (
            ("deliver", DELIVERY_SECONDS, self._deliver),
            ("storage", STORAGE_SECONDS, self._measure),
            ("bare metal", BARE_METAL_SECONDS, self._keep_bare_metal),
            ("past the platform", PAST_PAUSE_SECONDS, self._look_past),
        )
        for name, seconds, work in beside:
            threading.Thread(
                target=self._repeat, args=(name, seconds, work), name=name, daemon=True
            ).start()
        try:
            while wanted():
                self.one_pass()
                self._rest(wanted)
        finally:
            self.end()

    def _rest(self, wanted: Callable[[], bool]) -> None:
        """Wait for the next pass, and not long once the service is no longer wanted."""
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load
        left = self._pace.pass_seconds * jitter
        while left > 0 and wanted():
            time.sleep(min(left, _WANTED_SECONDS))
            left -= _WANTED_SECONDS

    def end(self) -> None:
        """Begin nothing new, and let another instance go on at once."""
        self._ended.set()
        self._executor.shutdown(wait=False, cancel_futures=True)
        try:
            self._platform.bare_metal.end()
        except DS01Error as exc:
            _log.warning("The lease on bare metal stays until it runs out: %s", exc)
        if self._parts is not None:
            try:
                self._parts.enforcer.end()
            except Unavailable as exc:
                _log.warning("The lease stays until it runs out: %s", exc)

    def one_pass(self) -> None:
        """One pass; what goes wrong is said once, and counted."""
        begin = time.monotonic()
        try:
            self._pass(begin)
        except DS01Error as exc:
            self._failed(str(exc), begin)
        except Exception:  # noqa: BLE001 - the top of the loop: said, and the loop goes on
            _log.exception("Pass failed")
            self._metrics.failed(time.monotonic() - begin)
        self._metrics.write()

    def _pass(self, begin: float) -> None:
        parts = self._parts = self._parts or self._made()
        report = parts.enforcer.run()
        if report.waited != self._waits:
            self._waits = report.waited
            _log.info("Another instance passes." if report.waited else "This instance passes.")
        repairs = 0
        if not report.waited:
            repairs = self._repaired(parts, report)
        self._metrics.passed(report, time.monotonic() - begin, repairs)
        if self._said:
            self._said = ""
            _log.info("Passes are made again.")

    def _repaired(self, parts: _Parts, report: PassReport) -> int:
        """How much was repaired after a pass; what did not work in either is said once."""
        notes, repairs = list(report.notes), 0
        has_gpus = report.plan is not None and report.plan.situation is not None
        if report.plan is not None and has_gpus and parts.enforcer.goes_on():
            found = parts.reconciler.run(report.plan.situation, report.plan.servers)
            for repair in found.repairs:
                _log.info("%s removed: %s", repair.container.name, repair.reason)
            notes += found.notes
            repairs = len(found.repairs)
        for note in dict.fromkeys(notes):
            if note not in self._noted:
                _log.warning("%s", note)
        self._noted = frozenset(notes)
        return repairs

    def _failed(self, sentence: str, begin: float) -> None:
        self._metrics.failed(time.monotonic() - begin)
        if sentence != self._said:
            self._said = sentence
            _log.warning("No pass: %s", sentence)
        if self._parts is not None:
            try:
                self._parts.enforcer.troubles.failed(sentence)
            except DS01Error as exc:
                _log.warning("It cannot be written down either: %s", exc)

    def _deliver(self) -> None:
        self._platform.outbox.deliver_due()

    def _measure(self) -> None:
        notes = self._platform.storage.look(STORAGE_BUDGET).notes
        for note in notes:
            if note not in self._unmeasured:
                _log.warning("%s", note)
        self._unmeasured = frozenset(notes)

    def _keep_bare_metal(self) -> None:
        notes = self._platform.bare_metal.keep()
        for note in notes:
            if note not in self._unkept:
                _log.warning("%s", note)
        self._unkept = frozenset(notes)

    def _look_past(self) -> None:
        """Look, and wait until a container starts, or for a minute."""
        notes = self._platform.past_platform.look()
        for note in notes:
            if note not in self._unseen:
                _log.warning("Past the platform: %s", note)
        self._unseen = frozenset(notes)
        seconds = min(PAST_SECONDS, self._pace.pass_seconds)
        try:
            self._platform.start_watch.wait(seconds)
        except Unavailable as exc:
            _log.info("Containers past the platform are found by looking: %s", exc)
            self._ended.wait(seconds)

    def _made(self) -> _Parts:
        terms = Terms(
            holder=f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(4)}",
            lease_seconds=self._pace.lease_seconds,
            pass_seconds=self._pace.longest_pass_seconds,
        )
        parts = _Parts(
            enforcer=self._platform.enforcer(
                self._hub,
                executor=self._executor,
                terms=terms,
                recheck_after=self._pace.recheck_after,
            ),
            reconciler=self._platform.reconciler(self._hub, self._pace.grace),
        )
        _log.info(
            "Passes every %g s as %s, %s.",
            self._pace.pass_seconds,
            terms.holder,
            "with the hub" if self._hub else "without a hub: its servers are never stopped",
        )
        return parts

    def _repeat(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        """Do some work beside the passes, for as long as the service lives."""
        said = ""
        while not self._ended.wait(min(seconds, self._pace.pass_seconds)):
            try:
                work()
                said = ""
            except DS01Error as exc:
                if str(exc) != said:
                    said = str(exc)
                    _log.warning("%s: %s", name, said)
            except Exception:  # noqa: BLE001 - the top of the loop: said, and the loop goes on
                _log.exception("%s failed", name)
