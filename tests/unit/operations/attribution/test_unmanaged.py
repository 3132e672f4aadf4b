from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand, Mount
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.attribution.scan import Attribution
from ds01_spawner.operations.attribution.unmanaged import PastPlatform
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.notices.notify import Outbox
from fakes.accounts import FakeAccounts
from fakes.activity import FakeContainerProcesses
from fakes.channels import FakeChannels
from fakes.clock import FakeClock
from fakes.engine import FakeEngine
from fakes.event_log import FakeEventLog
from fakes.ledger import FakeLedger
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe
from fakes.process_table import FakeProcessTable

RAW = "d4" * 32
MINUTE = timedelta(minutes=1)


class Watch:
    """A machine, and who looks at it once a minute."""

    def __init__(self, unmanaged: str = "", *, is_main: bool = True) -> None:
        self.is_main = is_main
        self.clock = FakeClock()
        self.policy = FakePolicy(f"unmanaged: {{{unmanaged}}}")
        self.ledger = FakeLedger()
        self.engine = FakeEngine(self.clock)
        self.probe = FakeProbe()
        self.table = FakeProcessTable()
        self.events = FakeEventLog()
        self.granted: set[str] = set()
        self.accounts = FakeAccounts(
            *(UnixAccount(name, uid, uid, f"/home/{name}") for name, uid in _PEOPLE.items())
        )
        self.restart()

    def restart(self) -> None:
        """Another process of the service."""
        audit = Audit(self.clock, self.events, "culler")
        self.past = PastPlatform(
            clock=self.clock,
            policy=self.policy,
            ledger=self.ledger,
            engine=self.engine,
            table=self.table,
            attribution=Attribution(
                clock=self.clock,
                probe=self.probe,
                table=self.table,
                engine=self.engine,
                accounts=self.accounts,
                granted=lambda: self.granted,
                monotonic=self.clock.monotonic,
            ),
            outbox=Outbox(
                clock=self.clock,
                ledger=self.ledger,
                engine=self.engine,
                processes=FakeContainerProcesses(),
                channels=FakeChannels(),
                audit=audit,
                zone=UTC,
            ),
            audit=audit,
            zone=UTC,
            is_main=self.is_main,
        )

    def container(
        self, marks: Mapping[str, str] | None = None, *, home: str = "/home/bob", gpu: str = "2"
    ) -> None:
        uuids = (self.probe.slot(gpu).uuid,) if gpu else ()
        self.engine.put(
            Container(
                RAW,
                "train",
                ContainerState.RUNNING,
                marks or {},
                self.clock.now(),
                mounts=(Mount("bind", home, "/x"),),
                demand=DeviceDemand(uuids=uuids),
            )
        )

    def process(self, pid: int, uid: int, slot: str = "2", **facts: Any) -> None:
        self.table.put(pid, uid=uid, started=self.table.up)
        uuid = self.probe.slot(slot).uuid
        listed = self.probe.shares.get(uuid, ())
        self.probe.shares[uuid] = (*listed, GpuProcess(pid, uuid, **facts))

    def minutes(self, count: int) -> tuple[str, ...]:
        notes: tuple[str, ...] = ()
        for _ in range(count):
            self.clock.advance(MINUTE)
            self.table.up += 60
            self._end()
            notes = self.past.look()
        return notes

    def _end(self) -> None:
        """What has ended is on no GPU any more."""
        for uuid, listed in self.probe.shares.items():
            self.probe.shares[uuid] = tuple(
                each for each in listed if each.pid in self.table.processes
            )

    @property
    def told(self) -> list[tuple[str, NoticeKind]]:
        with self.ledger.transaction() as transaction:
            lately = transaction.notices_since(self.clock.now() - timedelta(days=30))
        return [(each.user, each.kind) for each in lately]

    @property
    def runs(self) -> bool:
        found = self.engine.container(RAW)
        return found is not None and found.state.is_live


_PEOPLE = {"alice": 1000, "bob": 1001}
WARNED, STOPPED = ("bob", NoticeKind.FINAL_WARNING), ("bob", NoticeKind.STOPPED)


def test_it_is_reported_once_and_nothing_is_done_where_nothing_is_said() -> None:
    watch = Watch()
    watch.container()
    watch.minutes(60)
    (event,) = watch.events.of("workload.found")
    assert (event.user, event.resource) == ("bob", "train")
    assert event.details["slots"] == ["2"]
    assert (watch.runs, watch.told) == (True, [])


