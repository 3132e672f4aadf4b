from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.errors import QuotaExceeded, Unavailable
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.storage import KERNEL, Folder, StorageUse
from ds01_spawner.operations.lifecycle.storage import IN_USE_EVERY, OUT_OF_USE_EVERY, Storage
from ds01_spawner.ports import LedgerTransaction
from fakes.lab import POLICY, Lab
from fakes.storage import FakeStorageMeter

GIB = 1024**3
LIMITED = POLICY.replace("  max_gpu_slots: 1\n", "  max_gpu_slots: 1\n  storage: 100g\n", 1)
VOLUME = "/var/lib/docker/volumes/ds01-home-{}/_data"


@dataclass
class StorageLab(Lab):
    """A lab that measures homes."""

    posted: list[Notice] = field(default_factory=list)

    def restart(self) -> None:
        super().restart()
        self.policy.edit(LIMITED)
        if not hasattr(self, "meter"):
            self.meter = FakeStorageMeter(self.clock)
        self.storage = Storage(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            engine=self.engine,
            ledger=self.ledger,
            meter=self.meter,
            audit=self.audit,
            post=self._post,
            instance="here",
            is_main=True,
        )
        self.admission.rules = replace(self.admission.rules, check_storage=self.storage.check)

    def _post(self, transaction: LedgerTransaction, notice: Notice) -> None:
        transaction.put_notice(notice, ())
        self.posted.append(notice)

    def home(self, user: str, gib: float) -> str:
        path = VOLUME.format(user)
        self.meter.sizes[path] = round(gib * GIB)
        return path

    def use(self, user: str) -> StorageUse:
        with self.ledger.transaction() as transaction:
            (found,) = transaction.storage(user)
        return found

    def look(self, gib: float, user: str = "alice") -> None:
        """The home holds so much by the next look."""
        self.home(user, gib)
        self.wait(IN_USE_EVERY.total_seconds())
        self.storage.look()

    def actions(self) -> list[str]:
        return [each.action for each in self.events.events if each.action.startswith("storage.")]


@pytest.fixture
def lab() -> StorageLab:
    lab = StorageLab()
    lab.home("alice", 10)
    return lab


