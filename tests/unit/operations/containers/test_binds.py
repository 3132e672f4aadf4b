from dataclasses import replace

import pytest

from ds01_spawner.domain.bind import Bind, binds_of
from ds01_spawner.domain.container import Container, ContainerState, Mount
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.labels import BINDS
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.containers.binds import Binds, StagedBinds
from ds01_spawner.ports import PathKind
from fakes.clock import EPOCH
from fakes.folders import FakePaths, FakeRoots, FakeStage

ALICE = UnixAccount("alice", 1001, 1001, "/home/alice")
HOME, DATA = Bind("/home/alice", "/work"), Bind("/data", "/data", read_only=True)


@pytest.fixture
def paths() -> FakePaths:
    return FakePaths("/home/alice", "/data")


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


@pytest.fixture
def binds(paths: FakePaths, stage: FakeStage) -> Binds:
    return Binds(paths, stage)


def container(staged: StagedBinds, **changes: object) -> Container:
    made = Container(
        id="c1",
        name="web._.alice",
        state=ContainerState.EXITED,
        labels={BINDS: staged.label},
        created_at=EPOCH,
        mounts=staged.mounts,
        binds_key=staged.key,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_engine_is_given_staged_paths_and_the_label_the_owners(
    binds: Binds, paths: FakePaths
) -> None:
    paths.links["/home/alice/link"] = "/home/alice"
    staged = binds.stage(ALICE, [Bind("/home/alice/link", "/work"), DATA])
    assert staged.mounts == (
        Mount("bind", f"/run/ds01/binds/{staged.key}/0", "/work"),
        Mount("bind", f"/run/ds01/binds/{staged.key}/1", "/data"),
    )
    told = binds_of({BINDS: staged.label})
    assert told is not None
    assert told.key == staged.key
    assert [(each.source, each.real_path, each.read_only) for each in told.binds] == [
        ("/home/alice/link", "/home/alice", False),
        ("/data", "/data", True),
    ]


def test_two_containers_never_share_a_stage(binds: Binds) -> None:
    assert binds.stage(ALICE, [HOME]).key != binds.stage(ALICE, [HOME]).key


def test_what_may_not_be_written_is_read_only(
    binds: Binds, paths: FakePaths, stage: FakeStage
) -> None:
    paths.read_only.add(("alice", "/data"))
    staged = binds.stage(ALICE, [HOME, replace(DATA, read_only=False)])
    assert stage.mounted == {
        (staged.key, 0): ("/home/alice", False),
        (staged.key, 1): ("/data", True),
    }


def test_one_that_is_refused_leaves_nothing(
    binds: Binds, paths: FakePaths, stage: FakeStage
) -> None:
    paths.closed.add(("alice", "/data"))
    with pytest.raises(Forbidden):
        binds.stage(ALICE, [HOME, DATA])
    assert not stage.mounted


def test_a_stage_that_fails_leaves_nothing(binds: Binds, stage: FakeStage) -> None:
    stage.broken = True
    with pytest.raises(Unavailable):
        binds.stage(ALICE, [HOME, DATA])
    assert not stage.mounted


def test_mount_points_inside_are_made_as_the_person(binds: Binds, paths: FakePaths) -> None:
    paths.kinds["/home/alice/conf"] = PathKind.FILE
    paths.kinds["/home/alice/sets"] = PathKind.FOLDER
    sets = Bind("/home/alice/sets", "/work/data")
    binds.stage(
        ALICE,
        [HOME, sets, Bind("/home/alice/conf", "/work/data/conf")],
        ["/work/node_modules/", "/elsewhere", "/workshop"],
    )
    assert paths.made == [
        ("/home/alice", "data", True),
        ("/home/alice/sets", "conf", False),
        ("/home/alice", "node_modules", True),
    ]


def test_a_start_makes_mount_points_again_those_of_the_image_too(
    binds: Binds, paths: FakePaths
) -> None:
    staged = binds.stage(ALICE, [HOME], ["/work/tmp"])
    paths.made.clear()
    volume = Mount("volume", "/var/lib/docker/volumes/x/_data", "/work/cache")
    binds.restage(ALICE, container(staged, mounts=(*staged.mounts, volume)))
    assert paths.made == [("/home/alice", "cache", True), ("/home/alice", "tmp", True)]


def test_a_mount_point_that_the_person_may_not_make_is_refused(
    binds: Binds, paths: FakePaths, stage: FakeStage
) -> None:
    paths.read_only.add(("alice", "/home/alice"))
    with pytest.raises(Forbidden, match="/work/x does not exist in the folder mounted at /work"):
        binds.stage(ALICE, [HOME], ["/work/x"])
    assert not stage.mounted


def test_a_start_stages_anew_what_the_path_leads_to_now(
    binds: Binds, paths: FakePaths, stage: FakeStage
) -> None:
    paths.kinds["/data/new"] = PathKind.FOLDER
    staged = binds.stage(ALICE, [DATA])
    paths.links["/data"] = "/data/new"
    binds.restage(ALICE, container(staged))
    assert stage.mounted == {(staged.key, 0): ("/data/new", True)}


def test_a_start_is_refused_and_the_stage_taken_down_once_the_person_may_no_longer(
    binds: Binds, paths: FakePaths, stage: FakeStage
) -> None:
    staged = binds.stage(ALICE, [HOME, DATA])
    paths.closed.add(("alice", "/data"))
    with pytest.raises(Forbidden):
        binds.restage(ALICE, container(staged))
    assert not stage.mounted


def test_a_missing_folder_is_made_again_only_if_it_was_at_first(
    binds: Binds, paths: FakePaths
) -> None:
    made = binds.stage(ALICE, [replace(HOME, source="/home/alice/new", create_missing=True)])
    kept = binds.stage(ALICE, [DATA])
    del paths.kinds["/home/alice/new"], paths.kinds["/data"]
    binds.restage(ALICE, container(made))
    with pytest.raises(InvalidRequest, match="does not exist"):
        binds.restage(ALICE, container(kept))


@pytest.mark.parametrize("label", ["", "{}", "of another"])
def test_a_label_that_does_not_fit_the_mounts_starts_nothing(
    binds: Binds, stage: FakeStage, label: str
) -> None:
    other = binds.stage(ALICE, [HOME])
    staged = binds.stage(ALICE, [DATA])
    text = other.label if label == "of another" else label
    with pytest.raises(Unavailable, match="not known any more"):
        binds.restage(ALICE, container(staged, labels={BINDS: text}))
    assert set(stage.mounted) == {(other.key, 0)}


def test_a_label_from_an_image_mounts_nothing(binds: Binds, stage: FakeStage) -> None:
    other = binds.stage(ALICE, [HOME])
    before = dict(stage.mounted)
    binds.restage(ALICE, container(other, binds_key="", mounts=()))
    assert stage.mounted == before


def test_what_belongs_to_no_container_is_cleared_unless_it_is_young(
    binds: Binds, stage: FakeStage
) -> None:
    kept, gone, young = (binds.stage(ALICE, [HOME]) for _ in range(3))
    stage.young.add(young.key)
    assert binds.clear_unclaimed([container(kept)]) == (gone.key,)
    assert set(stage.keys()) == {kept.key, young.key}


def test_clearing_nothing_is_nothing(binds: Binds) -> None:
    binds.clear("")
    binds.clear("f" * 32)


def test_what_an_image_leads_into_a_folder_is_made_there_as_the_person(
    paths: FakePaths, stage: FakeStage
) -> None:
    paths.kinds["/home/alice/sets"] = PathKind.FOLDER
    binds = Binds(paths, stage, FakeRoots(x="/data"))
    sets = Bind("/home/alice/sets", "/data")
    staged = binds.stage(ALICE, [sets, Bind("/home/alice", "/x/alice")], ["/x/w"])
    volume = Mount("volume", "v", "/x/bob/new")
    paths.made.clear()

    binds.restage(ALICE, container(staged, mounts=(*staged.mounts, volume)))

    assert sorted(paths.made) == [
        ("/home/alice/sets", "alice", True),
        ("/home/alice/sets", "bob/new", True),
        ("/home/alice/sets", "w", True),
    ]


@pytest.mark.parametrize(
    ("wanted", "others", "working_dir"),
    [
        ([DATA, Bind("/home/alice", "/data/alice")], [], ""),
        ([DATA, Bind("/home/alice", "/v/sub")], ["/v"], ""),
        ([DATA], ["/data/cache"], ""),
        ([DATA], ["/v", "/v/t"], ""),
        ([DATA], ["/v"], "/v/sub/x"),
        ([HOME, DATA], ["/work/node_modules"], ""),
    ],
)
def test_nothing_is_mounted_inside_a_mount_beside_folders_from_outside_the_home(
    binds: Binds, stage: FakeStage, wanted: list[Bind], others: list[str], working_dir: str
) -> None:
    with pytest.raises(Forbidden, match="where something is mounted already"):
        binds.stage(ALICE, wanted, others, working_dir)
    assert not stage.mounted


def test_a_working_folder_in_a_folder_from_outside_the_home_is_made_as_the_person(
    binds: Binds, paths: FakePaths
) -> None:
    binds.stage(ALICE, [DATA], ["/v"], "/data/project")
    assert paths.made == [("/data", "project", True)]


def test_a_home_that_is_reached_through_a_link_is_the_home(
    paths: FakePaths, stage: FakeStage
) -> None:
    paths.links["/home/alice"] = "/data/homes/alice"
    paths.kinds["/data/homes/alice"] = PathKind.FOLDER
    Binds(paths, stage).stage(ALICE, [HOME], ["/work/cache"])
    assert paths.made == [("/data/homes/alice", "cache", True)]


def test_where_an_image_leads_a_mount_into_another_it_is_not_started(
    paths: FakePaths, stage: FakeStage
) -> None:
    binds = Binds(paths, stage, FakeRoots(x="/data"))
    staged = binds.stage(ALICE, [DATA, Bind("/home/alice", "/x/alice")])
    with pytest.raises(Forbidden, match="where something is mounted already"):
        binds.restage(ALICE, container(staged))
    assert staged.key not in set(stage.keys())


def test_what_leads_to_a_closed_place_is_not_started(paths: FakePaths, stage: FakeStage) -> None:
    binds = Binds(paths, stage, FakeRoots(x="/etc"))
    staged = binds.stage(ALICE, [Bind("/data", "/data")], ["/x/group"])
    with pytest.raises(Forbidden, match="leads to '/etc/group'"):
        binds.restage(ALICE, container(staged))
    assert staged.key not in set(stage.keys())
