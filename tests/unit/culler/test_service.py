import logging
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.composition import Platform
from ds01_spawner.culler import __main__ as program
from ds01_spawner.culler.service import Pace, run
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.repair import GRACE, Repair
from ds01_spawner.operations.reconcile import Report
from fakes.clock import EPOCH

LEFT_BEHIND = Container("1", "jupyter._.alice", ContainerState.CREATED, {}, EPOCH)
NOTHING = Report((), ())


class _Platform:
    """A platform whose passes end as the test says.

    Attributes:
        outcomes: A report, or an error, for each pass.
        made: How many reconcilers were made.
        grace: What the last one was made with.
    """

    def __init__(self, *outcomes: Report | Exception) -> None:
        self.outcomes = list(outcomes)
        self.made = 0
        self.broken = 0
        self.grace: timedelta | None = None

    def reconciler(self, hub: object, grace: timedelta) -> "_Platform":
        assert hub is None
        self.grace = grace
        if self.broken:
            self.broken -= 1
            raise Unavailable("There is no policy yet.")
        self.made += 1
        return self

    def run(self) -> Report:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each rest; nobody rests for real."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def times(count: int) -> Callable[[], bool]:
    """Wanted for so many passes."""
    left = iter([True] * count)
    return lambda: next(left, False)


def passes(platform: _Platform, count: int, pace: Pace | None = None) -> None:
    run(cast("Platform", platform), None, pace or Pace(), times(count))


def test_passes_are_made_at_the_pace_for_as_long_as_they_are_wanted(slept: list[float]) -> None:
    platform = _Platform(NOTHING, NOTHING)
    passes(platform, 2, Pace(7.0, timedelta(seconds=3)))
    assert slept == [7.0, 7.0]
    assert platform.grace == timedelta(seconds=3)
    assert platform.made == 1, "what one pass saw, the next remembers"


def test_what_was_done_and_what_could_not_be_checked_is_logged(
    slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    repair = Repair(LEFT_BEHIND, "cleanup.orphan", "It was created and never started.")
    with caplog.at_level(logging.INFO):
        passes(_Platform(Report((repair,), ("The hub does not answer.",))), 1)
    assert slept
    assert caplog.messages == [
        "jupyter._.alice removed: It was created and never started.",
        "The hub does not answer.",
    ]


@pytest.mark.parametrize("error", [Unavailable("The engine is stuck."), ValueError("a bug")])
def test_one_bad_pass_does_not_end_the_service(
    slept: list[float], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    platform = _Platform(error, NOTHING)
    passes(platform, 2)
    assert platform.outcomes == []
    assert len(slept) == 2
    (record,) = caplog.records
    expects_traceback = isinstance(error, ValueError)
    assert bool(record.exc_info) is expects_traceback
    assert ("The engine is stuck." in record.getMessage()) is not expects_traceback


def test_a_platform_that_is_not_ready_yet_is_tried_again(slept: list[float]) -> None:
    platform = _Platform(NOTHING)
    platform.broken = 2
    passes(platform, 3)
    assert platform.made == 1
    assert len(slept) == 3


def test_the_environment_says_pace_and_hub() -> None:
    assert program._pace({}) == Pace(30.0, GRACE)
    assert program._pace(
        {"DS01_CULLER_PASS_SECONDS": "5", "DS01_CULLER_GRACE_SECONDS": "1.5"}
    ) == Pace(5.0, timedelta(seconds=1.5))
    assert program._hub({}) is None
    assert program._hub({"JUPYTERHUB_API_URL": "http://hub/api"}) is None
    both = {"JUPYTERHUB_API_URL": "http://hub/api", "JUPYTERHUB_API_TOKEN": "secret"}
    assert isinstance(program._hub(both), HubApi)


def test_a_service_of_a_hub_ends_with_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = program._wanted({"JUPYTERHUB_SERVICE_NAME": "ds01-culler"})
    assert wanted()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert not wanted()


def test_a_service_of_systemd_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = program._wanted({})
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert wanted()
