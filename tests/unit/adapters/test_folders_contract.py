import pytest

from contracts.folders import BindStageContract, PersonalPathsContract
from ds01_spawner.domain.person import UnixAccount
from fakes.folders import FakePaths, FakeStage

FOLDER, CLOSED, BARE = "/home/alice", "/home/bob", "/usr/share"


@pytest.fixture
def account() -> UnixAccount:
    return UnixAccount("alice", 1001, 1001, FOLDER)


@pytest.fixture
def folder() -> str:
    return FOLDER


@pytest.fixture
def closed() -> str:
    return CLOSED


@pytest.fixture
def bare() -> str:
    return BARE


@pytest.fixture
def paths() -> FakePaths:
    fake = FakePaths(FOLDER, CLOSED, BARE)
    fake.closed.add(("alice", CLOSED))
    fake.read_only.add(("alice", BARE))
    return fake


class TestFakePaths(PersonalPathsContract):
    pass


class TestFakeStage(BindStageContract):
    @pytest.fixture
    def stage(self) -> FakeStage:
        return FakeStage()

    @pytest.fixture
    def mounted(self, stage: FakeStage) -> object:
        return lambda path: (
            tuple(path.split("/")[-2:]) in {(key, str(index)) for key, index in stage.mounted}
        )