def test_its_owner_is_warned_once() -> None:
    watch = Watch("docker: warn")
    watch.container()
    watch.minutes(30)
    watch.restart()
    watch.minutes(60)
    assert watch.told == [("bob", NoticeKind.FIRST_WARNING)]
    assert watch.runs


def test_it_is_stopped_after_the_grace_and_its_owner_knows_both() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.minutes(10)
    assert (watch.runs, watch.told) == (True, [WARNED])
    watch.minutes(1)
    assert (watch.runs, watch.told) == (False, [WARNED, STOPPED])
    assert watch.events.actions == ["workload.found", "workload.warn", "workload.stop"]
    (event,) = watch.events.of("workload.stop")
    assert event.reason.endswith("(the defaults, resource-limits.yaml line 1).")


def test_another_process_of_the_service_goes_on_where_one_died() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.minutes(9)
    watch.restart()
    watch.minutes(1)
    assert watch.runs, "no look that is the first to see something stops it"
    watch.minutes(1)
    assert (watch.runs, watch.told) == (False, [WARNED, STOPPED])


def test_a_container_that_is_started_again_is_warned_about_again() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.minutes(12)
    watch.engine.start(RAW)
    watch.minutes(10)
    assert (watch.runs, watch.told) == (True, [WARNED, STOPPED, WARNED])
    watch.minutes(2)
    assert not watch.runs


def test_one_that_nobody_is_known_to_own_has_the_grace_too() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container(home="/srv/data")
    watch.minutes(10)
    assert watch.runs
    watch.minutes(2)
    assert (watch.runs, watch.told) == (False, [])


@pytest.mark.parametrize(
    ("spare", "home"), [("train", "/etc/train"), ("bob", "/home/bob")], ids=["nobodys", "persons"]
)
def test_what_is_spared_goes_on(spare: str, home: str) -> None:
    watch = Watch(f"docker: stop, grace: 0s, spare: [{spare}]")
    watch.container(home=home)
    watch.minutes(60)
    assert (watch.runs, watch.told) == (True, [])


def test_a_person_is_not_spared_by_what_they_call_their_container() -> None:
    watch = Watch("docker: stop, grace: 10m, spare: [train, alice]")
    watch.container()
    watch.minutes(60)
    assert (watch.runs, watch.told) == (False, [WARNED, STOPPED])


def test_an_installation_beside_the_main_one_only_reports() -> None:
    watch = Watch("docker: stop, grace: 0s", is_main=False)
    watch.container()
    watch.minutes(60)
    assert (watch.runs, watch.told, watch.events.actions) == (True, [], ["workload.found"])


def test_what_has_no_gpu_is_left_alone() -> None:
    watch = Watch("docker: stop, grace: 0s")
    watch.container(gpu="")
    watch.minutes(60)
    assert (watch.runs, watch.events.events) == (True, [])


def test_what_the_platform_made_is_left_alone() -> None:
    watch = Watch("docker: stop, compose: stop, grace: 0s")
    watch.container({labels.MANAGED: "true", labels.USER: "bob"})
    watch.minutes(60)
    assert (watch.runs, watch.events.events) == (True, [])


@pytest.mark.parametrize(
    ("marks", "key"),
    [
        ({"aime.mlc.USER": "bob"}, "aime"),
        ({"com.docker.compose.project": "p"}, "compose"),
        ({"devcontainer.metadata": "[]"}, "devcontainer"),
        ({}, "docker"),
    ],
)
def test_each_class_has_its_own_word(marks: dict[str, str], key: str) -> None:
    others = {"aime", "compose", "devcontainer", "docker"} - {key}
    spared = Watch(", ".join(f"{other}: stop" for other in sorted(others)) + ", grace: 0s")
    meant = Watch(f"{key}: stop, grace: 0s")
    for watch in (spared, meant):
        watch.container(marks)
        watch.minutes(3)
    assert (spared.runs, meant.runs) == (True, False)


def test_nothing_is_decided_on_an_old_picture() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.minutes(5)
    watch.probe.stuck = True
    assert watch.minutes(30)
    assert watch.runs
    watch.probe.stuck = False
    watch.minutes(1)
    assert not watch.runs


def test_what_cannot_be_written_down_is_not_done() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.minutes(10)
    watch.events.full = True
    assert watch.minutes(3) == ("The event log cannot be written: no space left on device.",)
    assert watch.runs
    watch.events.full = False
    watch.minutes(1)
    assert not watch.runs


