from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.activity import (
    ContainerSample,
    Finding,
    JupyterSample,
    Look,
    Signal,
    SlotSample,
    Verdict,
    is_busy,
    is_idle,
    judge,
)
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.limits import LifecyclePolicy
from fakes.clock import EPOCH

MINUTE = timedelta(minutes=1)
POLICIES = LifecyclePolicy()
MIB = 1024**2


def look(  # noqa: PLR0917 - the figures of one look
    minute: int = 1,
    cpu: float | None = 0.0,
    network: int | None = 0,
    sessions: int | None = 0,
    slot: SlotSample | None = None,
    jupyter: JupyterSample | None = None,
) -> Look:
    return Look(
        taken_at=EPOCH + minute * MINUTE,
        uptime_seconds=1000.0 + 60 * minute,
        container=ContainerSample(cpu, network, sessions),
        slots={} if slot is None else {"U": slot},
        is_server=jupyter is not None,
        jupyter=jupyter,
        jupyter_asked=jupyter is not None,
    )


def verdicts(after: Look, before: Look | None = None) -> dict[Signal, Verdict]:
    found = judge(after, before, POLICIES)
    return {each.signal: each.verdict for each in found}


def whole(utilisation: float) -> SlotSample:
    return SlotSample("0", SlotActivity(utilisation, 0, (7,)))


def instance(
    pids: tuple[int, ...] = (7,), memory: int | None = 500 * MIB, cpu: float | None = 5.0
) -> SlotSample:
    return SlotSample("0:1", SlotActivity(None, memory, pids), cpu)


def test_a_container_that_does_nothing_is_idle_at_the_second_look() -> None:
    first, second = look(0), look(1)
    assert not is_idle(judge(first, None, POLICIES))
    assert not is_busy(judge(first, None, POLICIES))
    assert is_idle(judge(second, first, POLICIES))


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(1.1, Verdict.IDLE), (1.2, Verdict.ACTIVE), (60.0, Verdict.ACTIVE)],
    ids=["below 2 % of a CPU", "at 2 %", "one busy core of however many"],
)
def test_cpu_is_a_share_of_one_cpu(seconds: float, verdict: Verdict) -> None:
    assert verdicts(look(1, cpu=100 + seconds), look(0, cpu=100.0))[Signal.CPU] is verdict


@pytest.mark.parametrize(
    ("minutes", "moved", "verdict"),
    [(1, MIB - 1, Verdict.IDLE), (1, MIB, Verdict.ACTIVE), (3, 2 * MIB, Verdict.IDLE)],
    ids=["less than 1 MiB", "1 MiB a minute", "less a minute over a longer time"],
)
def test_network_is_bytes_a_minute(minutes: int, moved: int, verdict: Verdict) -> None:
    assert verdicts(look(minutes, network=moved), look(0))[Signal.NETWORK] is verdict


def test_counters_that_went_back_are_of_another_run() -> None:
    found = verdicts(look(1, cpu=1.0, network=5), look(0, cpu=9.0, network=6))
    assert found[Signal.CPU] is found[Signal.NETWORK] is Verdict.FIRST_LOOK


@pytest.mark.parametrize(
    ("missing", "after"),
    [
        ("cpu", look(1, cpu=None)),
        ("network", look(1, network=None)),
        ("sessions", look(1, sessions=None)),
    ],
)
def test_what_cannot_be_read_counts_as_work(missing: str, after: Look) -> None:
    found = judge(after, look(0), POLICIES)
    assert [each.signal.value for each in found if each.verdict is Verdict.UNREADABLE] == [missing]
    assert is_busy(found)


def test_an_open_session_is_work() -> None:
    assert verdicts(look(1, sessions=1), look(0))[Signal.SESSIONS] is Verdict.ACTIVE


@pytest.mark.parametrize(
    ("utilisation", "verdict"),
    [(0.0, Verdict.IDLE), (0.049, Verdict.IDLE), (0.05, Verdict.ACTIVE), (1.0, Verdict.ACTIVE)],
)
def test_a_whole_gpu_is_judged_by_its_utilisation(utilisation: float, verdict: Verdict) -> None:
    assert verdicts(look(1, slot=whole(utilisation)), look(0))[Signal.GPU] is verdict


