from dataclasses import dataclass, field, replace

import pytest

from ds01_spawner.domain.door import Finding, GroupMembers, NodeAccess, ServicePort
from ds01_spawner.domain.errors import InvalidRequest, NotFound, Unavailable
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.doors import Doors
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.operations.doors.listed import Machine
from ds01_spawner.operations.doors.nodes import PARAMETERS
from ds01_spawner.operations.doors.own import PROFILE
from ds01_spawner.policy.isolation import IsolationConfig
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.machine_doors import (
    FakeEngineSetup,
    FakeGateway,
    FakeGroups,
    FakeNodes,
    FakeRecords,
    FakeServicePorts,
    FakeSystemFiles,
)
from fakes.packet_filter import FakeBridges, FakeHostAddresses, FakePacketFilter

DOCKER = "/run/docker.sock"
ROOTS = NodeAccess(DOCKER, 0o660, 0, 990, "docker")


@dataclass
class Lab:
    groups: FakeGroups = field(
        default_factory=lambda: FakeGroups(
            {"docker": GroupMembers(("alice", "bob"))}, {"alice", "bob", "carol"}
        )
    )
    nodes: FakeNodes = field(default_factory=lambda: FakeNodes({DOCKER: ROOTS}))
    engine: FakeEngineSetup = field(default_factory=FakeEngineSetup)
    files: FakeSystemFiles = field(default_factory=FakeSystemFiles)
    gateway: FakeGateway = field(default_factory=FakeGateway)
    packet_filter: FakePacketFilter = field(default_factory=FakePacketFilter)
    ports: FakeServicePorts = field(default_factory=FakeServicePorts)
    records: FakeRecords = field(default_factory=FakeRecords)
    granted: set[int] = field(default_factory=set)
    ledger_is_gone: bool = False
    events: FakeEventLog = field(default_factory=FakeEventLog)

    def __post_init__(self) -> None:
        audit = Audit(FakeClock(), self.events, "cli")
        isolation = Isolation(
            bridges=FakeBridges(),
            packet_filter=self.packet_filter,
            host=FakeHostAddresses(),
            config=IsolationConfig,
            audit=audit,
            instance="here",
            is_main=True,
        )
        machine = Machine(
            *(
                self.groups,
                self.nodes,
                self.engine,
                self.files,
                self.gateway,
                isolation,
                self.ports,
            ),
            granted=self._granted,
        )
        self.doors = Doors(machine=machine, records=self.records, clock=FakeClock(), audit=audit)

    def _granted(self) -> set[int]:
        if self.ledger_is_gone:
            raise Unavailable("The ledger cannot be used.")
        return self.granted

    def open_doors(self) -> set[str]:
        return {each.name for each in self.doors.look() if each.is_open}

    def finding(self, name: str) -> Finding:
        return self.doors.find(name)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_what_stands_open_is_found_and_what_is_not_there_is_not_shown(lab: Lab) -> None:
    assert lab.open_doors() == {"docker-group", "live-restore", "docker-host", "isolation"}
    assert {each.name for each in lab.doors.look() if not each.is_open} == {
        "docker-socket",
        "engine-tcp",
        "default-runtime",
        "gateway",
    }


def test_a_password_for_the_package_index_is_told_and_not_shown(lab: Lab) -> None:
    lab.files.texts["/etc/pip.conf"] = "[global]\nindex-url = https://pypi.example.org/simple\n"
    assert not lab.finding("pip-password").is_open
    lab.files.texts["/etc/pip.conf"] = "[global]\nindex-url = https://u:hush@pypi.example.org\n"
    found = lab.finding("pip-password")
    assert found.is_open
    assert "index-url in /etc/pip.conf" in found.what
    assert "hush" not in str(found)


HUB = ServicePort("the hub's API", 8081, is_roots=False)