def test_an_engine_that_does_not_stop_it_is_asked_again() -> None:
    watch = Watch("docker: stop, grace: 10m")
    watch.container()
    watch.engine.fail_next("stop", Unavailable("The engine does not answer."), times=2)
    watch.minutes(11)
    assert watch.minutes(1) == ("The engine does not answer.",)
    assert watch.minutes(1) == ()
    assert not watch.runs
    assert watch.events.actions.count("workload.stop") == 1


def test_a_persons_processes_are_asked_to_end_and_then_ended() -> None:
    watch = Watch("host: stop, grace: 10m")
    watch.process(7, 1001)
    watch.process(8, 1001)
    watch.table.stubborn.add(8)
    watch.minutes(10)
    assert watch.table.sent == []
    watch.minutes(1)
    assert watch.table.sent == [(7, SIGTERM), (8, SIGTERM)]
    watch.minutes(1)
    assert watch.table.sent[2:] == [(8, SIGKILL)]
    watch.minutes(5)
    assert watch.told == [WARNED, STOPPED]
    assert watch.events.actions.count("workload.stop") == 1


def test_a_process_that_begins_beside_one_that_is_stopped_has_the_whole_grace() -> None:
    watch = Watch("host: stop, grace: 10m")
    watch.process(7, 1001)
    watch.minutes(9)
    watch.process(8, 1001)
    watch.minutes(9)
    assert watch.table.sent == [(7, SIGTERM)]
    assert watch.told == [WARNED, STOPPED, WARNED]
    watch.minutes(6)
    assert watch.table.sent[-1] == (8, SIGTERM)


@pytest.mark.parametrize(("uid", "computes"), [(0, True), (999, True), (4242, True), (1001, False)])
def test_what_is_the_servers_own_or_a_screen_is_never_ended(uid: int, computes: bool) -> None:
    watch = Watch("host: stop, grace: 0s")
    watch.accounts.people["root"] = UnixAccount("root", 0, 0, "/root")
    watch.accounts.people["gdm"] = UnixAccount("gdm", 999, 999, "/")
    watch.process(7, uid, computes=computes)
    watch.minutes(30)
    assert watch.table.sent == []


def test_who_runs_one_program_after_the_other_is_told_once_and_each_has_the_grace() -> None:
    watch = Watch("host: stop, grace: 10m")
    for number in range(5):
        watch.process(10 + number, 1001)
        watch.minutes(9)
        del watch.table.processes[10 + number]
    assert (watch.table.sent, watch.told) == ([], [WARNED])
    watch.minutes(60 * 24)
    watch.process(20, 1001)
    watch.minutes(1)
    assert watch.told == [WARNED, WARNED]


def test_a_process_that_is_nobodys_is_said_when_it_stays() -> None:
    watch = Watch()
    watch.process(7, 4242)
    watch.process(8, 4242)
    watch.minutes(1)
    assert watch.events.of("gpu.unattributed") == []
    del watch.table.processes[8]
    watch.minutes(10)
    (event,) = watch.events.of("gpu.unattributed")
    assert (event.resource, event.details["pid"]) == ("2", 7)
    assert event.reason == "No account has its user id 4242."


def test_notices_say_what_how_and_what_instead() -> None:
    watch = Watch("docker: stop, host: stop")
    watch.container()
    watch.process(7, 1000, slot="3")
    watch.minutes(1)
    with watch.ledger.transaction() as transaction:
        found = transaction.notices_since(watch.clock.now() - MINUTE)
    lately = sorted(found, key=lambda each: each.title)
    titles = [each.title for each in lately]
    assert titles == [
        "Your container train stops at 12:31: it uses a GPU past the platform.",
        "Your programs outside of containers stop at 12:31: they use a GPU past the platform.",
    ]
    assert all("ds01 container deploy" in each.text for each in lately)
    assert "It is on GPU slot 2." in lately[0].text
    assert replace(lately[0], text="").rule == "unmanaged.docker"


def test_what_a_grant_allows_is_neither_reported_nor_stopped_until_it_ends() -> None:
    watch = Watch("host: stop, grace: 10m")
    watch.granted = {"bob"}
    watch.process(17, 1001, computes=True)
    watch.minutes(60)
    assert watch.events.of("workload.found") == []
    assert 17 in watch.table.processes
    watch.granted = set()
    watch.minutes(1)
    assert [each.user for each in watch.events.of("workload.found")] == ["bob"]
    assert watch.told == [WARNED]
    watch.minutes(11)
    assert (17, SIGTERM) in watch.table.sent
