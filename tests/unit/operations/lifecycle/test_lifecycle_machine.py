"""People, programs, crashes and clocks in any order, over the whole system.

What the platform promises is counted apart from it, on a clock that never jumps. A container dies
by rule only after both warnings and only when nothing works in it; a slot has one state, and what
runs on it is what the state says.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import ContainerSample, JupyterSample
from ds01_spawner.domain.container import Container, DeviceDemand
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.occupancy import SlotIndex, SlotState
from ds01_spawner.domain.work import LONGEST_GAP, Rule
from ds01_spawner.operations.lifecycle.enforce import PassReport
from fakes.facts import foreign_container
from fakes.lifecycle_lab import Killed, LifecycleLab
from fakes.probe import card, machine

MINUTE = 60.0
BLINK = 0.1
WINDOW, LEAD = 3, 5 * MINUTE
KEPT, ANEW = 40 * MINUTE, 4 * MINUTE
"""A file that is touched again sooner than a tenth of `keep_alive_max` later asks nothing new."""
IDLE, SHORTENED, LONGEST = 20 * MINUTE, 0.5, 120 * MINUTE
POLICY = """
defaults:
  max_gpu_slots: 3
  max_gpu_slots_per_container: 1
  max_gpu_equivalents: null
  allow_full_gpu: true
  max_containers_per_user: 3
  idle_timeout: 20m
  max_runtime: 2h
  gpu_hold_after_stop: 15m
  container_hold_after_stop: 30m
  policies:
    startup_grace: 2m
    min_warning_lead: 5m
    idle_detection_window: 3
    keep_alive_max: 40m
    high_demand_idle_reduction: 0.5
    slot_conflict: report
