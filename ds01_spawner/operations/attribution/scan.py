"""Whose everything is that runs on the GPUs, at one moment.

One scan is one reading of the driver, one of /proc for the processes that it lists, and one list of
the engine's containers: no call for each container, and no program that is started. A scan that
fails keeps the last picture and says so: what cannot be seen has not gone.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import (
    Attributed,
    GpuProcess,
    Owner,
    ProcessFacts,
    WorkloadClass,
    attributed,
    process_owner,
)
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.container_owner import container_owner, may_be_step, step_owner
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.workload import Workload, workloads_of
from ds01_spawner.operations.attribution.who_is_who import WhoIsWho
from ds01_spawner.ports import Accounts, Clock, ContainerList, GpuProbe
from ds01_spawner.ports.attribution import ProcessTable

SHARED_FOR = timedelta(seconds=2)
"""Whoever asks within it of the last scan gets the same picture."""

_TICK_SECONDS = 0.02
"""Starts of processes are told in hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Whose everything is that runs on the GPUs.

    Attributes:
        taken_at: The moment that it shows: of the last scan in which all could be read.
        fresh: Whether it shows this moment; else an older one, because `problem`.
        problem: What could not be read; empty when all could.
        notes: Sentences about what is not in it, such as a slot that does not answer.
        processes: On every slot, in the order of slots and ids.
        workloads: Everything that runs, with or without a GPU.
    """

    taken_at: datetime
    fresh: bool
    problem: str = ""
    notes: tuple[str, ...] = ()
    processes: tuple[Attributed, ...] = ()
    workloads: tuple[Workload, ...] = ()

    @property
    def unattributed(self) -> tuple[Attributed, ...]:
        """Processes of which it is not known whose they are."""
        return tuple(each for each in self.processes if each.owner.user is None)

    @property
    def unmanaged(self) -> tuple[Workload, ...]:
        """What runs and was not made by the platform."""
        return tuple(each for each in self.workloads if not each.is_managed)


class Attribution:
    """Takes pictures; threads that ask at the same time share one.

    Args:
        clock: The time.
        probe: Asked for processes on GPUs.
        table: Asked who they are.
        engine: Asked for containers.
        accounts: Asked for people's names.
        granted: Asked who may use the GPUs outside of containers.
        placed: Asked in whose cgroup containers run: (group slug, user slug) by id.
        monotonic: Seconds that never jump.
    """

    def __init__(  # noqa: PLR0913 - the parts it stands on
        self,
        *,
        clock: Clock,
        probe: GpuProbe,
        table: ProcessTable,
        engine: ContainerList,
        accounts: Accounts,
        granted: Callable[[], Collection[str]] = frozenset,
        placed: Callable[[], Mapping[str, tuple[str, str]]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._probe = probe
        self._table = table
        self._engine = engine
        self._granted = granted
        self._placed = placed
        self._allowed: Collection[str] = ()
        self._monotonic = monotonic
        self._people = WhoIsWho(accounts, monotonic)
        self._lock = threading.Lock()
        self._last: Picture | None = None
        self._scanned_at = 0.0
        self._gone: frozenset[tuple[str, int]] = frozenset()

    def picture(self, max_age: timedelta = SHARED_FOR) -> Picture:
        """What runs now, or did at most `max_age` ago.

        Raises:
            Unavailable: A part is down, and there is no picture of before.
        """
        earliest = self._monotonic() - max_age.total_seconds()
        with self._lock:
            if self._last is None or self._scanned_at < earliest:
                begun = self._monotonic()
                self._last = self._scanned()
                self._scanned_at = begun
            return self._last

    def _scanned(self) -> Picture:
        now = self._clock.now()
        try:
            return self._scan(now)
        except Unavailable as exc:
            if self._last is None:
                raise
            return replace(self._last, fresh=False, problem=str(exc))

    def _scan(self, now: datetime) -> Picture:
        """The picture of this moment.

        Raises:
            Unavailable: The driver or the engine cannot be read.
        """
        inventory = self._probe.inventory()
        listed = self._probe.gpu_processes()
        up = self._table.seconds_up()
        facts = self._facts(listed, up)
        # Read after the processes, so that the container of each is in the list, or has ended.
        containers = self._engine.containers()
        self._people.begin()
        # Of those that do not run, too: one may be starting, or ending.
        owners = {each.id: container_owner(each, self._people) for each in containers}
        seen = _Seen(inventory, listed, facts, owners, now - timedelta(seconds=up))
        notes: list[str] = []
        processes = self._with_grants(self._attributed(seen), notes)
        known = self._with_steps(containers, owners, processes, notes)
        return Picture(
            taken_at=now,
            fresh=True,
            notes=(*_unread(inventory, listed), *self._people.problems, *notes),
            processes=processes,
            workloads=workloads_of(
                [each for each in containers if each.state.is_live], known, processes, inventory
            ),
        )

    def _with_grants(
        self, processes: tuple[Attributed, ...], notes: list[str]
    ) -> tuple[Attributed, ...]:
        """Those of people with a grant are not past the platform.

        Only asked for where there is somebody's process outside of containers. Without an answer
        the last one holds.
        """
        host = WorkloadClass.HOST
        if not any(each.owner.kind is host and each.owner.user for each in processes):
            return processes
        try:
            self._allowed = self._granted()
        except Unavailable as exc:
            notes.append(f"Who may use the GPUs outside of containers is not known: {exc}")
        return tuple(
            replace(each, owner=replace(each.owner, kind=WorkloadClass.BARE_METAL))
            if each.owner.kind is host and each.owner.user in self._allowed
            else each
            for each in processes
        )

    def _with_steps(
        self,
        containers: Sequence[Container],
        owners: Mapping[str, Owner],
        processes: Iterable[Attributed],
        notes: list[str],
    ) -> Mapping[str, Owner]:
        """Containers in a person's cgroup that the platform did not name are steps of a build.

        Not one that is on a GPU, however it got there: no build is given one.
        """
        on_gpus = {each.owner.container_id for each in processes}
        steps = [
            each
            for each in containers
            if each.id not in on_gpus and may_be_step(each, owners[each.id])
        ]
        if not steps:
            return owners
        try:
            placed = self._placed()
        except Unavailable as exc:
            notes.append(f"Steps of builds are not told from other containers: {exc}")
            return owners
        found = {
            each.id: step_owner(each, placed[each.id][1], self._people)
            for each in steps
            if each.id in placed
        }
        return {**owners, **found}

    def _facts(
        self, listed: Mapping[str, tuple[GpuProcess, ...]], up: float
    ) -> Mapping[int, ProcessFacts]:
        """Who the listed processes are; not those that got the id of one later than the list."""
        pids = {each.pid for processes in listed.values() for each in processes}
        latest = up + _TICK_SECONDS
        return {
            pid: facts
            for pid, facts in self._table.look(pids).items()
            if facts.started_seconds is None or facts.started_seconds <= latest
        }

    def _attributed(self, seen: "_Seen") -> tuple[Attributed, ...]:
        """Every process but those that ended during the scan.

        Of one that has ended the driver's list is one scan late at most. What it lists longer than
        that still has the GPU, whoever it is.
        """
        gone: set[tuple[str, int]] = set()
        found = []
        for slot in seen.inventory.slots:
            for process in seen.listed.get(slot.uuid, ()):
                facts = seen.facts.get(process.pid)
                key = process.uuid, process.pid
                if facts is None:
                    gone.add(key)
                    if key not in self._gone and process.pid:
                        continue
                owner = process_owner(facts, seen.owners, self._people)
                found.append(attributed(process, facts, owner, slot.id, seen.moment_of))
        self._gone = frozenset(gone)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one scan read."""

    inventory: Inventory
    listed: Mapping[str, tuple[GpuProcess, ...]]
    facts: Mapping[int, ProcessFacts]
    owners: Mapping[str, Owner]
    machine_started_at: datetime

    def moment_of(self, seconds: float) -> datetime:
        """The time of so many seconds since the machine's start."""
        return self.machine_started_at + timedelta(seconds=seconds)