@pytest.mark.parametrize(
    ("ports", "is_open", "words"),
    [
        ((HUB,), True, "Everybody here may listen on 8081 (the hub's API) while nobody does."),
        ((replace(HUB, holders=(0,)),), True, "Everybody here may listen on 8081"),
        ((replace(HUB, holders=(1003,)),), True, "is held by the user 1003, not by root"),
        ((replace(HUB, port=481, is_roots=True),), False, "Only root may listen on 481"),
    ],
    ids=["nobody's", "root's for now", "somebody's", "root's"],
)
def test_a_port_for_tokens_that_is_not_roots_is_told(
    lab: Lab, ports: tuple[ServicePort, ...], is_open: bool, words: str
) -> None:
    lab.ports.ports = ports
    found = lab.finding("service-ports")
    assert (found.is_open, words in found.what) == (is_open, True), found.what
    assert bool(found.by_hand) is is_open


def test_people_are_taken_out_of_the_group_and_put_back_exactly(lab: Lab) -> None:
    assert lab.finding("docker-group").what == "alice, bob are in the group docker."
    assert lab.finding("docker-group").changes == (
        "alice is taken out of the group docker (gpasswd -d alice docker).",
        "bob is taken out of the group docker (gpasswd -d bob docker).",
    )

    after = lab.doors.fix("docker-group", "root")

    assert (after.is_open, after.what) == (False, "Nobody is in the group docker.")
    assert after.closed_at.startswith("20")
    assert lab.doors.undo("docker-group", "root") == (
        "alice is in the group docker again.",
        "bob is in the group docker again.",
    )
    assert lab.groups.groups["docker"] == GroupMembers(("alice", "bob"))
    assert lab.records.records == {}
    told = [(event.action, event.resource, event.user) for event in lab.events.events]
    assert told == [("doors.fix", "docker-group", "root"), ("doors.undo", "docker-group", "root")]


def test_a_door_closed_twice_is_opened_as_it_was_before_the_first_time(lab: Lab) -> None:
    lab.doors.fix("docker-group", "root")
    lab.groups.add("carol", "docker")
    lab.groups.users.discard("bob")
    lab.doors.fix("docker-group", "root")

    told = lab.doors.undo("docker-group", "root")

    assert "There is no user bob any more." in told
    assert set(lab.groups.groups["docker"].listed) == {"alice", "carol"}


def test_members_by_a_directory_are_told_of_and_not_touched(lab: Lab) -> None:
    lab.groups.groups["docker"] = GroupMembers((), ("dora",), ("emil",))

    found = lab.finding("docker-group")

    assert found.is_open
    assert found.changes == ()
    assert "dora, emil: by a directory" in found.by_hand
    with pytest.raises(InvalidRequest, match=r"Nothing is changed for docker-group\. dora, emil"):
        lab.doors.fix("docker-group", "root")


def test_a_change_that_fails_is_written_down_and_can_be_undone(lab: Lab) -> None:
    lab.groups.stuck = True

    with pytest.raises(Unavailable, match="gpasswd failed"):
        lab.doors.fix("docker-group", "root")

    assert [event.outcome for event in lab.events.events] == ["ok", "failed"]
    lab.groups.groups["docker"] = GroupMembers()
    with pytest.raises(Unavailable, match="gpasswd failed"):
        lab.doors.undo("docker-group", "root")
    assert "docker-group" in lab.records.records
    lab.groups.stuck = False
    lab.doors.undo("docker-group", "root")
    assert lab.groups.groups["docker"].listed == ("alice", "bob")


def test_nothing_is_changed_that_cannot_be_written_down(lab: Lab) -> None:
    lab.events.full = True

    with pytest.raises(Unavailable, match="no space left"):
        lab.doors.fix("docker-group", "root")

    assert lab.groups.groups["docker"].listed == ("alice", "bob")


@pytest.mark.parametrize(
    ("access", "words", "mode"),
    [
        (replace(ROOTS, mode=0o666), "everybody", 0o664),
        (replace(ROOTS, granted=("user 1001",), acl="02"), "user 1001", 0o660),
        (replace(ROOTS, group="students"), "the group students", 0o640),
        (replace(ROOTS, mode=0o666, group="students"), "everybody, the group students", 0o644),
    ],
    ids=["mode", "acl", "group", "both"],
)
def test_a_socket_is_closed_and_opened_as_it_was(
    lab: Lab, access: NodeAccess, words: str, mode: int
) -> None:
    lab.nodes.nodes[DOCKER] = access
    assert lab.finding("docker-socket").what.endswith(f"is open to {words}.")
    assert f"{DOCKER} gets mode {mode:04o}" in lab.finding("docker-socket").changes[0]

    assert not lab.doors.fix("docker-socket", "root").is_open
    assert lab.nodes.nodes[DOCKER].mode == mode

    lab.doors.undo("docker-socket", "root")
    assert lab.nodes.nodes[DOCKER] == access


