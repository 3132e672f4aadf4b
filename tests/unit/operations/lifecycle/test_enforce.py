from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.lifecycle import Decision, Subject, decide
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.work import Level, Rule
from ds01_spawner.operations.lifecycle import plan as plan_module
from fakes.clock import EPOCH
from fakes.lifecycle_lab import POLICY, LifecycleLab

GRACE = 30
TIMEOUT = 120
WINDOW = 3


@pytest.fixture
def night() -> LifecycleLab:
    return LifecycleLab()


def test_an_idle_server_is_warned_twice_stopped_and_its_slot_goes_back(
    night: LifecycleLab,
) -> None:
    container_id = night.run()
    night.minutes(GRACE + 95)
    assert night.warnings() == []
    night.until(lambda: len(night.warnings()) == 1, 3)
    assert night.standing() == (NoticeKind.FIRST_WARNING,)
    night.until(lambda: len(night.warnings()) == 2, 20)
    assert night.standing() == (NoticeKind.FINAL_WARNING,)
    assert night.lives(container_id)
    night.until(lambda: not night.lives(container_id), 8)
    assert night.hub.stopped == [("alice", "")]
    assert [each.level for each in night.warnings()] == [Level.FIRST, Level.FINAL]
    (stop,) = night.rule_stops()
    assert (stop.rule, stop.value, stop.done_at is not None) == (Rule.IDLE, "2h", True)
    assert night.lab.states()["0:2"] is SlotState.HELD
    night.minutes(16)
    assert night.lab.states()["0:2"] is SlotState.FREE
    night.minutes(15)
    assert night.container() is None
    kinds = [each.kind for each in night.notices()]
    assert kinds == [
        NoticeKind.FIRST_WARNING,
        NoticeKind.FINAL_WARNING,
        NoticeKind.STOPPED,
    ]
    for action in ("cleanup.idle", "gpu.hold", "gpu.release", "cleanup.stale"):
        assert len(night.events(action)) == 1, action


def test_a_silent_busy_kernel_lives_for_as_long_as_it_computes(night: LifecycleLab) -> None:
    container_id = night.run()
    night.kernel(container_id, busy=1)
    night.minutes(10 * 60)
    assert night.lives(container_id)
    assert night.warnings() == []


@pytest.mark.parametrize("signal", ["cpu", "gpu"])
def test_training_without_a_browser_lives(night: LifecycleLab, signal: str) -> None:
    container_id = night.run()
    night.gpu(container_id, 0.6 if signal == "gpu" else 0.0)
    work = 30.0 if signal == "cpu" else 0.0
    night.minutes(10 * 60, lambda: night.uses_cpu(container_id, work))
    assert night.lives(container_id)
    assert night.warnings() == []


def test_a_kernel_that_became_busy_at_the_last_moment_lives(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 2)
    night.while_waiting = lambda: night.kernel(container_id, busy=1)
    night.minutes(60)
    assert night.lives(container_id)
    assert night.rule_stops() == []
    assert night.standing() == ()


def test_use_takes_the_warning_back(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 1)
    night.kernel(container_id)
    night.one_pass()
    assert night.standing() == ()
    night.minutes(90)
    assert night.lives(container_id)
    assert len(night.notices()) == 1


def test_time_runs_through_restarts_until_it_is_up(night: LifecycleLab) -> None:
    night.run()
    for _ in range(3):
        for _ in range(7 * 60):
            found = night.container()
            assert found is not None
            night.uses_cpu(found.id, 30.0)
            night.one_pass()
        night.stop()
        night.minutes(5)
        container_id = night.run()
    while night.lives(container_id):
        night.uses_cpu(container_id, 30.0)
        night.one_pass()
    began = night.lab.clock.now() - night.track(container_id).started_at
    assert timedelta(hours=24) <= began < timedelta(hours=24, minutes=10)
    assert [each.rule for each in night.rule_stops()] == [Rule.RUNTIME]
    assert night.lab.states()["0:2"] is SlotState.FREE, "whoever waits is next"
    again = night.run()
    night.minutes(60)
    assert night.track(again).started_at > night.lab.clock.now() - timedelta(hours=2)