def _unread(inventory: Inventory, listed: Mapping[str, object]) -> tuple[str, ...]:
    silent = [slot.id for slot in inventory.slots if slot.uuid not in listed]
    said = [f"GPU slot {each}: the driver does not say what runs on it." for each in silent]
    return (*inventory.problems, *said)


def picture_json(picture: Picture) -> dict[str, object]:
    """The processes as `ds01 gpu processes --json` prints them; what is not known is `None`."""
    return {
        **_head(picture),
        "processes": [_process_json(each) for each in picture.processes],
    }


def workloads_json(picture: Picture, *, unmanaged: bool = False) -> dict[str, object]:
    """What runs as `ds01 workloads --json` prints it."""
    chosen = picture.unmanaged if unmanaged else picture.workloads
    return {**_head(picture), "workloads": [_workload_json(each) for each in chosen]}


def _head(picture: Picture) -> dict[str, object]:
    return {
        "taken_at": labels.format_timestamp(picture.taken_at),
        "fresh": picture.fresh,
        "problem": picture.problem,
        "notes": list(picture.notes),
    }


def _process_json(each: Attributed) -> dict[str, object]:
    return {
        "slot": each.slot,
        "pid": each.process.pid,
        "name": each.name,
        "uid": each.uid,
        **_owner_json(each.owner),
        "memory_bytes": each.process.memory_bytes,
        "sm_share": each.process.sm_share,
        "computes": each.process.computes,
        "started_at": _moment(each.started_at),
    }


def _workload_json(each: Workload) -> dict[str, object]:
    return {
        "id": each.id,
        **_owner_json(each.owner),
        "since": _moment(each.since),
        "slots": list(each.slots),
        "processes": each.processes,
        "memory_bytes": each.memory_bytes,
    }


def _owner_json(owner: Owner) -> dict[str, object]:
    return {
        "kind": owner.kind.value,
        "user": owner.user,
        "proof": owner.proof.value,
        "container": owner.container,
        "container_id": owner.container_id,
        "group": owner.group,
        "project": owner.project,
        "interface": owner.interface.value if owner.interface else None,
        "why": owner.why,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else labels.format_timestamp(moment)
