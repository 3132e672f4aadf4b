"""Parts that fail: nothing is stopped that should not be, it is said once, work resumes."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.work import Level
from fakes.lifecycle_lab import LifecycleLab


@pytest.fixture
def night() -> LifecycleLab:
    return LifecycleLab()


def breaks(night: LifecycleLab, part: str, broken: bool) -> None:
    """Let a part fail, or work again."""
    match part:
        case "engine":
            night.lab.engine.stuck = broken
        case "ledger":
            night.lab.ledger.locked = broken  # type: ignore[attr-defined]
        case "disk":
            night.lab.ledger.full = night.lab.events.full = broken  # type: ignore[attr-defined]
            night.board.full = broken
        case "events":
            night.lab.events.full = broken
        case "hub":
            night.hub.down = broken
        case "gpus":
            night.lab.probe.stuck = broken
        case "kernel":
            night.counters.blind = broken
        case "jupyter":
            night.jupyter.down = broken
        case "board":
            night.board.full = broken


def pass_if_it_can(night: LifecycleLab) -> set[str]:
    """What the service would write into its own log."""
    night.lab.wait(60)
    try:
        return set(night.enforcer.run().notes)
    except Unavailable as exc:
        said = {str(exc)}
    try:
        night.enforcer.troubles.failed(next(iter(said)))
    except Unavailable as exc:
        said.add(str(exc))
    return said


@dataclass(frozen=True)
class Said:
    """How a fault of one part becomes known.

    Attributes:
        troubles: What `lifecycle.trouble` names when it begins, and again when it is over.
        signals: What the one `lifecycle.signal` of the one container says, if there is one.
        logged: What is in the service's own log; `None`: nothing need be.
    """

    troubles: tuple[str, ...] = ()
    signals: str = ""
    logged: str | None = None


FAULTS = {
    "engine": Said(("pass",), logged="The container engine did not answer"),
    "ledger": Said(("pass",), logged="database is locked"),
    # Without room there is no event; that it failed is in the service's log alone.
    "disk": Said(logged="The ledger cannot be used: database or disk is full"),
    "events": Said(logged="The event log cannot be written"),
    "hub": Said(("hub",), logged="The hub does not answer"),
    "gpus": Said(("gpus",), logged="The NVIDIA driver does not answer"),
    "kernel": Said(signals="cpu, network, sessions"),
    "jupyter": Said(signals="kernels"),
}


@pytest.mark.parametrize("part", FAULTS)
@pytest.mark.parametrize("when", ["idle", "warned", "announced"])
def test_nothing_is_stopped_while_a_part_fails_and_all_goes_on_after(
    night: LifecycleLab, part: str, when: str
) -> None:
    container_id = night.run()
    wanted = {"idle": 0, "warned": 1, "announced": 2}[when]
    night.minutes(60)
    night.until(lambda: len(night.warnings()) >= wanted)
    breaks(night, part, broken=True)
    logged = set().union(*(pass_if_it_can(night) for _ in range(6 * 60)))
    said = troubles(night), signals(night)
    breaks(night, part, broken=False)
    assert night.lives(container_id)
    begin = len(night.notices())
    passes = night.until(lambda: not night.lives(container_id), 6 * 60)
    told = night.notices()[begin:]
    if part == "hub" or (part, when) == ("events", "announced"):
        assert passes == 1, "it was idle and known to be all the time"
    else:
        assert passes > 5
        assert len(told) >= (1 if wanted == 2 else 2), "warned anew, then told"
    expected = FAULTS[part]
    assert said == (
        [(each, "failed") for each in expected.troubles],
        [expected.signals] if expected.signals else [],
    )
    assert [each for each in troubles(night) if each not in said[0]] == [
        (each, "ok") for each in expected.troubles
    ]
    assert signals(night) == said[1], "nothing is said of it later"
    assert expected.logged is None or any(expected.logged in each for each in logged)
    assert night.enforcer.run().plan is not None


def troubles(night: LifecycleLab) -> list[tuple[str, str]]:
    return [(each.resource, each.outcome) for each in night.lab.events.of("lifecycle.trouble")]


def signals(night: LifecycleLab) -> list[str]:
    said = [each.reason for each in night.lab.events.of("lifecycle.signal")]
    return [each.removesuffix(".").partition(": ")[2] for each in said]


@pytest.mark.parametrize(
    ("part", "said"), [("engine", "pass"), ("hub", "hub"), ("gpus", "gpus"), ("kernel", "kernel")]
)
def test_what_fails_for_all_is_said_once_and_that_it_works_again_too(
    night: LifecycleLab, part: str, said: str
) -> None:
    night.run("alice")
    night.run("bob", name="thesis", interface=Interface.CLI)
    night.minutes(40)
    breaks(night, part, broken=True)
    for _ in range(30):
        pass_if_it_can(night)
    assert troubles(night) == [(said, "failed")]
    breaks(night, part, broken=False)
    night.minutes(5)
    assert troubles(night) == [(said, "failed"), (said, "ok")]
    assert signals(night) == [], "not for each container as well"


def test_what_fails_for_one_of_several_is_said_of_that_one(night: LifecycleLab) -> None:
    blind = night.run("alice")
    night.run("bob")
    night.minutes(40)
    night.counters.by_id[blind] = ContainerSample()
    night.minutes(30)
    assert troubles(night) == []
    (event,) = night.lab.events.of("lifecycle.signal")
    assert event.user == "alice"
    assert signals(night) == ["cpu, network, sessions"]


def test_a_board_that_cannot_be_written_delays_no_stop(night: LifecycleLab) -> None:
    container_id = night.run()
    breaks(night, "board", broken=True)
    night.until(lambda: not night.lives(container_id), 160)


def test_a_signal_that_cannot_be_read_is_told_once_for_its_container(night: LifecycleLab) -> None:
    night.run("alice")
    bob = night.run("bob")
    del night.jupyter.samples[bob]
    night.minutes(5 * 60)
    assert night.lives(bob)
    (event,) = night.lab.events.of("lifecycle.signal")
    assert event.user == "bob"
    assert "kernels" in event.reason


def test_runtime_ends_even_while_gpus_cannot_be_read(night: LifecycleLab) -> None:
    container_id = night.run()
    night.minutes(60, lambda: night.uses_cpu(container_id, 30))
    breaks(night, "gpus", broken=True)
    night.until(lambda: not night.lives(container_id), 24 * 60)
    assert night.rule_stops()[0].rule.value == "max_runtime"


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3)])
def test_a_clock_that_is_set_moves_no_stop(night: LifecycleLab, by: timedelta) -> None:
    container_id = night.run()
    night.minutes(60)
    night.lab.clock.jump(by)
    passes = 60 + night.until(lambda: not night.lives(container_id), 200)
    assert 148 <= passes <= 160
    assert [each.level for each in night.warnings()] == [Level.FIRST, Level.FINAL]
    assert len(night.lab.events.of("clock.jump")) == 1


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_is_set_between_warning_and_stop_warns_nobody_twice(
    night: LifecycleLab, by: timedelta
) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 2)
    night.lab.clock.jump(by)
    passes = night.until(lambda: not night.lives(container_id), 200)
    assert 5 <= passes <= 8
    assert len(night.warnings()) == 2


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_is_set_removes_no_stopped_container_early(
    night: LifecycleLab, by: timedelta
) -> None:
    night.run(name="thesis", interface=Interface.CLI)
    night.minutes(10)
    night.stop(name="thesis")
    night.minutes(10)
    night.lab.clock.jump(by)
    night.minutes(18)
    assert night.container(name="thesis") is not None
    night.minutes(5)
    assert night.container(name="thesis") is None


def test_time_while_the_service_was_away_is_not_idle_time(night: LifecycleLab) -> None:
    container_id = night.run()
    night.minutes(60)
    night.restart()
    night.lab.wait(timedelta(hours=9).total_seconds())
    night.minutes(60)
    assert night.lives(container_id)
    assert night.warnings() == []
    night.until(lambda: not night.lives(container_id), 60)


def test_a_container_that_restarted_unseen_begins_anew(night: LifecycleLab) -> None:
    container_id = night.run(name="thesis", interface=Interface.CLI)
    night.minutes(130)
    assert night.warnings()
    night.lab.engine.stop(container_id, timedelta(0))
    night.lab.engine.start(container_id)
    night.restart()
    night.lab.wait(185)
    night.minutes(100)
    assert night.lives(container_id)
    assert night.track(container_id).idle_since is not None
