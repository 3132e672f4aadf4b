import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from ds01_spawner.composition import Directories, Platform
from ds01_spawner.culler import __main__ as program
from ds01_spawner.culler.service import Pace, Service
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.repair import GRACE, Repair
from ds01_spawner.operations.lifecycle.enforce import PassReport, Terms
from ds01_spawner.operations.lifecycle.plan import Plan
from ds01_spawner.operations.lifecycle.storage import StorageReport
from ds01_spawner.operations.repair.reconcile import Report
from fakes.clock import EPOCH
from fakes.lifecycle_lab import LifecycleLab

LEFT_BEHIND = Container("1", "jupyter._.alice", ContainerState.CREATED, {}, EPOCH)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """What a pass finds where one server runs."""
    night = LifecycleLab()
    night.run()
    found = night.one_pass().plan
    assert found is not None
    return found


class _Parts:
    """Enforcer and reconciler, whose passes end as the test says.

    Attributes:
        outcomes: A report, or an error, for each pass.
        repairs: What the reconciler reports.
        ended: How often the lease was given back.
        told: What the enforcer was told to write down.
        has_time: Whether a pass may go on.
    """

    def __init__(self, *outcomes: PassReport | Exception) -> None:
        self.outcomes = list(outcomes)
        self.repairs = Report((), ())
        self.ended = 0
        self.told: list[str] = []
        self.has_time = True

    def run(self, *given: object) -> PassReport | Report:
        if given:
            return self.repairs
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def end(self) -> None:
        self.ended += 1

    def goes_on(self) -> bool:
        return self.has_time

    def failed(self, sentence: str) -> None:
        self.told.append(sentence)

    @property
    def troubles(self) -> "_Parts":
        return self


class _Platform:
    """A platform of such parts.

    Attributes:
        made: How many enforcers were made.
        broken: How many more times none can be.
        given: What the last ones were made with.
        delivered: Set when deliveries were made.
        measured: Set when homes were measured.
        kept: Set when access outside of containers was looked after.
        left: Set when that was given up.
        looked: Set when what is past the platform was looked for.
        waited: Set when a container's start was waited for.
    """

    def __init__(self, state: Path, parts: _Parts) -> None:
        self.directories = Directories(state, state, state / "events.jsonl")
        self.parts = parts
        self.made = 0
        self.broken = 0
        self.given: dict[str, object] = {}
        self.delivered = threading.Event()
        self.measured = threading.Event()
        self.looked = threading.Event()
        self.kept = threading.Event()
        self.left = threading.Event()
        self.waited = threading.Event()

    def enforcer(self, hub: object, **given: object) -> _Parts:
        assert hub is None
        if self.broken:
            self.broken -= 1
            raise Unavailable("There is no policy yet.")
        self.made += 1
        self.given |= given
        return self.parts

    def reconciler(self, hub: object, grace: timedelta) -> _Parts:
        assert hub is None
        self.given["grace"] = grace
        return self.parts

    @property
    def outbox(self) -> "_Platform":
        return self

    @property
    def storage(self) -> "_Platform":
        return self

    @property
    def bare_metal(self) -> "_BareMetal":
        return _BareMetal(self)

    @property
    def past_platform(self) -> "_Past":
        return _Past(self.looked)

    @property
    def start_watch(self) -> "_Starts":
        return _Starts(self.waited)

    def deliver_due(self) -> None:
        self.delivered.set()

    def look(self, budget: timedelta) -> StorageReport:
        assert budget > timedelta(0)
        self.measured.set()
        return StorageReport(notes=("A home cannot be read.",))


class _BareMetal:
    def __init__(self, platform: _Platform) -> None:
        self._platform = platform

    def keep(self) -> tuple[str, ...]:
        self._platform.kept.set()
        return ("A node cannot be opened.",)

    def end(self) -> None:
        self._platform.left.set()