def test_a_socket_in_a_folder_of_roots_is_nobodys_door(lab: Lab) -> None:
    lab.nodes.nodes[DOCKER] = replace(ROOTS, mode=0o666, reachable=False)

    assert not lab.finding("docker-socket").is_open


def test_a_socket_that_is_gone_is_said_at_undo(lab: Lab) -> None:
    lab.nodes.nodes[DOCKER] = replace(ROOTS, mode=0o666)
    lab.doors.fix("docker-socket", "root")
    del lab.nodes.nodes[DOCKER]

    assert lab.doors.undo("docker-socket", "root") == (f"{DOCKER} does not exist.",)


def test_the_default_runtime_goes_and_comes_back(lab: Lab) -> None:
    lab.engine.settings = {"default-runtime": "nvidia", "runtimes": {"nvidia": {}}}
    assert "default-runtime" in lab.open_doors()

    assert not lab.doors.fix("default-runtime", "root").is_open
    assert lab.engine.settings == {"runtimes": {"nvidia": {}}}

    lab.doors.undo("default-runtime", "root")
    assert lab.engine.settings["default-runtime"] == "nvidia"


def test_a_runtime_that_the_command_line_sets_is_told_of(lab: Lab) -> None:
    lab.engine.options = {"default-runtime": "nvidia"}

    found = lab.finding("default-runtime")

    assert found.is_open
    assert found.changes == ()
    assert "look at the engine's command line" in found.by_hand


def test_live_restore_is_set_and_taken_back(lab: Lab) -> None:
    assert not lab.doors.fix("live-restore", "root").is_open
    assert lab.engine.settings == {"live-restore": True}

    lab.doors.undo("live-restore", "root")
    assert lab.engine.settings == {}


@pytest.mark.parametrize("earlier", [None, "export DOCKER_HOST=tcp://old:2375\n"])
def test_shells_are_led_to_the_gateway_and_back(lab: Lab, earlier: str | None) -> None:
    if earlier is not None:
        lab.files.texts[PROFILE] = earlier

    assert not lab.doors.fix("docker-host", "root").is_open
    assert "DOCKER_HOST=unix:///run/ds01/docker.sock\n" in lab.files.texts[PROFILE]

    lab.doors.undo("docker-host", "root")
    assert lab.files.texts.get(PROFILE) == earlier


def test_the_fence_is_put_up_and_taken_down(lab: Lab) -> None:
    assert "The rules are missing." in lab.finding("isolation").what

    assert not lab.doors.fix("isolation", "root").is_open
    assert len(lab.packet_filter.fences) == 1

    lab.doors.undo("isolation", "root")
    assert lab.packet_filter.fences == {}


def test_what_is_not_for_a_program_is_told_of(lab: Lab) -> None:
    lab.engine.tcp = ("tcp://0.0.0.0:2375",)
    lab.gateway.running = False
    lab.nodes.nodes["/dev/nvidia0"] = NodeAccess("/dev/nvidia0", 0o666, 0, 0)

    assert {"engine-tcp", "gateway", "gpu-devices"} <= lab.open_doors()
    for name in ("engine-tcp", "gateway", "gpu-devices"):
        with pytest.raises(InvalidRequest, match=f"Nothing is changed for {name}"):
            lab.doors.fix(name, "root")
    assert lab.finding("engine-tcp").what == "The engine listens on tcp://0.0.0.0:2375."


def test_a_door_that_cannot_be_seen_counts_as_open(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: str) -> str | None:
        raise Unavailable("/etc/profile.d cannot be read: input/output error.")

    monkeypatch.setattr(lab.files, "read", broken)

    (found,) = [each for each in lab.doors.look() if each.name == "docker-host"]
    assert found.is_open
    assert "cannot be seen" in found.what


