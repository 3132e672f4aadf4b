"""What a container does, signal by signal, and whether that counts as work. Pure.

A signal that cannot be read counts as work: a container is never stopped for what nobody saw.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.limits import LifecyclePolicy

MIG_MEMORY_STEP_BYTES = 16 * 1024**2
"""A change of the memory in use that counts as work, on a slot without utilisation."""

MIG_CPU_SHARE = 0.25
"""Of `cpu_idle_threshold`: what the processes on such a slot may use of a CPU and still be idle.
A program that feeds a GPU uses more; one that only keeps its memory there uses next to nothing."""


MIG_EMPTY_BYTES = 128 * 1024**2
"""What the driver itself may have in use on a slot without utilisation on which nothing runs.

It reports tens of MiB of an empty instance (13 of 19968 MiB in
https://github.com/XuehaiPan/nvitop/pull/8), and a program that has done nothing yet takes hundreds
for its CUDA context: what is above belongs to somebody, listed or not.
"""


class Signal(StrEnum):
    """Something that tells whether anybody or anything works in a container."""

    KERNELS = "kernels"
    TERMINALS = "terminals"
    CPU = "cpu"
    NETWORK = "network"
    GPU = "gpu"
    SESSIONS = "sessions"
    CONNECTIONS = "connections"


class Verdict(StrEnum):
    """What a signal says. Only `IDLE` of every signal makes a container idle."""

    ACTIVE = "active"
    IDLE = "idle"
    UNREADABLE = "unreadable"
    FIRST_LOOK = "first look"
    """There is nothing to compare with yet; says neither."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one signal says.

    Attributes:
        signal: Which.
        verdict: What it says.
        detail: The figure behind it, for people: `GPU 0:1 at 63 %`.
    """

    signal: Signal
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ContainerSample:
    """What the kernel counts for one container; `None` where it could not be read.

    Attributes:
        cpu_seconds: CPU time used since the container's cgroup was made.
        network_bytes: Received and sent on its own interfaces, without loopback.
        sessions: Programs that were started in it from outside and live: exec and SSH.
        first_pid: Host process id of its first process: another run has another.
    """

    cpu_seconds: float | None = None
    network_bytes: int | None = None
    sessions: int | None = None
    first_pid: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class JupyterSample:
    """What a single-user server says of itself.

    Attributes:
        busy_kernels: Kernels that are not idle: busy, starting, restarting.
        connections: Browsers and programs connected to kernels.
        kernels_active_at: Last message of any kernel, or `None` without kernels.
        terminals_active_at: Last input or output of any terminal, or `None` without terminals.
    """

    busy_kernels: int = 0
    connections: int = 0
    kernels_active_at: datetime | None = None
    terminals_active_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SlotSample:
    """What one of the container's GPU slots does.

    Attributes:
        slot_id: `0:1`, for people.
        activity: What the driver says; `None` when it could not be read.
        cpu_seconds: CPU time of the processes on it; `None` when it could not be read.
    """

    slot_id: str
    activity: SlotActivity | None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that one check saw of one container.

    Attributes:
        taken_at: When.
        uptime_seconds: The same on the machine's clock that never jumps.
        container: The kernel's counters.
        slots: Its GPU slots, by UUID; empty without a GPU.
        is_server: Whether a single-user server of the hub runs in it.
        jupyter: What that server says; `None` when it was not asked or did not answer.
        jupyter_asked: Whether it was asked. It is not, where another signal is active already.
        hub_answered: Whether the hub said what follows.
        used_through_hub_at: Last request through the hub's proxy, as the hub says.
    """

    taken_at: datetime
    uptime_seconds: float
    container: ContainerSample
    slots: Mapping[str, SlotSample] = field(default_factory=dict)
    is_server: bool = False
    jupyter: JupyterSample | None = None
    jupyter_asked: bool = False
    hub_answered: bool = True
    used_through_hub_at: datetime | None = None


Span = tuple[datetime, datetime]
"""From one moment to another."""


def without_echoes(
    said: JupyterSample, echoes: Iterable[Span], before: Look | None
) -> JupyterSample:
    """What a server says, as if what the platform wrote to its terminals was no use of them.

    Args:
        said: What it says.
        echoes: When the platform wrote.
        before: The look before, whose figure stands where the newest use was ours.
    """
    last = said.terminals_active_at
    if last is None or not any(begin <= last <= end for begin, end in echoes):
        return said
    known = before.jupyter.terminals_active_at if before and before.jupyter else None
    return replace(said, terminals_active_at=known)


CONNECTED_FOR = timedelta(minutes=10)
"""The hub learns of requests every five minutes (`JupyterHub.last_activity_interval`)."""


def is_same_run(look: Look, before: Look | None) -> bool:
    """Whether two looks saw one run of a container, as far as its process and counters tell."""
    if before is None:
        return True
    now, then = look.container, before.container
    if None not in {now.first_pid, then.first_pid} and now.first_pid != then.first_pid:
        return False
    return (
        now.cpu_seconds is None or then.cpu_seconds is None or now.cpu_seconds >= then.cpu_seconds
    )


def judge(look: Look, before: Look | None, policies: LifecyclePolicy) -> tuple[Finding, ...]:
    """What each signal says.

    Args:
        look: This check.
        before: The one before of the same run, or `None`: then rates are unknown.
        policies: The thresholds of the container's owner.
    """
    return (*machine_findings(look, before, policies), *_server(look, before, policies))


def machine_findings(
    look: Look, before: Look | None, policies: LifecyclePolicy
) -> tuple[Finding, ...]:
    """The signals that need nobody's answer: CPU, network, GPU, sessions."""
    return (
        _cpu(look, before, policies),
        _network(look, before, policies),
        *_gpu(look, before, policies),
        _sessions(look),
    )


def is_busy(findings: Iterable[Finding]) -> bool:
    """Whether any signal counts as work."""
    return any(each.verdict in {Verdict.ACTIVE, Verdict.UNREADABLE} for each in findings)


def is_idle(findings: Iterable[Finding]) -> bool:
    """Whether every signal says that nothing works."""
    return all(each.verdict is Verdict.IDLE for each in findings)


def _elapsed(look: Look, before: Look) -> float:
    return max(look.uptime_seconds - before.uptime_seconds, 1e-3)


def _cpu(look: Look, before: Look | None, policies: LifecyclePolicy) -> Finding:
    """Of one CPU, whatever the container may use: one busy core is work on a machine of 96."""
    used = look.container.cpu_seconds
    if used is None:
        return Finding(Signal.CPU, Verdict.UNREADABLE, "CPU time cannot be read")
    earlier = None if before is None else before.container.cpu_seconds
    if before is None or earlier is None or used < earlier:
        return Finding(Signal.CPU, Verdict.FIRST_LOOK)
    share = (used - earlier) / _elapsed(look, before)
    return _rated(Signal.CPU, f"CPU at {_percent(share)}", share, policies.cpu_idle_threshold)


def _network(look: Look, before: Look | None, policies: LifecyclePolicy) -> Finding:
    moved = look.container.network_bytes
    if moved is None:
        return Finding(Signal.NETWORK, Verdict.UNREADABLE, "network counters cannot be read")
    earlier = None if before is None else before.container.network_bytes
    if before is None or earlier is None or moved < earlier:
        return Finding(Signal.NETWORK, Verdict.FIRST_LOOK)
    a_minute = (moved - earlier) / _elapsed(look, before) * 60
    detail = f"network at {a_minute / 1024:.0f} KiB a minute"
    return _rated(Signal.NETWORK, detail, a_minute, policies.network_idle_threshold_bytes)


def _gpu(look: Look, before: Look | None, policies: LifecyclePolicy) -> Iterable[Finding]:
    for uuid, slot in look.slots.items():
        activity = slot.activity
        if activity is None:
            yield Finding(Signal.GPU, Verdict.UNREADABLE, f"GPU {slot.slot_id} cannot be read")
        elif activity.utilisation is not None:
            detail = f"GPU {slot.slot_id} at {_percent(activity.utilisation)}"
            yield _rated(Signal.GPU, detail, activity.utilisation, policies.gpu_idle_threshold)
        elif not activity.pids:
            yield _without_process(slot.slot_id, activity.memory_used_bytes)
        else:
            earlier = None if before is None else before.slots.get(uuid)
            yield _unrated(slot, earlier, look, before, policies)


def _without_process(slot_id: str, memory_used_bytes: int | None) -> Finding:
    """A slot without utilisation on which the driver lists no process.

    A list that lacks a process reads like an empty one; memory in use tells them apart.
    """
    name = f"GPU {slot_id}"
    if memory_used_bytes is None:
        detail = f"{name}: its memory in use cannot be read"
        return Finding(Signal.GPU, Verdict.UNREADABLE, detail)
    if memory_used_bytes > MIG_EMPTY_BYTES:
        used = f"{memory_used_bytes / 1024**2:.0f} MiB in use"
        return Finding(Signal.GPU, Verdict.UNREADABLE, f"{name}: {used}, by no process it lists")
    return Finding(Signal.GPU, Verdict.IDLE, f"{name} has no process")


def _unrated(
    slot: SlotSample,
    earlier: SlotSample | None,
    look: Look,
    before: Look | None,
    policies: LifecyclePolicy,
) -> Finding:
    """A slot for which the driver gives no utilisation: every MIG instance.

    It is active while processes on it come or go, while the memory in use changes, or while the
    processes use CPU time. All three quiet is idle; one that cannot be read is active.
    https://docs.nvidia.com/datacenter/tesla/mig-user-guide/ (utilisation is not reported for MIG)
    """
    name = f"GPU {slot.slot_id}"
    now = slot.activity
    then = None if earlier is None else earlier.activity
    assert now is not None  # noqa: S101 - narrows the type
    if slot.cpu_seconds is None or now.memory_used_bytes is None:
        return Finding(Signal.GPU, Verdict.UNREADABLE, f"{name}: its processes cannot be read")
    if (
        before is None
        or earlier is None
        or then is None
        or then.memory_used_bytes is None
        or earlier.cpu_seconds is None
    ):
        return Finding(Signal.GPU, Verdict.FIRST_LOOK)
    if set(now.pids) != set(then.pids):
        return Finding(Signal.GPU, Verdict.ACTIVE, f"{name}: processes came or went")
    if abs(now.memory_used_bytes - then.memory_used_bytes) >= MIG_MEMORY_STEP_BYTES:
        return Finding(Signal.GPU, Verdict.ACTIVE, f"{name}: its memory in use changes")
    share = max(slot.cpu_seconds - earlier.cpu_seconds, 0.0) / _elapsed(look, before)
    detail = f"{name}: its processes use {_percent(share)} of a CPU"
    return _rated(Signal.GPU, detail, share, policies.cpu_idle_threshold * MIG_CPU_SHARE)


def _sessions(look: Look) -> Finding:
    sessions = look.container.sessions
    if sessions is None:
        return Finding(Signal.SESSIONS, Verdict.UNREADABLE, "its processes cannot be listed")
    if sessions:
        return Finding(Signal.SESSIONS, Verdict.ACTIVE, f"{sessions} exec or SSH sessions")
    return Finding(Signal.SESSIONS, Verdict.IDLE, "no exec or SSH session")


def _server(look: Look, before: Look | None, policies: LifecyclePolicy) -> Iterable[Finding]:
    if not look.is_server or not look.jupyter_asked:
        return
    said = look.jupyter
    if said is None:
        yield Finding(Signal.KERNELS, Verdict.UNREADABLE, "the Jupyter server does not answer")
        return
    if said.busy_kernels:
        yield Finding(Signal.KERNELS, Verdict.ACTIVE, f"{said.busy_kernels} busy kernels")
    else:
        known = before.jupyter.kernels_active_at if before and before.jupyter else None
        yield _used(Signal.KERNELS, said.kernels_active_at, known, before)
    known = before.jupyter.terminals_active_at if before and before.jupyter else None
    yield _used(Signal.TERMINALS, said.terminals_active_at, known, before)
    if policies.active_when_connected:
        yield _connected(look, said)


def _used(
    signal: Signal, last: datetime | None, known: datetime | None, before: Look | None
) -> Finding:
    """Whether there was any since the check before; the server's clock is this machine's.

    Where the server was not asked at that check, whatever is younger than it is news.
    """
    if last is None:
        return Finding(signal, Verdict.IDLE, f"no {signal}")
    if before is None:
        return Finding(signal, Verdict.FIRST_LOOK)
    if last > before.taken_at if before.jupyter is None else last != known:
        return Finding(signal, Verdict.ACTIVE, f"{signal} were used")
    return Finding(signal, Verdict.IDLE, f"{signal} are quiet")


def _connected(look: Look, said: JupyterSample) -> Finding:
    used = look.used_through_hub_at
    if not look.hub_answered:
        return Finding(Signal.CONNECTIONS, Verdict.UNREADABLE, "the hub does not answer")
    recent = used is not None and look.taken_at - used < CONNECTED_FOR
    if said.connections or recent:
        return Finding(Signal.CONNECTIONS, Verdict.ACTIVE, "a browser is connected")
    return Finding(Signal.CONNECTIONS, Verdict.IDLE, "no browser is connected")


def _rated(signal: Signal, detail: str, figure: float, threshold: float) -> Finding:
    return Finding(signal, Verdict.ACTIVE if figure >= threshold else Verdict.IDLE, detail)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"  # noqa: PLR2004
