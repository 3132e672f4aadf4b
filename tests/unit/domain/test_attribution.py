from collections.abc import Mapping

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import (
    Attributed,
    GpuProcess,
    Owner,
    ProcessFacts,
    Proof,
    WorkloadClass,
    process_owner,
)
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand, Mount
from ds01_spawner.domain.container_owner import class_of, container_owner
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.workload import workloads_of
from fakes.clock import EPOCH
from fakes.probe import card, machine

ID = "a1" * 32
UIDS = {0: "root", 1000: "alice", 1001: "bob"}


class People:
    def name_of(self, uid: int) -> str | None:
        return UIDS.get(uid)

    def owner_of(self, folder: str) -> str | None:
        parts = folder.split("/")
        return parts[2] if folder.startswith("/home/") and parts[2] in UIDS.values() else None

    def person(self, name: str) -> str | None:
        return UIDS.get(int(name)) if name.isdecimal() else name if name == "alice" else None


PEOPLE = People()


def container(
    marks: Mapping[str, str] | None = None,
    *,
    name: str = "work",
    mounts: tuple[str, ...] = (),
    uid: int | None = 0,
    demand: DeviceDemand = DeviceDemand(),  # noqa: B008 - immutable
) -> Container:
    return Container(
        id=ID,
        name=name,
        state=ContainerState.RUNNING,
        labels=marks or {},
        created_at=EPOCH,
        mounts=tuple(Mount("bind", each, "/x") for each in mounts),
        uid=uid,
        demand=demand,
    )


@pytest.mark.parametrize(
    ("marks", "name", "expected"),
    [
        ({labels.MANAGED: "true", "com.docker.compose.project": "p"}, "w", WorkloadClass.MANAGED),
        ({"aime.mlc.USER": "alice"}, "w", WorkloadClass.AIME),
        ({}, "w._.1001", WorkloadClass.AIME),
        ({}, "w._.alice", WorkloadClass.DOCKER),
        ({"devcontainer.local_folder": "/home/bob/p"}, "w", WorkloadClass.DEVCONTAINER),
        (
            {"devcontainer.metadata": "[]", "com.docker.compose.project": "p"},
            "w",
            WorkloadClass.DEVCONTAINER,
        ),
        ({"com.docker.compose.project": "p"}, "p_web_1", WorkloadClass.COMPOSE),
        ({}, "w", WorkloadClass.DOCKER),
    ],
)
def test_a_container_is_classed(
    marks: Mapping[str, str], name: str, expected: WorkloadClass
) -> None:
    assert class_of(container(marks, name=name)) is expected


@pytest.mark.parametrize(
    ("found", "user", "proof"),
    [
        (container({labels.USER: "carol"}, mounts=("/home/bob",)), "carol", Proof.LABEL),
        (container({"aime.mlc.USER": "carol"}), "carol", Proof.LABEL),
        (container(mounts=("/home/bob/data", "/srv/sets"), uid=1000), "bob", Proof.FOLDER),
        (container({"devcontainer.local_folder": "/home/bob/p"}), "bob", Proof.FOLDER),
        (
            container({"com.docker.compose.project.working_dir": "/home/bob/p"}),
            "bob",
            Proof.FOLDER,
        ),
        (container(name="work._.1001", uid=1000), "bob", Proof.NAME),
        (container(name="work._.alice"), "alice", Proof.NAME),
        (container(uid=1001), "bob", Proof.UID),
    ],
)
def test_its_owner_is_told_by_the_surest_sign(found: Container, user: str, proof: Proof) -> None:
    owner = container_owner(found, PEOPLE)
    assert (owner.user, owner.proof, owner.why) == (user, proof, "")


@pytest.mark.parametrize(
    "found",
    [
        container(),
        container(mounts=("/home/bob/a", "/home/alice/b")),
        container(mounts=("/home", "/")),
        container(uid=4242),
        container(uid=None),
    ],
    ids=["root", "two-homes", "all-homes", "no-account", "named-user"],
)
def test_whose_a_container_is_may_be_unknown_and_says_why(found: Container) -> None:
    owner = container_owner(found, PEOPLE)
    assert (owner.user, owner.proof, owner.container) == (None, Proof.NONE, "work")
    assert owner.why


def test_a_managed_container_tells_project_group_and_door() -> None:
    marks = {
        labels.MANAGED: "true",
        labels.USER: "alice",
        labels.GROUP: "student",
        labels.PROJECT: "thesis",
        labels.INTERFACE: "hub",
    }
    owner = container_owner(container(marks), PEOPLE)
    assert (owner.group, owner.project, owner.interface) == ("student", "thesis", Interface.HUB)


OWNERS = {ID: Owner(WorkloadClass.MANAGED, "alice", Proof.LABEL, ID, "work._.alice")}


def owner_of(cgroup: str | None, uid: int | None = 0) -> Owner:
    return process_owner(ProcessFacts(7, 1.0, uid, "python", cgroup), OWNERS, PEOPLE)