def test_a_container_of_another_door_is_stopped_through_the_engine(night: LifecycleLab) -> None:
    container_id = night.run(name="thesis", interface=Interface.CLI)
    night.until(lambda: not night.lives(container_id), 300)
    assert night.hub.stopped == []
    assert ("stop", container_id) in night.lab.engine.calls


def test_a_dev_container_is_never_idle() -> None:
    night = LifecycleLab(POLICY)
    container_id = night.run(name="editor", interface=Interface.DEVCONTAINER)
    night.minutes(48 * 60)
    assert night.lives(container_id)


def test_a_server_of_the_hub_is_left_alone_while_the_hub_is_down(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 2)
    night.hub.down = True
    night.minutes(30)
    assert night.lives(container_id)
    assert len(night.lab.events.of("lifecycle.trouble")) == 1, "said once"
    night.hub.down = False
    night.until(lambda: not night.lives(container_id), 150)
    assert len(night.lab.events.of("lifecycle.trouble")) == 2, "and when it is over"


def test_created_and_never_started_goes_after_half_an_hour(night: LifecycleLab) -> None:
    request = night.lab.request("alice", name="later", interface=Interface.CLI)
    night.lab.engine.create(night.lab.granted(request).spec)
    night.minutes(29)
    found = night.container(name="later")
    assert found is not None
    assert found.state is ContainerState.CREATED
    night.minutes(2)
    assert night.container(name="later") is None


def test_a_second_process_waits_until_the_first_is_gone(night: LifecycleLab) -> None:
    first = night.enforcer
    night.one_pass()
    night.restart()
    assert night.one_pass().waited
    first.end()
    assert not night.one_pass().waited
    assert first.run().waited


@pytest.mark.parametrize("same_process", [True, False], ids=["same process", "another process"])
def test_a_warning_in_a_terminal_is_no_use_of_it(
    night: LifecycleLab, *, same_process: bool
) -> None:
    container_id = night.run()
    night.processes.on_write = lambda: night.terminal(container_id)
    night.terminal(container_id)
    while night.lives(container_id):
        told = len(night.processes.written)
        night.one_pass()
        if len(night.processes.written) > told and not same_process:
            night.enforcer.end()
            night.restart()
    assert [each.level for each in night.warnings()] == [Level.FIRST, Level.FINAL]
    assert len(night.processes.written) == 2


def test_typing_after_a_warning_in_a_terminal_is_use(night: LifecycleLab) -> None:
    container_id = night.run()
    night.processes.on_write = lambda: night.terminal(container_id)
    night.until(lambda: len(night.processes.written) == 1)
    night.lab.wait(10)
    night.terminal(container_id)
    night.minutes(60)
    assert night.lives(container_id)


def test_programs_that_know_how_to_are_asked_for_a_checkpoint() -> None:
    night = LifecycleLab(POLICY + "    checkpoint_signal: SIGUSR1\n")
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 1)
    assert night.processes.signals == []
    night.until(lambda: len(night.warnings()) == 2)
    assert night.processes.signals == [(container_id, "SIGUSR1")]
    assert "SIGUSR1" in night.notices(NoticeKind.FINAL_WARNING)[0].text


def test_a_file_keeps_an_idle_server_for_a_while_and_the_log_says_so() -> None:
    night = LifecycleLab(POLICY + "    keep_alive_max: 3h\n")
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 1)
    night.files.touched[container_id] = night.lab.clock.now()
    night.one_pass()
    assert night.standing() == (), "the warning is taken back"
    assert [each["source"] for each in night.events("container.extend")] == ["file"]
    passes = night.until(lambda: not night.lives(container_id))
    assert 178 <= passes <= 181
    assert len(night.warnings()) == 3, "one of the first end, two of the later"
    assert len(night.events("container.extend")) == 1