def test_a_gpu_that_cannot_be_read_counts_as_work() -> None:
    unread = SlotSample("0", None)
    assert verdicts(look(1, slot=unread), look(0))[Signal.GPU] is Verdict.UNREADABLE


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (instance(), Verdict.IDLE),
        (instance(pids=(), memory=13 * MIB), Verdict.IDLE),
        (instance(pids=(), memory=128 * MIB), Verdict.IDLE),
        (instance(pids=(), memory=129 * MIB), Verdict.UNREADABLE),
        (instance(pids=(), memory=4 * 1024 * MIB), Verdict.UNREADABLE),
        (instance(pids=(), memory=None), Verdict.UNREADABLE),
        (instance(pids=(8,)), Verdict.ACTIVE),
        (instance(memory=516 * MIB), Verdict.ACTIVE),
        (instance(memory=515 * MIB), Verdict.IDLE),
        (instance(cpu=5.31), Verdict.ACTIVE),
        (instance(cpu=5.29), Verdict.IDLE),
        (instance(cpu=None), Verdict.UNREADABLE),
        (instance(memory=None), Verdict.UNREADABLE),
    ],
    ids=[
        *("a process that only keeps its memory", "no process at all"),
        *("no process and what the driver may have", "no process and more than that"),
        *("no process and gigabytes", "no process and memory that cannot be read"),
        "another process",
        *("memory comes or goes", "a little memory", "its processes compute"),
        *("its processes sleep", "processes that cannot be read", "memory that cannot be read"),
    ],
)
def test_a_mig_instance_has_no_utilisation_and_is_judged_by_its_processes(
    after: SlotSample, verdict: Verdict
) -> None:
    found = verdicts(look(1, slot=after), look(0, slot=instance()))
    assert found[Signal.GPU] is verdict


def test_processes_that_the_driver_does_not_list_are_told_of_at_the_first_look() -> None:
    hidden = look(1, slot=instance(pids=(), memory=2048 * MIB))
    (found,) = [each for each in judge(hidden, None, POLICIES) if each.signal is Signal.GPU]
    assert found.verdict is Verdict.UNREADABLE
    assert found.detail == "GPU 0:1: 2048 MiB in use, by no process it lists"


def test_a_mig_instance_needs_two_looks() -> None:
    assert verdicts(look(1, slot=instance()), None)[Signal.GPU] is Verdict.FIRST_LOOK
    assert verdicts(look(1, slot=instance()), look(0))[Signal.GPU] is Verdict.FIRST_LOOK


def test_a_busy_kernel_is_work_without_a_browser_and_without_output() -> None:
    said = JupyterSample(busy_kernels=1, kernels_active_at=EPOCH - timedelta(hours=5))
    found = verdicts(look(1, jupyter=said), look(0, jupyter=said))
    assert found[Signal.KERNELS] is Verdict.ACTIVE


def test_an_open_tab_alone_is_not_work() -> None:
    said = JupyterSample(connections=3, kernels_active_at=EPOCH - MINUTE)
    assert is_idle(judge(look(1, jupyter=said), look(0, jupyter=said), POLICIES))


def test_where_open_tabs_count_a_connected_browser_is_work() -> None:
    said = JupyterSample(connections=1, kernels_active_at=EPOCH - MINUTE)
    after, before = look(1, jupyter=said), look(0, jupyter=said)
    lenient = replace(POLICIES, active_when_connected=True)
    assert is_busy(judge(after, before, lenient))
    gone = replace(said, connections=0)
    assert is_idle(judge(look(1, jupyter=gone), before, lenient))
    through_hub = replace(look(1, jupyter=gone), used_through_hub_at=EPOCH - 5 * MINUTE)
    assert is_busy(judge(through_hub, before, lenient))
    hub_down = replace(look(1, jupyter=gone), hub_answered=False)
    assert is_busy(judge(hub_down, before, lenient))


@pytest.mark.parametrize("what", ["kernels", "terminals"])
def test_use_since_the_look_before_is_work(what: str) -> None:
    def said(minutes: float) -> JupyterSample:
        moment = EPOCH + minutes * MINUTE
        if what == "kernels":
            return JupyterSample(kernels_active_at=moment)
        return JupyterSample(terminals_active_at=moment)

    signal = Signal(what)
    before = look(1, jupyter=said(0.2))
    assert verdicts(look(2, jupyter=said(1.5)), before)[signal] is Verdict.ACTIVE
    assert verdicts(look(2, jupyter=said(0.2)), before)[signal] is Verdict.IDLE
    not_asked = replace(before, jupyter=None, jupyter_asked=False)
    assert verdicts(look(2, jupyter=said(1.5)), not_asked)[signal] is Verdict.ACTIVE
    assert verdicts(look(2, jupyter=said(0.2)), not_asked)[signal] is Verdict.IDLE
    assert verdicts(look(2, jupyter=said(1.5)), None)[signal] is Verdict.FIRST_LOOK


def test_a_server_that_does_not_answer_counts_as_work() -> None:
    silent = replace(look(1), is_server=True, jupyter_asked=True)
    found = judge(silent, look(0), POLICIES)
    assert (
        Finding(Signal.KERNELS, Verdict.UNREADABLE, "the Jupyter server does not answer") in found
    )
