"""Anybody starts, stops, waits, crashes and fails in any order: the promises hold throughout."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.allocator import NothingFree
from ds01_spawner.domain.container import DeviceDemand
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.occupancy import SlotState, Snapshot
from ds01_spawner.domain.queue import alive
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant, Queued
from ds01_spawner.operations.allocation.observe import Observer
from fakes.facts import foreign_container
from fakes.lab import Lab
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe, card, machine

MAX_SLOTS = 2
MAX_CONTAINERS = 2
POLICY = f"""
defaults:
  max_gpu_slots: {MAX_SLOTS}
  max_gpu_slots_per_container: 2
  max_gpu_equivalents: null
  allow_full_gpu: true
  max_containers_per_user: {MAX_CONTAINERS}
  gpu_hold_after_stop: 15m
  container_hold_after_stop: null
groups:
  first: {{priority: 90, members: [amy]}}
"""
users = st.sampled_from(["amy", "bob", "cem", "dan"])
names = st.sampled_from(["jupyter", "thesis"])
sizes = st.sampled_from(["none", "mig", "1g.5gb", "full", "5gb"])
counts = st.sampled_from([1, 1, 2])
processes = st.sampled_from([0, 1])
steps = st.sampled_from(["container", "ensure_network", "create", "start"])
spans = st.sampled_from([0.1, 5.0, 14.0, 31.0, 91.0, 601.0, 901.0])


class Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


class Core(RuleBasedStateMachine):
    """Two processes of the platform, one engine, one ledger."""

    @initialize()
    def build(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = SqliteLedger(Path(self.folder.name) / "ledger.sqlite")
        first = Lab(
            policy=FakePolicy(POLICY),
            probe=FakeProbe(machine(card(0, "1g.5gb", "1g.5gb"), card(1), card(2))),
            ledger=self.ledger,
        )
        second = Lab(policy=first.policy, probe=first.probe, ledger=self.ledger, clock=first.clock)
        second.engine = first.engine
        second.restart()
        self.labs = (first, second)
        self.engine = first.engine
        self.waiting: list[tuple[int, LaunchRequest, Queued]] = []
        self.granted: list[tuple[int, LaunchRequest, Grant]] = []

    def teardown(self) -> None:
        if not hasattr(self, "labs"):
            return
        self.everything_comes_back_in_the_end()
        self.ledger.close()
        self.folder.cleanup()

    @rule(by=processes, user=users, name=names, size=sizes, count=counts)
    def start(self, by: int, user: str, name: str, size: str, count: int) -> None:
        request = self.labs[by].request(user, size, count, name)
        with suppress(DS01Error):
            answer = self.labs[by].admission.admit(request, wait=True)
            self._go_on(by, request, answer)

    @rule(by=processes, user=users, name=names, size=sizes, count=counts)
    def ask_and_dawdle(self, by: int, user: str, name: str, size: str, count: int) -> None:
        request = self.labs[by].request(user, size, count, name)
        with suppress(DS01Error):
            answer = self.labs[by].admission.admit(request)
            assert isinstance(answer, Grant)
            self.granted.append((by, request, answer))

    @precondition(lambda self: self.granted)
    @rule(number=st.integers(0, 9))
    def go_on_after_dawdling(self, number: int) -> None:
        by, request, grant = self.granted.pop(number % len(self.granted))
        with suppress(DS01Error):
            self.labs[by].launch(request, grant)

    @precondition(lambda self: self.granted)
    @rule(number=st.integers(0, 9))
    def give_up_after_dawdling(self, number: int) -> None:
        by, request, grant = self.granted.pop(number % len(self.granted))
        self.labs[by].launcher.undo(request, grant, grant.spec.name)

    @precondition(lambda self: self.granted)
    @rule(number=st.integers(0, 9))
    def be_killed_after_the_grant(self, number: int) -> None:
        by, _, _ = self.granted.pop(number % len(self.granted))
        self.labs[by].restart()

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 9))
    def ask_again(self, number: int) -> None:
        by, request, queued = self.waiting.pop(number % len(self.waiting))
        with suppress(DS01Error):
            answer = self.labs[by].admission.admit(request, wait=True, ticket=queued.ticket)
            self._go_on(by, request, answer)

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 9), dies=st.booleans())
    def stop_waiting(self, number: int, dies: bool) -> None:
        by, _, queued = self.waiting.pop(number % len(self.waiting))
        if not dies:
            self.labs[by].admission.cancel(queued.ticket)

    @rule(by=processes, user=users, name=names, size=sizes, step=steps)
    def be_killed_within_a_launch(
        self, by: int, user: str, name: str, size: str, step: str
    ) -> None:
        lab = self.labs[by]

        def die(method: str) -> None:
            if method == step:
                raise Killed

        lab.launcher.undo = lambda *_arguments: None  # type: ignore[method-assign]
        self._launch_with(by, lab.request(user, size, 1, name), die)
        lab.restart()

    @rule(
        by=processes,
        user=users,
        name=names,
        size=sizes,
        step=steps,
        after=st.booleans(),
        stuck=st.booleans(),
    )
    def fail_within_a_launch(  # noqa: PLR0917 - facts
        self, by: int, user: str, name: str, size: str, step: str, after: bool, stuck: bool
    ) -> None:
        asked: list[str] = []

        def get_stuck(method: str) -> None:
            self.engine.stuck = stuck and step in asked
            if method == step and step not in asked and not self.engine.stuck:
                self.engine.fail_next(step, Unavailable("No answer."), after=after)
            asked.append(method)

        self._launch_with(by, self.labs[by].request(user, size, 1, name), get_stuck)

    @rule(
        user=users,
        name=names,
        size=sizes,
        step=steps,
        other=users,
        other_name=names,
        other_size=sizes,
        span=st.sampled_from([0.0, 5.0, 61.0, 95.0]),
    )
    def two_launch_at_once(  # noqa: PLR0917 - facts
        self,
        user: str,
        name: str,
        size: str,
        step: str,
        other: str,
        other_name: str,
        other_size: str,
        span: float,
    ) -> None:
        def let_the_other_go_first(method: str) -> None:
            if method == step:
                self.engine.on_call = lambda _method: None
                self.labs[0].wait(span)
                self.start(1, other, other_name, other_size, 1)

        request = self.labs[0].request(user, size, 1, name)
        self._launch_with(0, request, let_the_other_go_first)

    @rule(
        user=users,
        name=names,
        size=sizes,
        other=users,
        other_name=names,
        other_size=sizes,
        stops=st.booleans(),
        span=st.sampled_from([0.0, 7.0, 14.0, 16.0]),
    )
    def decide_on_old_facts(  # noqa: PLR0917 - facts
        self,
        user: str,
        name: str,
        size: str,
        other: str,
        other_name: str,
        other_size: str,
        stops: bool,
        span: float,
    ) -> None:
        read = Observer._read

        def read_and_dawdle(observer: Observer) -> Snapshot:
            Observer._read = read  # type: ignore[method-assign]
            snapshot = read(observer)
            if stops:
                self.stop(other, other_name)
            self.start(1, other, other_name, other_size, 1)
            self.labs[0].wait(span)
            return snapshot

        Observer._read = read_and_dawdle  # type: ignore[method-assign,assignment]
        try:
            self.start(0, user, name, size, 1)
        finally:
            Observer._read = read  # type: ignore[method-assign]

    @rule(user=users, name=names)
    def stop(self, user: str, name: str) -> None:
        self.labs[0].stop(user, name)

    @rule(user=users, name=names)
    def crash(self, user: str, name: str) -> None:
        if (found := self.labs[0].container(user, name)) is not None and found.state.is_live:
            self.engine.kill(found.id)

    @rule(user=users, name=names)
    def remove(self, user: str, name: str) -> None:
        self.engine.remove(container_name(name, user))

    @rule(span=spans)
    def wait(self, span: float) -> None:
        self.labs[0].wait(span)

    @rule(slot=st.sampled_from(["0:0", "0:1", "1", "2"]))
    def somebody_uses_a_free_slot_without_asking(self, slot: str) -> None:
        if self.labs[0].states()[slot] is SlotState.FREE:
            self.engine.put(foreign_container(f"alien-{slot}", DeviceDemand(indices=(slot,))))

    @rule(slot=st.sampled_from(["0:0", "0:1", "1", "2"]))
    def they_leave(self, slot: str) -> None:
        self.engine.remove(f"alien-{slot}")

    @invariant()
    def no_slot_is_held_twice(self) -> None:
        if not hasattr(self, "labs"):
            return
        holders: dict[str, str] = {}
        for one in self.engine.containers():
            if one.state.is_live and one.labels.get(labels.MANAGED) == "true":
                for uuid in labels.gpu_uuids_of(one.labels):
                    assert uuid not in holders, (uuid, one.name, holders[uuid])
                    holders[uuid] = one.name
        for promise in self._promises():
            for uuid in promise.gpu_uuids:
                assert holders.setdefault(uuid, promise.container_name) == promise.container_name

    @invariant()
    def no_quota_is_exceeded(self) -> None:
        if not hasattr(self, "labs"):
            return
        slots: dict[str, dict[str, int]] = {}
        running: dict[str, set[str]] = {}
        for promise in self._promises():
            # Of several promises for one name the engine lets only one become a container.
            mine = slots.setdefault(promise.user, {})
            before = mine.get(promise.container_name, 0)
            mine[promise.container_name] = max(before, len(promise.gpu_uuids))
            running.setdefault(promise.user, set()).add(promise.container_name)
        promised = {name for held in slots.values() for name in held}
        for one in self.engine.containers():
            user = labels.owner_of(one.labels)
            if user is None or not one.state.is_live:
                continue
            running.setdefault(user, set()).add(one.name)
            if one.name not in promised:
                slots.setdefault(user, {})[one.name] = len(labels.gpu_uuids_of(one.labels))
        for user, held in slots.items():
            assert sum(held.values()) <= MAX_SLOTS, (user, held)
        for user, found in running.items():
            assert len(found) <= MAX_CONTAINERS, (user, found)

    @invariant()
    def the_queue_is_consistent(self) -> None:
        if not hasattr(self, "labs"):
            return
        lab = self.labs[0]
        situation = lab.admission.current()
        living = alive(lab.tickets(), lab.clock.now())
        found = situation.standings(situation.tickets, lab.admission.rules.strategy)
        assert {each.ticket.id for each in found} == {ticket.id for ticket in living}
        for each in found:
            if isinstance(each.verdict, NothingFree):
                assert 1 <= each.place <= each.length
            else:
                assert each.place == 0

    def everything_comes_back_in_the_end(self) -> None:
        """No slot is lost for ever."""
        for one in self.engine.containers():
            self.engine.remove(one.id)
        self.labs[0].wait(3600)
        assert self.labs[0].taken() == {}
        assert self.labs[0].admission.current().occupancy.containers == ()
        assert alive(self.labs[0].tickets(), self.labs[0].clock.now()) == ()

    def _go_on(self, by: int, request: LaunchRequest, answer: Grant | Queued) -> None:
        if isinstance(answer, Queued):
            self.waiting.append((by, request, answer))
        else:
            self.labs[by].launch(request, answer)

    def _launch_with(self, by: int, request: LaunchRequest, on_call: Callable[[str], None]) -> None:
        try:
            with suppress(DS01Error, Killed):
                answer = self.labs[by].admission.admit(request)
                assert isinstance(answer, Grant)
                self.engine.on_call = on_call
                self.labs[by].launch(request, answer)
        finally:
            self.engine.on_call = lambda _method: None
            self.engine.stuck = False
            self.engine._planned.clear()

    def _promises(self) -> list[Reservation]:
        """Reservations in force whose container the engine does not show yet."""
        made = {
            one.labels.get(labels.CREATED_AT)
            for one in self.engine.containers()
            if one.state.value != "created"
        }
        return [
            promise
            for promise in self.labs[0].reservations()
            if labels.format_timestamp(promise.created_at) not in made
        ]


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