def test_a_failed_container_leaves_its_last_words_in_the_log(night: LifecycleLab) -> None:
    container_id = night.run(name="thesis", interface=Interface.CLI)
    night.lab.engine.outputs[container_id] = "Epoch 3\nCUDA out of memory\n"
    night.lab.engine.kill(container_id)
    night.minutes(35)
    (event,) = night.events("cleanup.stale")
    assert event["exit_code"]
    assert event["log"] == "Epoch 3\nCUDA out of memory\n"


def test_a_server_that_the_hub_is_at_work_on_is_left_to_it(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 2)
    night.hub.add("alice", ready=False)
    night.minutes(15)
    assert night.lives(container_id)
    night.hub.add("alice")
    night.minutes(2)
    assert not night.lives(container_id)


def test_the_next_server_says_why_the_one_before_was_stopped(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: not night.lives(container_id))
    night.minutes(3)
    night.run()
    night.one_pass()
    assert night.standing() == (NoticeKind.STOPPED,)
    night.minutes(40)
    assert night.standing() == ()
    assert night.rule_stops() == [], "another server of that name follows"


def test_of_containers_that_are_gone_nothing_is_kept(night: LifecycleLab) -> None:
    here, now = night.run(), night.lab.clock.now()
    for container_id in (here, "gone"):
        night.echoes.wrote(container_id, now, now)
    night.one_pass()
    assert night.echoes.of(here, ())
    assert not night.echoes.of("gone", ())


def rows(night: LifecycleLab) -> int:
    """How much the ledger remembers of the lifecycle."""
    with night.lab.ledger.transaction() as transaction:
        return (
            len(transaction.warnings())
            + len(transaction.tracks())
            + len(transaction.keep_alives())
            + len(transaction.notices_since(EPOCH))
            + len(transaction.rule_stops())
        )


def test_the_ledger_does_not_grow_with_time() -> None:
    night = LifecycleLab(POLICY.replace("max_runtime: 24h", "max_runtime: null"))
    container_id = night.run()
    sizes = []
    for _ in range(200):
        night.until(lambda: len(night.warnings()) == 1)
        night.kernel(container_id)
        night.one_pass()
        assert night.warnings() == []
        night.lab.wait(timedelta(hours=6).total_seconds())
        sizes.append(rows(night))
    assert max(sizes[150:]) <= max(sizes[100:150]) + 1
    assert sizes[-1] < 130, "a notice each seven hours, of thirty days"


def test_a_stop_that_does_not_succeed_is_written_down_once(night: LifecycleLab) -> None:
    container_id = night.run()
    night.until(lambda: len(night.warnings()) == 2)
    night.hub.on_stop = lambda _user, _server: night.hub.add("alice")
    night.minutes(60)
    assert night.lives(container_id)
    assert len(night.events("lifecycle.stop")) == 1
    (stop,) = night.rule_stops()
    assert night.lab.clock.now() - stop.decided_at > timedelta(minutes=40)


@pytest.mark.parametrize("pause", [5, 20], ids=["within the hold", "after the hold"])
def test_restarting_a_server_again_and_again_gives_it_no_more_time(
    night: LifecycleLab, pause: int
) -> None:
    began = night.lab.clock.now()
    container_id = night.run()
    night.minutes(23 * 60, lambda: night.uses_cpu(container_id, 30.0))
    while night.lab.clock.now() - began < timedelta(hours=24, minutes=2):
        night.stop()
        night.minutes(1)
        container_id = night.run()
        night.minutes(pause, lambda: night.uses_cpu(night_id(night), 30.0))
    assert not night.rule_stops() or night.rule_stops()[0].rule is Rule.RUNTIME
    assert not night.lives(container_id) or night.track(container_id).started_at > began


def night_id(night: LifecycleLab) -> str:
    found = night.container()
    return "" if found is None else found.id


def test_who_restarts_after_the_last_warning_is_not_warned_again(night: LifecycleLab) -> None:
    container_id = night.run()
    while len(night.notices()) < 2:
        night.uses_cpu(container_id, 30.0)
        night.one_pass()
    night.stop()
    night.minutes(2)
    again = night.run()
    night.until(lambda: not night.lives(again), 90)
    kinds = [each.kind for each in night.notices()]
    assert kinds == [NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING, NoticeKind.STOPPED]