def test_the_homes_of_people_with_containers_are_measured(lab: StorageLab) -> None:
    lab.accounts.people["bob"] = UnixAccount("bob", 1001, 1001, "/home/bob", (), ())
    lab.meter.sizes["/home/bob"] = 20 * GIB
    lab.run("alice")
    lab.run("bob")
    report = lab.storage.look()
    assert {use.user: use.size_bytes // GIB for use in report.measured} == {"alice": 10, "bob": 20}
    assert lab.use("bob").limit_bytes == 100 * GIB
    assert lab.posted == []


def test_somebody_else_s_containers_are_not_looked_at(lab: StorageLab) -> None:
    lab.run("alice")
    (container,) = lab.engine.containers()
    other = replace(container, labels={**container.labels, "ds01.instance": "elsewhere"})
    assert lab.storage.look(containers=[other]).measured == ()
    assert lab.meter.measured == []


def test_nobody_is_measured_again_at_once(lab: StorageLab) -> None:
    lab.run("alice")
    lab.storage.look()
    lab.wait(60)
    lab.storage.look()
    assert len(lab.meter.measured) == 1
    lab.wait(IN_USE_EVERY.total_seconds())
    lab.storage.look()
    assert len(lab.meter.measured) == 2


def test_whoever_runs_nothing_is_measured_seldom(lab: StorageLab) -> None:
    lab.run("alice")
    lab.storage.look()
    lab.stop("alice")
    lab.wait(IN_USE_EVERY.total_seconds() * 2)
    lab.storage.look()
    assert len(lab.meter.measured) == 1
    lab.wait(OUT_OF_USE_EVERY.total_seconds())
    lab.storage.look()
    assert len(lab.meter.measured) == 2


def test_a_large_home_takes_several_looks_and_starves_nobody(lab: StorageLab) -> None:
    lab.meter.seconds[lab.home("alice", 10)] = 35
    lab.home("bob", 1)
    lab.run("alice")
    lab.run("bob")
    assert [use.user for use in lab.storage.look(timedelta(seconds=20)).measured] == ["bob"]
    looks = 1
    while not lab.storage.look(timedelta(seconds=20)).measured:
        looks += 1
        assert looks < 5
    assert lab.use("alice").size_bytes == 10 * GIB


def test_a_look_ends_with_its_budget(lab: StorageLab) -> None:
    for user in ("alice", "bob", "cem", "dana"):
        lab.meter.seconds[lab.home(user, 1)] = 9
        lab.run(user)
    assert [use.user for use in lab.storage.look(timedelta(seconds=20)).measured] == [
        "alice",
        "bob",
    ]
    rest = lab.storage.look(timedelta(seconds=20)).measured
    assert {use.user for use in rest} == {"cem", "dana"}


def test_everybody_is_told_once_of_each_threshold(lab: StorageLab) -> None:
    lab.run("alice")
    for gib in (50, 81, 85, 99, 101, 103):
        lab.look(gib)
    assert [notice.title for notice in lab.posted] == [
        "Your storage fills up: 81 GB of 100 GB are in use (81 %).",
        "Your storage is full: 101 GB of 100 GB are in use.",
    ]
    assert lab.actions() == ["storage.warn", "storage.full"]
    assert lab.posted[0].origin == "the defaults, resource-limits.yaml line 4"
    assert lab.posted[0].value == "100g"


def test_whoever_cleans_up_is_told_again_the_next_time(lab: StorageLab) -> None:
    lab.run("alice")
    for gib in (81, 79, 81, 40, 82):
        lab.look(gib)
    assert lab.actions() == ["storage.warn", "storage.warn"]


def test_a_restart_tells_nobody_twice(lab: StorageLab) -> None:
    lab.run("alice")
    lab.look(90)
    lab.restart()
    lab.look(91)
    assert lab.actions() == ["storage.warn"]


def test_a_notice_that_cannot_be_posted_comes_with_the_next_look(
    lab: StorageLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("The disk is full.")

    lab.run("alice")
    with monkeypatch.context() as patch:
        patch.setattr(lab.storage, "_post", fail)
        lab.look(90)
    assert lab.posted == []
    lab.look(90)
    assert lab.actions() == ["storage.warn"]


def test_a_full_home_starts_nothing_new_and_stops_nothing(lab: StorageLab) -> None:
    lab.run("alice", "none", name="first")
    lab.meter.largest = (Folder("data/raw", 61 * GIB), Folder(".cache/pip", 22 * GIB))
    lab.look(103)
    with pytest.raises(QuotaExceeded) as caught:
        lab.granted(lab.request("alice", "none", name="second"))
    assert caught.value.limit == "storage"
    assert wording.refusal(caught.value) == (
        "Your files take 103 GB of 100 GB. The largest folders: data/raw 61 GB, "
        ".cache/pip 22 GB. Delete some in a server that still runs, or ask your administrator, "
        "then start again."
    )
    assert lab.events.events[-1].action == "quota.reject"
    container = lab.container("alice", "first")
    assert container is not None
    assert container.state.is_live


def test_whoever_deletes_files_is_let_in_at_once(lab: StorageLab) -> None:
    lab.run("alice", "none")
    lab.look(103)
    lab.home("alice", 60)
    lab.wait(61)
    lab.granted(lab.request("alice", "none", name="second"))
    assert lab.use("alice").size_bytes == 60 * GIB


def test_a_fresh_figure_is_not_measured_again_for_a_refusal(lab: StorageLab) -> None:
    lab.run("alice", "none")
    lab.look(103)
    lab.home("alice", 60)
    before = len(lab.meter.measured)
    with pytest.raises(QuotaExceeded):
        lab.granted(lab.request("alice", "none", name="second"))
    assert len(lab.meter.measured) == before


def test_a_home_that_is_too_large_to_measure_at_once_is_refused_by_its_last_figure(
    lab: StorageLab,
) -> None:
    lab.run("alice", "none")
    lab.look(103)
    lab.wait(61)
    lab.meter.seconds[lab.home("alice", 60)] = 8
    with pytest.raises(QuotaExceeded):
        lab.granted(lab.request("alice", "none", name="second"))
    lab.granted(lab.request("alice", "none", name="second"))


def test_what_cannot_be_measured_refuses_nobody(lab: StorageLab) -> None:
    lab.run("alice", "none")
    lab.look(103)
    lab.wait(61)
    lab.meter.stuck.add(lab.home("alice", 103))
    lab.granted(lab.request("alice", "none", name="second"))
    report = lab.storage.look()
    assert report.measured == ()


def test_what_cannot_be_measured_is_said(lab: StorageLab) -> None:
    path = lab.home("alice", 1)
    lab.meter.stuck.add(path)
    lab.run("alice")
    assert lab.storage.look().notes == (f"alice: The file system of {path} does not answer.",)


def test_an_unknown_size_refuses_nobody(lab: StorageLab) -> None:
    lab.home("alice", 500)
    lab.granted(lab.request("alice", "none"))


def test_a_raised_limit_lets_people_in_and_a_lowered_one_does_not(lab: StorageLab) -> None:
    lab.run("alice", "none")
    lab.look(90)
    lab.policy.edit(LIMITED.replace("100g", "50g"))
    with pytest.raises(QuotaExceeded):
        lab.granted(lab.request("alice", "none", name="second"))
    lab.policy.edit(LIMITED.replace("100g", "200g"))
    lab.granted(lab.request("alice", "none", name="second"))


def test_without_a_limit_nobody_is_measured(lab: StorageLab) -> None:
    lab.policy.edit(POLICY)
    lab.run("alice")
    lab.storage.look()
    assert lab.meter.measured == []


def test_the_kernel_is_told_the_limit_and_that_there_is_none(lab: StorageLab) -> None:
    lab.meter.source = KERNEL
    lab.run("alice")
    path = lab.home("alice", 10)
    lab.storage.look()
    assert lab.meter.bounds == {path: 100 * GIB}
    lab.policy.edit(POLICY)
    lab.wait(IN_USE_EVERY.total_seconds())
    lab.storage.look()
    assert lab.meter.bounds == {path: None}
    assert lab.use("alice").limit_bytes is None


def test_a_home_that_is_gone_is_said(lab: StorageLab) -> None:
    lab.run("alice")
    lab.meter.sizes.clear()
    (note,) = lab.storage.look().notes
    assert "There is no home" in note


def test_a_home_that_is_gone_is_forgotten(lab: StorageLab) -> None:
    lab.run("alice")
    lab.storage.look()
    lab.stop("alice")
    lab.engine.remove(lab.engine.containers()[0].id)
    lab.meter.sizes.clear()
    lab.wait(OUT_OF_USE_EVERY.total_seconds())
    assert len(lab.storage.look().notes) == 1
    with lab.ledger.transaction() as transaction:
        assert list(transaction.storage()) == []
    assert lab.storage.look().notes == ()


def test_a_home_that_cannot_be_measured_is_not_tried_in_each_look_while_nothing_runs(
    lab: StorageLab,
) -> None:
    lab.run("alice")
    lab.storage.look()
    lab.stop("alice")
    lab.engine.remove(lab.engine.containers()[0].id)
    lab.meter.stuck.add(lab.home("alice", 10))
    tried = len(lab.meter.measured)
    for _ in range(10):
        lab.wait(OUT_OF_USE_EVERY.total_seconds() / 5)
        lab.storage.look()
    assert len(lab.meter.measured) == tried + 2
    assert lab.use("alice").size_bytes == 10 * GIB


def test_the_home_of_an_account_has_to_be_its_owners(lab: StorageLab) -> None:
    lab.accounts.people["bob"] = UnixAccount("bob", 1001, 1001, "/home/bob", (), ())
    lab.meter.sizes["/home/bob"] = 20 * GIB
    lab.meter.owners["/home/bob"] = 0
    lab.run("bob")
    assert lab.storage.look().notes == ("bob: The home /home/bob belongs to somebody else.",)


def test_an_engine_that_does_not_answer_is_said(lab: StorageLab) -> None:
    lab.engine.fail_next("containers", Unavailable("The engine does not answer."))
    with pytest.raises(Unavailable):
        lab.storage.look()


def test_the_check_costs_one_ledger_transaction_and_without_a_limit_none(lab: StorageLab) -> None:
    lab.run("alice", "none")
    lab.look(10)
    before = lab.ledger.transactions  # type: ignore[attr-defined]
    lab.storage.check("alice", lab.admission.limits("alice"))
    assert lab.ledger.transactions == before + 1  # type: ignore[attr-defined]
    lab.policy.edit(POLICY)
    lab.storage.check("alice", lab.admission.limits("alice"))
    assert lab.ledger.transactions == before + 1  # type: ignore[attr-defined]
