from dataclasses import replace

import pytest

from ds01_spawner.domain.bind import Bind
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import BINDS
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.containers.binds import Binds
from ds01_spawner.operations.containers.readiness import Readiness
from fakes.accounts import FakeAccounts
from fakes.clock import EPOCH
from fakes.folders import FakePaths, FakeRoots, FakeStage, FakeVolumeFolders

ALICE = UnixAccount("alice", 1001, 1001, "/home/alice")
NOW, THEN = Limits(), Limits(allow_image_user=True)
WEB = Container("c1", "web._.alice", ContainerState.EXITED, {}, EPOCH, uid=1001)


@pytest.fixture
def paths() -> FakePaths:
    return FakePaths("/data")


@pytest.fixture
def volumes() -> FakeVolumeFolders:
    return FakeVolumeFolders()


@pytest.fixture
def binds(paths: FakePaths) -> Binds:
    return Binds(paths, FakeStage())


@pytest.fixture
def readiness(binds: Binds, volumes: FakeVolumeFolders) -> Readiness:
    roots = FakeRoots(link="/proc/self/fd/7")
    return Readiness(FakeAccounts(ALICE), roots, binds, volumes)


def test_folders_are_looked_at_anew_and_volumes_handed_over(
    readiness: Readiness, binds: Binds, paths: FakePaths, volumes: FakeVolumeFolders
) -> None:
    staged = binds.stage(ALICE, [Bind("/data", "/data")])
    web = replace(WEB, labels={BINDS: staged.label}, mounts=staged.mounts, binds_key=staged.key)
    readiness.make(web, "alice", NOW)
    assert volumes.given == ["web._.alice"]

    paths.closed.add(("alice", "/data"))
    with pytest.raises(Forbidden, match="Permission denied"):
        readiness.make(web, "alice", NOW)


@pytest.mark.parametrize("uid", [0, 1002, None])
def test_an_images_user_is_started_only_while_that_is_allowed(
    readiness: Readiness, uid: int | None
) -> None:
    web = replace(WEB, uid=uid)
    readiness.make(web, "alice", THEN)
    with pytest.raises(Forbidden, match="runs as its image's user"):
        readiness.make(web, "alice", NOW)


def test_folders_without_an_account_are_not_mounted(readiness: Readiness) -> None:
    readiness.make(WEB, "carol", NOW)
    with pytest.raises(Forbidden, match="has no account"):
        readiness.make(replace(WEB, binds_key="k"), "carol", NOW)


def test_nothing_begins_where_a_link_leads_to_the_kernels_folders(readiness: Readiness) -> None:
    readiness.make(replace(WEB, working_dir="/work"), "alice", NOW)
    with pytest.raises(Forbidden, match="is the kernel's"):
        readiness.make(replace(WEB, working_dir="/link/.."), "alice", NOW)