class _Past:
    def __init__(self, looked: threading.Event) -> None:
        self._looked = looked

    def look(self) -> tuple[str, ...]:
        self._looked.set()
        return ("The GPUs cannot be read.",)


class _Starts:
    def __init__(self, waited: threading.Event) -> None:
        self._waited = waited

    def wait(self, seconds: float) -> bool:
        assert 0 < seconds <= 60
        self._waited.set()
        raise Unavailable("The engine does not tell of its events.")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each rest; nobody rests for real."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def passes(platform: _Platform, count: int, pace: Pace | None = None) -> Service:
    """A service that is wanted for so many passes."""
    service = Service(cast("Platform", platform), None, pace or Pace(1.0))
    for _ in range(count):
        service.one_pass()
    return service


def times(count: int) -> Callable[[], bool]:
    """Wanted so many times it is asked."""
    left = iter([True] * count)
    return lambda: next(left, False)


def figure(platform: _Platform, name: str) -> float:
    """What the metrics file says."""
    lines = (platform.directories.state / "metrics" / "culler.prom").read_text().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


def test_passes_are_made_while_they_are_wanted_and_the_lease_is_given_back(
    tmp_path: Path, slept: list[float]
) -> None:
    parts = _Parts(PassReport(), PassReport())
    platform = _Platform(tmp_path, parts)
    service = Service(cast("Platform", platform), None, Pace(7.0, timedelta(seconds=3)))
    service.run(times(2 + 2 * 7))
    assert parts.ended == 1
    assert platform.made == 1, "what one pass saw, the next remembers"
    assert platform.given["grace"] == timedelta(seconds=3)
    terms = cast("Terms", platform.given["terms"])
    assert (terms.lease_seconds, terms.pass_seconds) == (26.0, 14.0)
    rest = sum(slept)
    assert 7.0 * 0.9 - 1 <= rest <= 2 * 7.0 * 1.1 + 1


def test_deliveries_and_measurements_go_on_beside_the_passes(tmp_path: Path) -> None:
    platform = _Platform(tmp_path, _Parts(PassReport()))
    service = Service(cast("Platform", platform), None, Pace(0.01))
    wanted = threading.Event()
    thread = threading.Thread(target=service.run, args=(lambda: not wanted.is_set(),))
    platform.parts.outcomes *= 10_000
    thread.start()
    try:
        assert platform.delivered.wait(10)
        assert platform.measured.wait(10)
        assert platform.looked.wait(10)
        assert platform.waited.wait(10)
        assert platform.kept.wait(10)
    finally:
        wanted.set()
        thread.join(10)
    assert not thread.is_alive()
    assert platform.left.is_set()