def test_a_process_in_a_container_is_its_owners_whatever_its_uid() -> None:
    assert owner_of(f"0::/docker/{ID}", uid=1001) is OWNERS[ID]


def test_a_process_of_the_server_is_its_uids() -> None:
    owner = owner_of("0::/system.slice/cron.service", uid=1001)
    assert (owner.kind, owner.user, owner.proof) == (WorkloadClass.HOST, "bob", Proof.UID)


def test_root_in_somebodys_session_is_theirs() -> None:
    owner = owner_of("0::/user.slice/user-1001.slice/session-1.scope", uid=0)
    assert (owner.user, owner.proof) == ("bob", Proof.SESSION)


def test_another_account_in_somebodys_session_is_that_accounts() -> None:
    owner = owner_of("0::/user.slice/user-1001.slice/session-1.scope", uid=1000)
    assert (owner.user, owner.proof) == ("alice", Proof.UID)


def test_a_container_without_a_daemon_is_its_sessions() -> None:
    path = f"0::/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-{ID}.scope"
    owner = owner_of(path, uid=165536)
    assert (owner.kind, owner.user, owner.proof) == (WorkloadClass.HOST, "bob", Proof.SESSION)


def test_nobody_becomes_somebody_else_by_the_user_ids_of_their_own_containers() -> None:
    """Ids of /etc/subuid and of a directory may overlap."""
    for cgroup in ("0::/system.slice/cron.service", "0::/user.slice/user-1001.slice/session-1"):
        facts = ProcessFacts(7, 1.0, 1000, "python", cgroup, namespace_uid=1001)
        assert process_owner(facts, {}, PEOPLE).user == "bob"
    facts = ProcessFacts(7, 1.0, 1000, "python", "0::/", namespace_uid=0)
    assert process_owner(facts, {}, PEOPLE).user == "alice"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (None, WorkloadClass.UNKNOWN),
        (ProcessFacts(7), WorkloadClass.UNKNOWN),
        (ProcessFacts(7, uid=1000), WorkloadClass.UNKNOWN),
        (ProcessFacts(7, cgroup="0::/"), WorkloadClass.UNKNOWN),
        (ProcessFacts(7, uid=1000, cgroup=f"0::/docker/{'c' * 64}"), WorkloadClass.UNKNOWN),
        (
            ProcessFacts(7, uid=1000, cgroup=f"4:cpu:/docker/{ID}\n5:x:/docker/{'b2' * 32}"),
            WorkloadClass.UNKNOWN,
        ),
        (ProcessFacts(7, uid=4242, cgroup="0::/"), WorkloadClass.HOST),
    ],
    ids=[*("gone", "unreadable", "no-cgroup", "no-uid", "unlisted", "two", "no-account")],
)
def test_what_cannot_be_attributed_is_named_and_says_why(
    facts: ProcessFacts | None, kind: WorkloadClass
) -> None:
    owners = {**OWNERS, "b2" * 32: Owner(WorkloadClass.DOCKER)}
    owner = process_owner(facts, owners, PEOPLE)
    assert (owner.kind, owner.user) == (kind, None)
    assert owner.why


INVENTORY = machine(card(0, "2g.10gb"), card(1))


def on(slot: str, pid: int, owner: Owner, memory: int | None = 1, uid: int = 0) -> Attributed:
    return Attributed(GpuProcess(pid, slot, memory), slot, owner, uid=uid, started_at=EPOCH)


def test_every_process_is_in_one_workload() -> None:
    given = container({labels.MANAGED: "true"}, demand=DeviceDemand(indices=("1",)))
    host, nobody = Owner(WorkloadClass.HOST, "bob"), Owner(WorkloadClass.HOST, why="no")
    unknown = Owner(WorkloadClass.UNKNOWN, why="?")
    processes = [
        on("0:0", 1, OWNERS[ID], 5),
        on("1", 1, OWNERS[ID], 6),
        on("1", 2, OWNERS[ID], 7),
        on("1", 3, host, None),
        on("0:0", 4, nobody, uid=4242),
        on("1", 5, unknown),
    ]
    found = workloads_of([given], OWNERS, processes, INVENTORY)
    assert [(each.id, each.slots, each.processes, each.memory_bytes) for each in found] == [
        (ID, ("0:0", "1"), 2, 18),
        ("host:4242", ("0:0",), 1, 1),
        ("host:bob", ("1",), 1, None),
        ("unknown:5", ("1",), 1, 1),
    ]
    assert [each.is_managed for each in found] == [True, False, False, False]


def test_a_container_without_a_gpu_is_a_workload_too() -> None:
    (found,) = workloads_of([container()], OWNERS, (), INVENTORY)
    assert (found.slots, found.processes, found.since) == ((), 0, EPOCH)


def test_processes_of_a_container_that_is_ending_are_not_lost() -> None:
    (found,) = workloads_of((), OWNERS, [on("1", 1, OWNERS[ID])], INVENTORY)
    assert (found.id, found.processes, found.since) == (ID, 1, EPOCH)
