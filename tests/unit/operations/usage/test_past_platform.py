"""What containers past the platform hold, in the books."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.attribution import Owner
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import CardPower, Inventory, Slot, SlotActivity
from ds01_spawner.domain.usage_report import By
from ds01_spawner.operations.attribution.owners import ContainerOwners
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.operations.usage.report import Question, Report, Reports
from ds01_spawner.operations.usage.unmanaged_use import LOOKS_LEFT_OUT, UnmanagedUse
from fakes.clock import EPOCH, FakeClock
from fakes.lab import Lab

MINUTE = 60 * 10**6
MIRA = {"aime.mlc": "thesis", "aime.mlc.USER": "alice"}


class Past:
    """A lab in which people run containers past the platform, and its books."""

    def __init__(self, *, is_main: bool = True) -> None:
        self.lab = Lab(clock=FakeClock())
        self.spared: set[str] = set()
        self.names_are_known = True
        self.asked: list[str] = []
        self.wedged: set[str] = set()
        self.is_main = is_main
        self.books = self.process()
        self.keep()

    def process(self) -> Books:
        owners = ContainerOwners(self.lab.accounts)

        def known(containers: Iterable[Container]) -> Mapping[str, Owner]:
            return owners(containers) if self.names_are_known else {}

        return Books(
            ledger=self.lab.ledger,
            events=self.lab.events,
            probe=self.lab.probe,
            instance="here",
            unmanaged=UnmanagedUse(
                known,
                self.inspect,
                lambda owner: owner.user is None and owner.container in self.spared,
            )
            if self.is_main
            else None,
        )

    def inspect(self, container_id: str) -> Container | None:
        self.asked.append(container_id)
        if container_id in self.wedged:
            raise Unavailable("The engine does not answer in time.", "")
        return self.lab.engine.container(container_id)

    @property
    def inventory(self) -> Inventory:
        return self.lab.admission.current().snapshot.inventory

    @property
    def full(self) -> Slot:
        return next(slot for slot in self.inventory.slots if slot.is_full)

    def keep(self, minutes: int = 0) -> None:
        for _ in range(minutes):
            self.lab.wait(60)
            self.books.keep(self.lab.admission.current().snapshot)
        if not minutes:
            self.books.keep(self.lab.admission.current().snapshot)

    def put(self, demand: DeviceDemand, name: str = "thesis._.1001", **marks: str) -> Container:
        now = self.lab.clock.now()
        found = Container(
            id=name[0] * 64,
            name=name,
            state=ContainerState.RUNNING,
            labels=marks,
            created_at=now,
            started_at=now,
            demand=demand,
        )
        self.lab.engine.put(found)
        return found

    def intervals(self) -> list[UsageInterval]:
        with self.lab.ledger.transaction() as transaction:
            found = transaction.usage_begun_before(EPOCH + timedelta(days=400))
        return sorted(found, key=lambda each: (each.started_at, each.slot_id))

    def held(self) -> dict[str, float]:
        """Minutes of slots, by person."""
        report = self.report(By.USER)
        return {row.name: round(row.gpu_hours * 60, 2) for row in report.rows if row.gpu_hours}

    def report(self, by: By) -> Report:
        reports = Reports(clock=self.lab.clock, ledger=self.lab.ledger)
        return reports.report(Question(by))


@pytest.fixture
def past() -> Past:
    return Past()


def test_a_container_past_the_platform_is_in_its_owners_books(past: Past) -> None:
    slot = past.full
    past.lab.wait(30)
    past.put(DeviceDemand(uuids=(slot.uuid,)), **MIRA)
    past.lab.probe.busy[slot.uuid] = SlotActivity(0.5)
    past.lab.probe.watts[slot.gpu_uuid] = CardPower(300.0)
    past.lab.wait(30)
    past.keep()
    past.keep(60)
    (interval,) = past.intervals()
    assert interval.started_at == EPOCH + timedelta(seconds=30), "as the engine tells"
    assert (interval.user, interval.interface) == ("alice", "unmanaged-aime")
    assert (interval.slot_id, interval.profile) == (slot.id, "full")
    assert interval.seen_microseconds == 60.5 * MINUTE
    assert interval.busy_microseconds == 30.25 * MINUTE
    assert interval.energy_millijoules > 0
    assert past.held() == {"alice": 60.5}
    report = past.report(By.USER)
    assert report.rows[0].unmanaged_hours == report.rows[0].gpu_hours
    assert any("past the platform (aime 1 hour)" in note for note in report.notes)


def test_whose_nobody_knows_is_unknown_and_all_slots_are_booked(past: Past) -> None:
    past.put(DeviceDemand(count=-1), "raw")
    past.keep(2)
    count = len(past.inventory.slots)
    assert past.held() == {"unknown": 2.0 * count}
    assert {each.interface for each in past.intervals()} == {"unmanaged-docker"}


def test_it_ends_when_the_engine_says_so_or_else_when_it_was_last_seen(past: Past) -> None:
    first, second = past.inventory.slots[:2]
    one = past.put(DeviceDemand(uuids=(first.uuid,)), "a", **MIRA)
    past.put(DeviceDemand(uuids=(second.uuid,)), "b", **MIRA)
    past.keep(5)
    past.lab.wait(20)
    ended = past.lab.clock.now()
    past.lab.engine.put(replace(one, state=ContainerState.EXITED, finished_at=ended))
    past.lab.engine.remove("b")
    past.lab.wait(40)
    past.keep()
    ends = {each.gpu_uuid: each for each in past.intervals()}
    told, guessed = ends[first.uuid], ends[second.uuid]
    assert (told.ended_at, told.end_known) == (ended, True)
    assert (guessed.ended_at, guessed.end_known) == (ended - timedelta(seconds=20), False)


def test_a_slot_that_a_container_of_the_platform_has_is_that_ones_alone(past: Past) -> None:
    past.lab.run("bob")
    past.put(DeviceDemand(count=-1), "raw")
    past.keep(3)
    assert past.held() == {"bob": 3.0, "unknown": 3.0 * (len(past.inventory.slots) - 1)}


def test_what_ran_before_anybody_kept_books_is_booked_from_then_on() -> None:
    past = Past(is_main=False)
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.keep(60)
    assert past.held() == {}, "the main installation books it"
    past.is_main = True
    past.books = past.process()  # an earlier release is brought up to date
    past.keep(10)
    assert past.held() == {"alice": 9.0}


def test_a_restart_that_nobody_saw_is_another_interval(past: Past) -> None:
    container = past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.keep(1)
    seen = past.lab.clock.now()
    past.lab.wait(7200)
    again = past.lab.clock.now() - timedelta(minutes=1)
    past.lab.engine.put(replace(container, started_at=again))
    past.books = past.process()
    past.keep()
    first, second = past.intervals()
    assert (first.ended_at, first.end_known) == (seen, False)
    assert (second.started_at, second.ended_at) == (again, None)


def test_while_the_service_is_down_it_is_held_and_nobody_looked(past: Past) -> None:
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.keep(1)
    past.lab.wait(3600)
    past.books = past.process()
    past.keep()
    assert past.held()["alice"] == 61.0
    assert past.report(By.USER).total.unseen_hours == pytest.approx(1.0)


def test_what_the_administrator_spares_and_is_nobodys_is_nobodys_use(past: Past) -> None:
    past.spared = {"dcgm-exporter", "thesis._.1001"}
    past.put(DeviceDemand(count=-1), "dcgm-exporter")
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.keep(2)
    assert list(past.held()) == ["alice"], "a person cannot call theirs so"


def test_containers_of_another_installation_are_in_none_of_these_books(past: Past) -> None:
    slot = past.full
    marks = {labels.MANAGED: "true", labels.INSTANCE: "another", labels.USER: "bob"}
    past.put(DeviceDemand(uuids=(slot.uuid,)), "o", **marks, **{labels.GPU_UUIDS: slot.uuid})
    past.put(DeviceDemand(uuids=(slot.uuid,)), **MIRA)
    past.keep(2)
    assert past.held() == {}


def test_while_names_cannot_be_looked_up_it_waits_and_loses_nothing(past: Past) -> None:
    past.names_are_known = False
    past.lab.wait(1)
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.keep(10)
    assert past.held() == {}
    past.names_are_known = True
    past.keep()
    assert past.held() == {"alice": 10.0}
    past.names_are_known = False
    past.keep(10)
    assert past.held() == {"alice": 20.0}, "what is booked goes on"


def test_a_card_that_cannot_be_read_for_a_while_ends_nothing(past: Past) -> None:
    slot = past.full
    past.put(DeviceDemand(uuids=(slot.uuid,)), **MIRA)
    past.keep(5)
    whole = past.lab.probe.present
    past.lab.probe.present = replace(
        whole,
        gpus=tuple(each for each in whole.gpus if each.uuid != slot.gpu_uuid),
        unavailable=(slot,),
    )
    past.keep(5)
    past.lab.probe.present = whole
    past.keep(5)
    assert len(past.intervals()) == 1
    assert past.held() == {"alice": 15.0}


@pytest.mark.parametrize("name", ["u" * 256, "u\n1", "\u202eecila", "a/b"])
def test_what_nobody_is_called_is_in_the_books_as_nobodys(past: Past, name: str) -> None:
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **{labels.USER: name})
    past.keep(10)
    assert past.held() == {"unknown": 10}


@pytest.mark.parametrize("name", ["g" * 65, "g\n1", "\u202eg", "(other)"])
def test_what_no_group_or_project_is_called_is_none_in_the_books(past: Past, name: str) -> None:
    marks = {**MIRA, labels.GROUP: name, "com.docker.compose.project": name}
    past.put(DeviceDemand(uuids=(past.full.uuid,)), **marks)
    past.keep(10)
    (interval,) = past.intervals()
    assert interval.group == ""
    assert interval.project in {"", "g" * 64}


def test_a_container_of_which_the_engine_tells_nothing_is_asked_about_now_and_then(
    past: Past,
) -> None:
    made = past.put(DeviceDemand(uuids=(past.full.uuid,)), **MIRA)
    past.wedged.add(made.id)
    past.keep(minutes=2 * (LOOKS_LEFT_OUT + 1))
    assert past.asked == [made.id] * 2
    assert past.held() == {"alice": 2.0 * (LOOKS_LEFT_OUT + 1)}
    past.wedged.clear()
    past.lab.engine.put(
        replace(made, state=ContainerState.EXITED, finished_at=past.lab.clock.now())
    )
    past.keep(minutes=1)
    assert past.asked[2:] == [made.id]
    assert past.held() == {"alice": 2.0 * (LOOKS_LEFT_OUT + 1)}
