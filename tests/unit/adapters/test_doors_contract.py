import json
from pathlib import Path

import pytest

from contracts.doors import (
    SOCKET,
    DoorRecordsContract,
    EngineSetupContract,
    GroupsContract,
    NodesContract,
    SystemFilesContract,
)
from ds01_spawner.adapters.doors import DaemonFile, DoorFolder, HostFiles
from ds01_spawner.adapters.doors.engine_setup import tcp_options
from ds01_spawner.domain.door import GroupMembers, NodeAccess
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports.doors import DoorRecords, EngineSetup, SystemFiles
from fakes.machine_doors import (
    FakeEngineSetup,
    FakeGroups,
    FakeNodes,
    FakeRecords,
    FakeSystemFiles,
)

SETTINGS = {"default-runtime": "nvidia", "data-root": "/srv/docker"}


def no_engine() -> dict[str, object]:
    raise Unavailable("The container engine cannot be reached.")


class TestFakeGroups(GroupsContract):
    @pytest.fixture
    def groups(self) -> FakeGroups:
        return FakeGroups({"docker": GroupMembers(("alice", "bob"))}, {"alice", "bob", "carol"})


class TestFakeNodes(NodesContract):
    @pytest.fixture
    def nodes(self) -> FakeNodes:
        open_to = NodeAccess(SOCKET, 0o666, 0, 0, acl="02", granted=("user 1000",))
        return FakeNodes({SOCKET: open_to})


class TestFakeEngineSetup(EngineSetupContract):
    @pytest.fixture
    def engine(self) -> FakeEngineSetup:
        return FakeEngineSetup(dict(SETTINGS))


class TestDaemonFile(EngineSetupContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> EngineSetup:
        file = tmp_path / "etc/docker/daemon.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(SETTINGS))
        return DaemonFile(no_engine, tmp_path)


class TestFakeSystemFiles(SystemFilesContract):
    @pytest.fixture
    def files(self) -> SystemFiles:
        return FakeSystemFiles()


class TestHostFiles(SystemFilesContract):
    @pytest.fixture
    def files(self, tmp_path: Path) -> SystemFiles:
        return HostFiles(tmp_path)


class TestFakeRecords(DoorRecordsContract):
    @pytest.fixture
    def records(self) -> DoorRecords:
        return FakeRecords()


class TestDoorFolder(DoorRecordsContract):
    @pytest.fixture
    def records(self, tmp_path: Path) -> DoorRecords:
        return DoorFolder(tmp_path / "doors")


def test_records_are_roots_alone_and_named_by_doors(tmp_path: Path) -> None:
    records = DoorFolder(tmp_path / "doors")
    (tmp_path / "doors").mkdir()
    (tmp_path / "doors/broken.json").write_text("[]")

    with pytest.raises(Unavailable, match="names no door"):
        records.load("../secrets")
    with pytest.raises(Unavailable, match="is not a record"):
        records.load("broken")


def test_a_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("{}")
    real.chmod(0o600)
    (tmp_path / "daemon.json").symlink_to(real)

    HostFiles(tmp_path).write("/daemon.json", '{"a": 1}')

    assert (tmp_path / "daemon.json").is_symlink()
    assert real.read_text() == '{"a": 1}'
    assert real.stat().st_mode & 0o777 == 0o600


def test_an_engine_that_answers_is_believed_before_its_file(tmp_path: Path) -> None:
    said = {
        "DefaultRuntime": "nvidia",
        "LiveRestoreEnabled": True,
        "RuncCommit": {"ID": "v1.1.12-0-g51d5e94"},
    }

    facts = DaemonFile(lambda: said, tmp_path).facts()

    assert (facts.default_runtime, facts.live_restore, facts.tcp) == ("nvidia", True, ())
    assert facts.runc == "v1.1.12-0-g51d5e94"


def test_without_engine_and_file_nothing_is_known(tmp_path: Path) -> None:
    facts = DaemonFile(no_engine, tmp_path).facts()

    assert (facts.default_runtime, facts.live_restore) == ("", None)


def test_a_file_that_is_no_json_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "etc/docker/daemon.json"
    file.parent.mkdir(parents=True)
    file.write_text("{ // comment\n}")

    with pytest.raises(Unavailable, match="is not JSON"):
        DaemonFile(no_engine, tmp_path).change("live-restore", True)

    assert file.read_text() == "{ // comment\n}"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["dockerd", "-H", "tcp://0.0.0.0:2375"], ["tcp://0.0.0.0:2375"]),
        (["dockerd", "--host=tcp://:2376", "-Hfd://"], ["tcp://:2376"]),
        (["dockerd", "-Htcp://:2375"], ["tcp://:2375"]),
        (["dockerd", "-H", "unix:///run/docker.sock"], []),
        (["dockerd", "-H"], []),
    ],
)
def test_addresses_are_read_from_the_command_line(arguments: list[str], found: list[str]) -> None:
    assert tcp_options(arguments) == found