@pytest.mark.parametrize("name", ["front", "../x", "lxd-group", "podman-socket"])
def test_what_is_not_there_cannot_be_closed(lab: Lab, name: str) -> None:
    with pytest.raises(NotFound):
        lab.doors.fix(name, "root")


def test_what_was_not_closed_from_here_cannot_be_undone(lab: Lab) -> None:
    with pytest.raises(NotFound, match="nothing to undo"):
        lab.doors.undo("docker-group", "root")
    with pytest.raises(InvalidRequest, match="It is closed"):
        lab.doors.fix("docker-socket", "root")


@pytest.mark.parametrize(
    ("version", "is_open"),
    [
        ("1.1.5+ds1-1+deb12u1", False),
        ("1.1.5+ds1-1+b1", True),
        ("1.0.0~rc93+ds1-5+deb11u2", True),
        ("1.0.0~rc93+ds1-5+deb11u3", False),
        ("v1.1.11-0-g4bccb38", True),
        ("v1.1.12-0-g51d5e94", False),
        ("1.3.0", False),
    ],
)
def test_a_runc_that_leaves_folders_open_is_told_of(
    lab: Lab, version: str, *, is_open: bool
) -> None:
    lab.engine.runc = version
    found = lab.finding("runc")
    assert found.is_open is is_open
    assert version in found.what
    assert ("CVE-2024-21626" in found.by_hand) is is_open
    assert found.changes == ()


@pytest.mark.parametrize("version", ["", "12644e614e25b05da6fd08a38ffa0cfe1903fdec"])
def test_a_runc_without_a_version_is_not_shown(lab: Lab, version: str) -> None:
    lab.engine.runc = version
    assert "runc" not in {each.name for each in lab.doors.look()}


GPU = NodeAccess("/dev/nvidia0", 0o660, 0, 981, "ds01-bare-metal")
OPEN_PARAMETERS = "ModifyDeviceFiles: 1\nDeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 438\n"


@pytest.mark.parametrize(
    ("node", "parameters", "members", "words"),
    [
        (replace(GPU, mode=0o666), "", (), "/dev/nvidia0: open to everybody."),
        (replace(GPU, mode=0o664), "", (), "/dev/nvidia0: open to everybody."),
        (GPU, OPEN_PARAMETERS, (), "makes them anew with mode 0666"),
        (replace(GPU, granted=("user 7",)), "", (), "without a grant to user 7"),
        (GPU, "", ("nvidia-persistenced", "bob"), "which may open them: bob"),
    ],
    ids=["read and write", "read", "made anew", "list", "group"],
)
def test_gpus_that_somebody_may_open_outside_of_containers_are_told(
    lab: Lab, node: NodeAccess, parameters: str, members: tuple[str, ...], words: str
) -> None:
    lab.nodes.nodes[node.path] = node
    lab.files.texts[PARAMETERS] = parameters
    lab.groups.groups["ds01-bare-metal"] = GroupMembers(members)
    found = lab.finding("gpu-devices")
    assert (found.is_open, words in found.what) == (True, True), found.what
    assert "docs/bare-metal.md" in found.by_hand


@pytest.mark.parametrize("parameters", ["", OPEN_PARAMETERS.replace("438", "432")])
def test_gpus_that_only_services_and_who_has_a_grant_may_open_are_closed(
    lab: Lab, parameters: str
) -> None:
    lab.nodes.nodes[GPU.path] = replace(GPU, granted=("user 1001",))
    lab.granted.add(1001)
    lab.files.texts[PARAMETERS] = parameters
    lab.groups.groups["ds01-bare-metal"] = GroupMembers(("nvidia-persistenced",))
    found = lab.finding("gpu-devices")
    assert not found.is_open, found.what
    assert found.what == "The GPUs' device nodes are root's and the group's ds01-bare-metal."


def test_who_has_a_grant_that_cannot_be_read_leaves_the_door_open(lab: Lab) -> None:
    lab.nodes.nodes[GPU.path] = GPU
    lab.ledger_is_gone = True
    found = lab.finding("gpu-devices")
    assert (found.is_open, "cannot be seen" in found.what) == (True, True)