def test_a_slot_is_not_held_beyond_the_time_of_its_work(night: LifecycleLab) -> None:
    container_id = night.run()
    night.minutes(24 * 60 - 5, lambda: night.uses_cpu(container_id, 30.0))
    night.stop()
    assert night.lab.states()["0:2"] is SlotState.HELD
    night.minutes(6)
    assert night.lab.states()["0:2"] is SlotState.FREE
    again = night.run()
    night.one_pass()
    assert night.lab.clock.now() - night.track(again).started_at < timedelta(minutes=5)


def test_a_container_that_restarts_itself_is_stopped_when_its_time_is_up(
    night: LifecycleLab,
) -> None:
    container_id = night.run(name="thesis", interface=Interface.CLI)

    def restarts() -> None:
        night.lab.engine.kill(container_id)
        night.lab.engine.start(container_id)
        night.counters.by_id[container_id] = ContainerSample(1.0, 0, 0)

    night.while_waiting = restarts
    for _ in range(25 * 60):
        night.uses_cpu(container_id, 30.0)
        night.one_pass()
    assert not night.lives(container_id)
    assert night.rule_stops()[0].rule is Rule.RUNTIME


def test_a_pass_that_takes_too_long_leaves_the_rest_to_the_next(night: LifecycleLab) -> None:
    for number in range(4):
        night.run(name=f"thesis-{number}", interface=Interface.CLI)
    night.minutes(5)
    for number in range(4):
        night.stop(name=f"thesis-{number}")
    night.minutes(28)

    def slow(method: str) -> None:
        if method == "remove":
            night.lab.wait(60)

    night.lab.engine.on_call = slow
    left = [4, 4]
    while left[-1]:
        report = night.one_pass()
        left.append(len(night.lab.engine.containers()))
        if left[-2] - left[-1] > 1:
            assert any("took too long" in note for note in report.notes)
    assert min(before - after for before, after in pairwise(left[2:])) >= 0
    assert len(left) > 4, "more than one pass"


def test_a_file_from_the_future_is_asked_for_once(night: LifecycleLab) -> None:
    container_id = night.run()
    night.files.touched[container_id] = night.lab.clock.now() + timedelta(days=9)
    night.minutes(180)
    assert len(night.events("container.extend")) == 1


def test_a_file_that_is_touched_all_the_time_is_not_logged_all_the_time(
    night: LifecycleLab,
) -> None:
    container_id = night.run()

    def touch() -> None:
        night.files.touched[container_id] = night.lab.clock.now()

    night.minutes(180, touch)
    assert 1 <= len(night.events("container.extend")) <= 12


def test_a_signal_that_is_asked_only_now_and_then_is_reported_once(night: LifecycleLab) -> None:
    container_id = night.run()
    night.run("bob")
    del night.jupyter.samples[container_id]
    for minute in range(120):
        night.uses_cpu(container_id, 30.0 if minute % 2 else 0.0)
        night.one_pass()
    assert len(night.events("lifecycle.signal")) == 1


def test_figures_that_cannot_be_reckoned_with_stop_no_other_decision(
    night: LifecycleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.run("mallory")
    other = night.run("alice")

    def reckon(subject: Subject, now: datetime) -> Decision:
        if subject.track.user == "mallory":
            raise OverflowError("date value out of range")
        return decide(subject, now)

    monkeypatch.setattr(plan_module, "decide", reckon)
    night.until(lambda: not night.lives(other))
    assert len(night.lab.events.of("lifecycle.trouble")) == 1


def test_a_container_started_again_at_once_after_its_stop_is_warned_anew(
    night: LifecycleLab,
) -> None:
    container_id = night.run(name="thesis", interface=Interface.CLI)
    night.until(lambda: not night.lives(container_id))
    told = len(night.notices())
    night.lab.engine.start(container_id)
    night.minutes(30)
    assert night.lives(container_id)
    night.until(lambda: not night.lives(container_id))
    assert len(night.notices()) == told + 3