"""
users = st.sampled_from(["amy", "bob", "cem"])
names = st.sampled_from(["jupyter", "thesis"])
sizes = st.sampled_from(["none", "mig", "mig", "full"])
slots = st.sampled_from(["0:0", "0:1", "1"])
doors = st.sampled_from([Interface.HUB, Interface.HUB, Interface.CLI, Interface.DOCKER])
works = st.sampled_from(["cpu", "gpu", "kernel", "session"])
FAULTS = ("hub", "engine", "gpus", "kernel", "jupyter", "ledger", "events")
WARNINGS = (NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING)


@dataclass
class Life:
    """What is known of one run of a container, from outside.

    Attributes:
        began: Start of this run.
        work_began: First start of its work.
        busy: When a pass last saw something work, or the begin.
        quiet_checks: Passes in a row since then.
        quiet_seen: Time since then that was looked at.
        looked: The last look.
        kept: When its keep-alive file was last touched, if no clock was set since.
    """

    began: float
    work_began: float
    busy: float = 0.0
    quiet_checks: int = 0
    quiet_seen: float = 0.0
    looked: float | None = None
    kept: float | None = None


@dataclass(frozen=True)
class Told:
    """A warning that is in the ledger."""

    number: int
    at: float
    kind: NoticeKind
    rule: str


@dataclass
class Story:
    """One container of the engine, all its runs."""

    life: Life
    works: str = ""
    told: list[Told] = field(default_factory=list)


class LifecycleMachine(RuleBasedStateMachine):
    """One lab, its hub, and a service that is killed and started again."""

    @initialize(size=sizes, other_size=sizes, door=doors, stop=st.booleans())
    def build(self, size: str, other_size: str, door: Interface, stop: bool) -> None:
        self.night = LifecycleLab(POLICY)
        self.lab = self.night.lab
        self.lab.probe.present = machine(card(0, "1g.5gb", "1g.5gb"), card(1))
        self.stories: dict[str, Story] = {}
        self.past: set[str] = set()
        self.known_notices: set[str] = set()
        self.broken: set[str] = set()
        self.number = 0
        self.jumped = -1.0
        self.fuse = 0
        self._wire()
        self.edit_what_a_conflict_does(stop)
        self.start("amy", "jupyter", size, Interface.HUB)
        self.start("bob", "thesis", other_size, door)

    def _wire(self) -> None:
        """Every call to the engine and every commit is a place where the service may be killed."""
        self.lab.engine.on_call = lambda _method: self._tick()
        begin, stop = self.lab.ledger.transaction, self.night.hub.stop

        @contextmanager
        def transaction() -> Iterator[object]:
            with begin() as found:
                yield found
                self._tick()
            self._tick()

        def hub_stop(user: str, server: str) -> None:
            self._tick()
            stop(user, server)
            self._tick()

        self.lab.ledger.transaction = transaction  # type: ignore[assignment,method-assign]
        self.night.hub.stop = hub_stop  # type: ignore[method-assign]

    def _tick(self) -> None:
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise Killed

    @rule(user=users, name=names, size=sizes, door=doors)
    def start(self, user: str, name: str, size: str, door: Interface) -> None:
        if door is Interface.HUB and self.night.hub.down:
            return
        before = self.lab.container(user, name) if not self.lab.engine.stuck else None
        with suppress(DS01Error):
            request = self.lab.request(user, size, name=name, interface=door)
            grant = self.lab.admission.admit(request)
            container_id = self.lab.launch(request, grant)  # type: ignore[arg-type]
            self._began(container_id, None if before is None else self.stories.get(before.id))
            if door is Interface.HUB:
                self.night.hub.add(user, "" if name == "jupyter" else name)
                self.night.jupyter.samples[container_id] = JupyterSample()

    def _began(self, container_id: str, before: Story | None) -> None:
        now = self.now
        work = now if before is None else before.life.work_began
        told = [each for each in before.told if each.rule == Rule.RUNTIME] if before else []
        self.stories[container_id] = Story(Life(now, work, busy=now), told=told)
        counted = self.night.counters.by_id
        used = counted[container_id].cpu_seconds if container_id in counted else None
        # The counters of a new run begin anew, and have not come as far as those of the last.
        counted[container_id] = ContainerSample(0.5 if used is None else used / 2, 0, 0)

    @rule(user=users, name=names)
    def stop(self, user: str, name: str) -> None:
        found = self._live(user, name)
        if found is None:
            return
        if found.labels.get(labels.INTERFACE) != Interface.HUB:
            with suppress(Unavailable):
                self.lab.stop(user, name)
        elif not self.night.hub.down:
            with suppress(Unavailable):
                self.night.stop(user, name)

    @rule(user=users, name=names)
    def start_again_past_the_platform(self, user: str, name: str) -> None:
        with self._readable():
            found = self.lab.container(user, name)
            if found is None or found.state.is_live:
                return
            self.lab.engine.start(found.id)
        self.past.add(found.id)
        self._began(found.id, self.stories.get(found.id))

    @rule(slot=slots, owner=st.sampled_from(["", "amy"]))
    def somebody_starts_on_a_slot_past_the_platform(self, slot: str, owner: str) -> None:
        marks = {labels.USER: owner} if owner else {}
        uuid = self.lab.probe.slot(slot).uuid
        made = foreign_container(f"alien-{slot}", DeviceDemand(uuids=(uuid,)), marks)
        with self._readable():
            self.lab.engine.remove(made.name)
            made = replace(made, id=uuid4().hex, created_at=self.lab.clock.now())
            self.lab.engine.put(made)
            self.lab.engine.start(made.id)
        self.past.add(made.id)
        self._began(made.id, None)

    @rule(slot=slots)
    def they_leave(self, slot: str) -> None:
        with self._readable():
            self.lab.engine.remove(f"alien-{slot}")

    @rule(user=users, name=names, work=works)
    def works(self, user: str, name: str, work: str) -> None:
        found = self._live(user, name)
        if found is not None and found.id in self.stories:
            self._stops_working(found.id)
            self.stories[found.id].works = work

    @rule(user=users, name=names)
    def finishes(self, user: str, name: str) -> None:
        found = self._live(user, name)
        if found is not None and found.id in self.stories:
            self._stops_working(found.id)

    @rule(user=users, name=names)
    def asks_to_be_kept(self, user: str, name: str) -> None:
        found = self._live(user, name)
        if found is not None and found.id in self.stories:
            self.night.files.touched[found.id] = self.lab.clock.now()
            self.stories[found.id].life.kept = self.now

    @rule(user=users, name=names)
    def is_forgotten_by_the_hub(self, user: str, name: str) -> None:
        self.night.hub.known.pop((user, "" if name == "jupyter" else name), None)

    @rule(count=st.sampled_from([1, 5, 12, 20, 30, 45]))
    def minutes_pass(self, count: int) -> None:
        for _ in range(count):
            self._pass()

    @rule()
    def everybody_begins_to_work_just_before_a_stop(self) -> None:
        self._pass(surprise=True)

    @rule(places=st.integers(1, 60))
    def be_killed_within_a_pass(self, places: int) -> None:
        self._pass(fuse=places)

    @rule()
    def be_started_again(self) -> None:
        with self._readable():  # until then the service tries again
            self.night.restart()

    @rule(minutes=st.sampled_from([2, 10, 45]))
    def nobody_looks(self, minutes: int) -> None:
        self.lab.wait(minutes * MINUTE)

    @rule(by=st.sampled_from([-60, -7, 7, 60]))
    def somebody_sets_the_clock(self, by: int) -> None:
        if self._pass():  # what began since the last look, the next would see by another clock
            self.lab.clock.jump(timedelta(minutes=by))
            self.jumped = self.now
            for story in self.stories.values():
                story.life.kept = None

    @rule(part=st.sampled_from(FAULTS), count=st.integers(0, 12), stays=st.booleans())
    def a_part_fails(self, part: str, count: int, stays: bool) -> None:
        self._breaks(part, broken=True)
        for _ in range(count):
            self._pass()
        self.broken.add(part)
        if not stays:
            self.everything_works_again()

    @precondition(lambda self: self.broken)
    @rule()
    def everything_works_again(self) -> None:
        while self.broken:
            self._breaks(self.broken.pop(), broken=False)

    @rule(stop=st.booleans())
    def edit_what_a_conflict_does(self, stop: bool) -> None:
        self.conflicts_stop = stop
        text = "slot_conflict: stop" if stop else "slot_conflict: report"
        self.lab.policy.edit(POLICY.replace("slot_conflict: report", text))

    @invariant()
    def every_slot_has_one_state_and_what_runs_on_it_is_what_it_says(self) -> None:
        if not hasattr(self, "night"):
            return
        with self._readable():
            try:
                situation = self.lab.admission.current()
            except Unavailable:
                return  # the facts are from before the clock was set: nothing is decided on them
            live = self._running()
        uses = {use.slot.uuid: use for use in situation.occupancy.uses}
        assert len(uses) == len(situation.occupancy.uses) == 3
        index = SlotIndex(self.lab.probe.present)
        holders: dict[str, list[Container]] = {}
        for container in live.values():
            managed = container.labels.get(labels.MANAGED) == "true"
            own = labels.gpu_uuids_of(container.labels) if managed else ()
            asked = (slot.uuid for slot in index.demanded(container.demand))
            for uuid in dict.fromkeys([*own, *asked]):
                holders.setdefault(uuid, []).append(container)
        for uuid, use in uses.items():
            on_it = holders.get(uuid, [])
            by_platform = [each for each in on_it if each.id not in self.past]
            assert len(by_platform) <= 1, "given twice"
            if on_it:
                assert use.state in {SlotState.ALLOCATED, SlotState.FOREIGN}, use
                assert use.container in {each.name for each in on_it}, use
            else:
                assert use.state in {SlotState.FREE, SlotState.RESERVED, SlotState.HELD}, use
                assert (use.state is SlotState.FREE) == (use.container is None)

    @property
    def now(self) -> float:
        return self.lab.clock.monotonic()

    def _live(self, user: str, name: str) -> Container | None:
        with self._readable():
            found = self.lab.engine.container(container_name(name, user))
        return found if found is not None and found.state.is_live else None

    def _running(self) -> dict[str, Container]:
        with self._readable():
            found = self.lab.engine.containers()
        return {each.id: each for each in found if each.state.is_live}

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """What is really so, whatever the service can read."""
        lab = self.lab
        before = lab.engine.stuck, lab.probe.stuck, lab.ledger.locked  # type: ignore[attr-defined]
        lab.engine.stuck = lab.probe.stuck = lab.ledger.locked = False  # type: ignore[attr-defined]
        yield
        lab.engine.stuck, lab.probe.stuck, lab.ledger.locked = before  # type: ignore[attr-defined]

    def _breaks(self, part: str, *, broken: bool) -> None:
        match part:
            case "hub":
                self.night.hub.down = broken
            case "engine":
                self.lab.engine.stuck = broken
            case "gpus":
                self.lab.probe.stuck = broken
            case "kernel":
                self.night.counters.blind = broken
            case "jupyter":
                self.night.jupyter.down = broken
            case "ledger":
                self.lab.ledger.locked = broken  # type: ignore[attr-defined]
            case "events":
                self.lab.events.full = broken

    def _pass(self, *, fuse: int = 0, surprise: bool = False) -> bool:
        """Whether a minute later a whole pass is made, with repairs after it."""
        self.lab.wait(MINUTE)
        self.number += 1
        before = self._running()
        busy = {key for key, each in before.items() if self._works(each)}
        self.night.while_waiting = self._all_kernels_begin if surprise else self._all_go_on
        self.fuse = fuse
        report = None
        with suppress(Unavailable):
            try:
                report = self.night.enforcer.run()
                self.night.outbox.deliver_due()
            except Killed:
                self.be_started_again()
        self.fuse = 0
        seen = report is not None and report.plan is not None
        if seen:
            for key in before:
                self._seen(key, works=key in busy)
        for key in before.keys() - self._running().keys():
            self._was_right_to_stop(before[key], works=key in busy, surprised=surprise)
        self._note_warnings()
        self._repair(report)
        return seen

    def _works(self, container: Container) -> bool:
        """Let it do what it does, and say whether a look would see that, or not see anything."""
        night, key = self.night, container.id
        work = self.stories[key].works if key in self.stories else ""
        match work:
            case "cpu":
                night.uses_cpu(key, 30)
            case "session":
                sample = night.counters.by_id.get(key, ContainerSample(0.0, 0, 0))
                night.counters.by_id[key] = replace(sample, sessions=1)
            case "gpu":
                with self._readable():
                    night.gpu(key, 0.9)
            case "kernel" if key in night.jupyter.samples:
                night.kernel(key, busy=1)
        is_server = container.labels.get(labels.INTERFACE) == Interface.HUB
        has_gpu = bool(labels.gpu_uuids_of(container.labels)) or bool(container.demand)
        return (
            work in {"cpu", "session"}
            or (work == "gpu" and has_gpu)
            or (work == "kernel" and is_server)
            or night.counters.blind
            or (self.lab.probe.stuck and has_gpu)
            or (night.jupyter.down and is_server)
        )

    def _stops_working(self, container_id: str) -> None:
        night = self.night
        self.stories[container_id].works = ""
        sample = night.counters.by_id.get(container_id, ContainerSample(0.0, 0, 0))
        night.counters.by_id[container_id] = replace(sample, sessions=0)
        with self._readable():
            night.gpu(container_id, 0.0)
        if container_id in night.jupyter.samples:
            night.jupyter.samples[container_id] = replace(
                night.jupyter.samples[container_id], busy_kernels=0
            )

    def _all_go_on(self) -> None:
        for each in self._running().values():
            self._works(each)

    def _all_kernels_begin(self) -> None:
        for key in self._running().keys() & self.night.jupyter.samples.keys():
            self.stories[key].works = "kernel"
            self.night.kernel(key, busy=1)

    def _seen(self, container_id: str, *, works: bool) -> None:
        life = self.stories[container_id].life
        if works:
            life.busy, life.quiet_checks, life.quiet_seen = self.now, 0, 0.0
        else:
            since = life.busy if life.looked is None else max(life.looked, life.busy)
            life.quiet_checks += 1
            life.quiet_seen += min(self.now - since, LONGEST_GAP.total_seconds())
        life.looked = self.now

    def _note_warnings(self) -> None:
        with self._readable():
            found = self.night.notices(*WARNINGS)
        for notice in found:
            if notice.id not in self.known_notices:
                self.known_notices.add(notice.id)
                told = Told(self.number, self.now, notice.kind, notice.rule.rpartition(".")[2])
                self.stories[notice.container_id].told.append(told)

    def _was_right_to_stop(self, container: Container, *, works: bool, surprised: bool) -> None:
        story = self.stories[container.id]
        with self._readable():
            (stop,) = (
                each for each in self.night.rule_stops() if each.container_id == container.id
            )
        told = [each for each in story.told if each.rule == stop.rule.value]
        if stop.rule is Rule.IDLE:
            told = [each for each in told if each.at >= story.life.busy]
        first, final = ([each for each in told if each.kind is kind] for kind in WARNINGS)
        assert first, (stop.rule, "without the first warning")
        assert final, (stop.rule, "without the last warning")
        assert min(each.number for each in first) < max(each.number for each in final) < self.number
        assert self.now - max(each.at for each in final) >= LEAD - BLINK
        is_server = container.labels.get(labels.INTERFACE) == Interface.HUB
        assert not (is_server and self.night.hub.down), "the hub would take it for a crash"
        match stop.rule:
            case Rule.IDLE:
                assert not works
                assert not (surprised and is_server)
                self._was_idle_long_enough(story.life)
            case Rule.RUNTIME if story.life.work_began > self.jumped:
                assert self.now - story.life.work_began >= LONGEST - BLINK
                story.told = [each for each in story.told if each.rule != stop.rule.value]
            case Rule.CONFLICT:
                assert self.conflicts_stop

    def _was_idle_long_enough(self, life: Life) -> None:
        assert life.quiet_checks >= WINDOW
        assert life.quiet_seen >= IDLE * SHORTENED - BLINK
        if life.kept is not None:
            end = min(life.kept, life.busy + IDLE * SHORTENED) + KEPT
            assert self.now >= end - ANEW - BLINK, "it was asked to be kept"

    def _repair(self, report: PassReport | None) -> None:
        """As the service does after a pass."""
        if report is None or report.plan is None or report.plan.situation is None:
            return
        before = self._running()
        with suppress(Unavailable):
            self.night.reconciler.run(report.plan.situation, report.plan.servers)
        for key in before.keys() - self._running().keys():
            marks = before[key].labels
            assert marks.get(labels.INTERFACE) == Interface.HUB
            assert labels.hub_server_of(marks) not in self.night.hub.known


TestLifecycle = LifecycleMachine.TestCase
TestLifecycle.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