def test_what_was_done_and_what_could_not_be_is_logged_and_counted(
    tmp_path: Path, plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    parts = _Parts(
        PassReport(plan=plan, done=("warn", "warn again", "stop"), notes=("The hub is down.",))
    )
    repair = Repair(LEFT_BEHIND, "cleanup.orphan", "It was created and never started.")
    parts.repairs = Report((repair,), ("Two containers share a slot.",))
    platform = _Platform(tmp_path, parts)
    with caplog.at_level(logging.INFO):
        passes(platform, 1)
    assert caplog.messages[1:] == [
        "jupyter._.alice removed: It was created and never started.",
        "The hub is down.",
        "Two containers share a slot.",
    ]
    assert figure(platform, "ds01_culler_containers") == 1
    assert figure(platform, 'ds01_culler_actions_total{action="warn_again"}') == 1
    assert figure(platform, 'ds01_culler_actions_total{action="repair"}') == 1
    assert figure(platform, 'ds01_culler_passes_total{outcome="good"}') == 1
    assert figure(platform, "ds01_culler_pass_seconds_count") == 1
    assert time.time() - figure(platform, "ds01_culler_last_good_pass_timestamp_seconds") < 60


def test_what_does_not_work_is_logged_once(
    tmp_path: Path, plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    down = PassReport(plan=plan, notes=("The hub is down.",))
    platform = _Platform(tmp_path, _Parts(down, down, PassReport(plan=plan), down))
    passes(platform, 4)
    assert caplog.messages == ["The hub is down.", "The hub is down."]


def test_a_pass_that_took_too_long_repairs_nothing(tmp_path: Path, plan: Plan) -> None:
    parts = _Parts(PassReport(plan=plan))
    parts.repairs = Report((Repair(LEFT_BEHIND, "cleanup.orphan", "Never."),), ())
    parts.has_time = False
    platform = _Platform(tmp_path, parts)
    passes(platform, 1)
    assert "repair" not in (tmp_path / "metrics" / "culler.prom").read_text()


def test_the_log_says_who_passes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = [PassReport(waited=True), PassReport(waited=True), PassReport(), PassReport()]
    with caplog.at_level(logging.INFO):
        passes(_Platform(tmp_path, _Parts(*outcomes)), 4, Pace(60.0))
    begin, *rest = caplog.messages
    assert begin.startswith("Passes every 60 s as ")
    assert begin.endswith("without a hub: its servers are never stopped.")
    assert rest == ["Another instance passes.", "This instance passes."]


def test_a_service_that_waits_repairs_nothing_and_had_no_good_pass(tmp_path: Path) -> None:
    parts = _Parts(PassReport(waited=True))
    parts.repairs = Report((Repair(LEFT_BEHIND, "cleanup.orphan", "Never."),), ())
    platform = _Platform(tmp_path, parts)
    passes(platform, 1)
    assert figure(platform, 'ds01_culler_passes_total{outcome="waited"}') == 1
    assert figure(platform, "ds01_culler_last_good_pass_timestamp_seconds") == 0


def test_what_goes_wrong_is_said_once_and_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = Unavailable("The engine is stuck.")
    parts = _Parts(PassReport(), stuck, stuck, stuck, PassReport())
    platform = _Platform(tmp_path, parts)
    with caplog.at_level(logging.INFO):
        passes(platform, 5)
    assert caplog.messages[1:] == ["No pass: The engine is stuck.", "Passes are made again."]
    assert parts.told == ["The engine is stuck."] * 3
    assert figure(platform, 'ds01_culler_passes_total{outcome="failed"}') == 3


def test_a_bug_does_not_end_the_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    platform = _Platform(tmp_path, _Parts(ValueError("a bug"), PassReport()))
    passes(platform, 2)
    assert platform.parts.outcomes == []
    (record,) = caplog.records
    assert record.exc_info


def test_a_platform_that_is_not_ready_yet_is_tried_again_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    platform = _Platform(tmp_path, _Parts(PassReport()))
    platform.broken = 2
    with caplog.at_level(logging.INFO):
        passes(platform, 3)
    assert platform.made == 1
    first, second, last = caplog.messages
    assert first == "No pass: There is no policy yet."
    assert second.startswith("Passes every ")
    assert last == "Passes are made again."


def test_figures_that_cannot_be_written_stop_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_text("in the way")
    passes(_Platform(tmp_path, _Parts(PassReport())), 1)
    assert "cannot be written" in caplog.messages[0]


def test_the_environment_says_the_pace() -> None:
    assert program._pace({}) == Pace(60.0, GRACE)
    assert program._pace(
        {"DS01_CULLER_PASS_SECONDS": "5", "DS01_CULLER_GRACE_SECONDS": "1.5"}
    ) == Pace(5.0, timedelta(seconds=1.5))


@pytest.mark.parametrize("text", ["abc", "0", "-1", "nan", "inf", "0.01"])
def test_a_pace_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SystemExit, match=r"expected seconds, at least 0\.1, such as 60"):
        program._pace({"DS01_CULLER_PASS_SECONDS": text})


def test_a_service_of_a_hub_ends_with_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = program._wanted({"JUPYTERHUB_SERVICE_NAME": "ds01-culler"})
    assert wanted()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert not wanted()


def test_a_service_of_systemd_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = program._wanted({})
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert wanted()
