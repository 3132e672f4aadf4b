"""Folders of the host in containers: no way to what is closed, and nothing left behind."""

import os
import secrets
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.personal_paths import mount_table
from ds01_spawner.adapters.personal_paths.mount_table import mount_points
from ds01_spawner.adapters.personal_paths.paths import UnixPaths
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.domain.bind import Bind
from ds01_spawner.domain.container import Container, Mount
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.labels import BINDS
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.containers.binds import Binds, StagedBinds
from ds01_spawner.ports import PathKind
from integration.unix_people import ALICE, BOB, as_person, own_folder, run_folder, unix_person

MOST_SECONDS = 20


@pytest.fixture
def alice() -> UnixAccount:
    return unix_person(ALICE)


@pytest.fixture
def bob() -> UnixAccount:
    return unix_person(BOB)


@pytest.fixture
def run() -> Iterator[Path]:
    with run_folder() as made:
        yield made


@pytest.fixture
def folder(alice: UnixAccount, run: Path) -> Iterator[Path]:
    assert not run.exists()  # and what is staged goes first, so that the folder can be removed
    with own_folder(alice) as made:
        yield made
        for key in frozenset(KernelBindStage(run).keys()):
            KernelBindStage(run).clear(key)


@pytest.fixture
def paths(run: Path) -> UnixPaths:
    return UnixPaths(lambda: [Path("/var/lib/docker"), run], run / "docker.sock")


@pytest.fixture
def binds(paths: UnixPaths, run: Path) -> Binds:
    return Binds(paths, KernelBindStage(run))


@pytest.fixture
def shared(alice: UnixAccount) -> Iterator[Path]:
    """A folder that both may write to, as labs have for projects."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    made.mkdir()
    os.chown(made, 0, alice.group_ids[-1])
    made.chmod(0o2770)
    yield made
    subprocess.run(["rm", "-r", "--one-file-system", str(made)], check=True)


Make = Callable[[UnixAccount, StagedBinds], str]


@pytest.fixture
def make(tiny_image: str) -> Iterator[Make]:
    """Makes a container as the platform does; it runs a command that waits."""
    made: list[str] = []

    def create(account: UnixAccount, staged: StagedBinds) -> str:
        made.append(
            _docker(
                *("create", "--user", f"{account.uid}:{account.gid}", "--cap-drop=ALL"),
                *("--security-opt=no-new-privileges", "--network=none"),
                *(part for gid in account.group_ids for part in ("--group-add", str(gid))),
                *("--name", f"ds01c-{secrets.token_hex(4)}", "--label", f"{BINDS}={staged.label}"),
                *(part for mount in staged.mounts for part in ("--mount", _flag(mount))),
                *(tiny_image, "sleep", "300"),
            )
        )
        return made[-1]

    yield create
    for each in made:
        _docker("rm", "--force", each)


def _flag(mount: Mount) -> str:
    assert not mount.read_only
    return f"type=bind,source={mount.source},target={mount.target},bind-propagation=rprivate"


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def _inside(container: str, script: str) -> str:
    return _docker("exec", container, "sh", "-c", script)


def _found(engine: DockerEngine, container: str) -> Container:
    found = engine.container(container)
    assert found is not None
    return found


def test_own_folder_is_there_and_is_written_as_the_person(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    staged = binds.stage(alice, [Bind(str(folder), "/work")])
    container = make(alice, staged)
    _docker("start", container)
    _inside(container, "echo hello > /work/written")
    written = folder / "written"
    assert written.read_text() == "hello\n"
    assert written.stat().st_uid == alice.uid


def test_a_single_file_is_mounted(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"echo one > {folder}/file")
    container = make(alice, binds.stage(alice, [Bind(f"{folder}/file", "/etc/conf")]))
    _docker("start", container)
    assert _inside(container, "cat /etc/conf; echo two > /etc/conf") == "one"
    assert (folder / "file").read_text() == "two\n"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/root",
        "/etc/shadow",
        "/proc",
        "/proc/1/root",
        "/sys",
        "/sys/fs/cgroup",
        "/dev",
        "/dev/null",
        "/dev/shm",
        "/run",
        "/var/run/docker.sock",
        "/var/lib",
        "/var/lib/docker",
        "/proc/self/root",
        "/proc/self/root/root",
        "//",
        "/home/../root",
        "/usr/share/../../root",
    ],
)
def test_what_is_the_machines_is_refused(paths: UnixPaths, alice: UnixAccount, path: str) -> None:
    with pytest.raises((Forbidden, InvalidRequest)):
        paths.open(alice, path)


def test_the_platforms_folders_are_refused_though_anybody_may_read_them(
    paths: UnixPaths, alice: UnixAccount, run: Path
) -> None:
    run.mkdir(mode=0o755)
    with pytest.raises(Forbidden, match="system folder"):
        paths.open(alice, str(run))


def test_only_the_gateways_own_socket_is_mounted(
    paths: UnixPaths, alice: UnixAccount, run: Path, folder: Path
) -> None:
    run.mkdir(mode=0o755)
    with (
        socket.socket(socket.AF_UNIX) as gateway,
        socket.socket(socket.AF_UNIX) as other,
    ):
        gateway.bind(str(run / "docker.sock"))
        other.bind(str(folder / "other.sock"))
        for each in (run / "docker.sock", folder / "other.sock"):
            each.chmod(0o666)
        try:
            with paths.open(alice, str(run / "docker.sock")) as opened:
                assert opened.kind is PathKind.SOCKET
            with pytest.raises(InvalidRequest, match="neither a folder nor a file"):
                paths.open(alice, str(folder / "other.sock"))
        finally:
            (run / "docker.sock").unlink()


def test_a_pipe_is_refused(paths: UnixPaths, alice: UnixAccount, folder: Path) -> None:
    as_person(alice, f"mkfifo {folder}/pipe")
    with pytest.raises(InvalidRequest, match="neither a folder nor a file"):
        paths.open(alice, f"{folder}/pipe")


@pytest.mark.parametrize("way", ["{home}", "{home}/x", "{mine}/link", "{mine}/../../{name}"])
def test_anothers_home_is_refused_whatever_the_way(
    paths: UnixPaths, alice: UnixAccount, bob: UnixAccount, folder: Path, way: str
) -> None:
    as_person(alice, f"ln -s {bob.home} {folder}/link")
    path = way.format(home=bob.home, mine=folder, name=bob.name)
    with pytest.raises(Forbidden, match="You may not use"):
        paths.open(alice, path, create_missing=True)


def test_a_folder_whose_parent_is_closed_is_refused(
    paths: UnixPaths, alice: UnixAccount, bob: UnixAccount
) -> None:
    with own_folder(bob) as theirs:
        theirs.chmod(0o777)
        with pytest.raises(Forbidden):
            paths.open(alice, str(theirs))


def test_folders_are_made_as_the_person_or_not_at_all(
    binds: Binds, alice: UnixAccount, bob: UnixAccount, folder: Path
) -> None:
    binds.stage(alice, [Bind(f"{folder}/new/deep", "/work", create_missing=True)])
    made = (folder / "new" / "deep").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (alice.uid, alice.gid, 0o755)
    for path in ("/usr/ds01-new", "/ds01-new", f"{bob.home}/new"):
        with pytest.raises(Forbidden):
            binds.stage(alice, [Bind(path, "/work", create_missing=True)])
        assert not os.path.lexists(path)


def test_a_file_of_anothers_in_a_shared_folder_is_read_only_or_refused(
    binds: Binds, make: Make, alice: UnixAccount, bob: UnixAccount, shared: Path
) -> None:
    as_person(bob, f"cd {shared}; echo bobs > open; chmod 644 open; echo x > closed; chmod 600 *d")
    with pytest.raises(Forbidden):
        binds.stage(alice, [Bind(f"{shared}/closed", "/closed")])
    container = make(alice, binds.stage(alice, [Bind(f"{shared}/open", "/open")]))
    _docker("start", container)
    assert _inside(container, "cat /open; echo y > /open || true").startswith("bobs")
    assert (shared / "open").read_text() == "bobs\n"


def test_permission_by_a_supplementary_group_counts(
    binds: Binds, make: Make, alice: UnixAccount, shared: Path
) -> None:
    container = make(alice, binds.stage(alice, [Bind(str(shared), "/shared")]))
    _docker("start", container)
    _inside(container, "echo mine > /shared/from-alice")
    assert (shared / "from-alice").stat().st_uid == alice.uid


@pytest.mark.parametrize("read_only", [False, True])
def test_set_uid_bits_and_devices_below_a_bind_mean_nothing(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path, read_only: bool
) -> None:
    container = make(alice, binds.stage(alice, [Bind(str(folder), "/work", read_only=read_only)]))
    _docker("start", container)
    (line,) = [
        line for line in _inside(container, "cat /proc/mounts").splitlines() if " /work " in line
    ]
    options = set(line.split()[3].split(","))
    assert {"nosuid", "nodev", "ro" if read_only else "rw"} <= options


def test_what_the_person_may_only_read_is_read_only_even_for_root_inside(
    binds: Binds, make: Make, alice: UnixAccount
) -> None:
    container = make(alice, binds.stage(alice, [Bind("/usr/share", "/share")]))
    _docker("start", container)
    with pytest.raises(RuntimeError, match="Read-only file system"):
        _docker("exec", "--user", "0", container, "touch", "/share/x")


def test_a_link_swapped_between_check_and_start_leads_nowhere_else(
    binds: Binds, make: Make, alice: UnixAccount, bob: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"cd {folder}; mkdir good; echo good > good/what; ln -s good link")
    container = make(alice, binds.stage(alice, [Bind(f"{folder}/link", "/work")]))
    as_person(alice, f"cd {folder}; rm link; ln -s {bob.home} link; mv good old; ln -s /root good")
    _docker("start", container)
    assert _inside(container, "cat /work/what") == "good"


def test_swapping_all_the_time_never_shows_what_is_closed(
    paths: UnixPaths, alice: UnixAccount, bob: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"mkdir {folder}/good")
    link, spare = folder / "link", folder / "spare"
    script = (
        f"while :; do ln -sfn {folder}/good {spare}; mv -T {spare} {link}; "
        f"ln -sfn {bob.home} {spare}; mv -T {spare} {link}; done"
    )
    swapper = subprocess.Popen(
        ["/bin/sh", "-c", script],
        user=alice.uid,
        group=alice.gid,
        stderr=subprocess.DEVNULL,
    )
    seen = set()
    try:
        for _ in range(40):
            try:
                with paths.open(alice, str(link)) as opened:
                    seen.add(opened.real_path)
            except DS01Error:
                pass
    finally:
        swapper.kill()
        swapper.wait()
    assert seen <= {str(folder / "good")}


def test_a_start_again_is_refused_once_the_way_is_closed(
    docker_engine: DockerEngine,
    binds: Binds,
    make: Make,
    alice: UnixAccount,
    shared: Path,
) -> None:
    as_person(alice, f"mkdir -p {shared}/closing/data")
    container = make(alice, binds.stage(alice, [Bind(f"{shared}/closing/data", "/work")]))
    _docker("start", container)
    _docker("kill", container)
    os.chown(shared, 0, 0)
    shared.chmod(0o700)
    with pytest.raises(Forbidden):
        binds.restage(alice, _found(docker_engine, container))
    with pytest.raises(RuntimeError, match="bind source path does not exist"):
        _docker("start", container)


def test_a_start_again_shows_what_the_path_leads_to_by_then(
    docker_engine: DockerEngine, binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"cd {folder}; mkdir one two; echo 1 > one/n; echo 2 > two/n; ln -s one link")
    container = make(alice, binds.stage(alice, [Bind(f"{folder}/link", "/work")]))
    as_person(alice, f"ln -sfn two {folder}/link")
    binds.restage(alice, _found(docker_engine, container))
    _docker("start", container)
    assert _inside(container, "cat /work/n") == "2"


def test_stages_outlive_the_process_that_made_them(
    run: Path, paths: UnixPaths, alice: UnixAccount, folder: Path
) -> None:
    staged = Binds(paths, KernelBindStage(run)).stage(alice, [Bind(str(folder), "/work")])
    again = Binds(paths, KernelBindStage(run))
    assert folder.samefile(staged.mounts[0].source)
    again.clear(staged.key)
    assert not (run / "binds" / staged.key).exists()


def test_nothing_stays_mounted_and_nothing_of_the_persons_is_removed(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path, run: Path
) -> None:
    as_person(alice, f"cd {folder}; mkdir -p a/b; echo 1 > a/b/c; echo 2 > file; mkdir empty")
    before = sorted(folder.rglob("*"))
    wanted = [
        Bind(str(folder), "/work"),
        Bind(f"{folder}/file", "/file"),
        Bind(f"{folder}/empty", "/empty"),
    ]
    staged = binds.stage(alice, wanted)
    container = make(alice, staged)
    _docker("start", container)
    _docker("kill", container)
    _docker("rm", container)
    binds.clear(staged.key)
    assert not [each for each in mount_points() if each.startswith(str(run))]
    assert not list((run / "binds").iterdir())
    assert sorted(folder.rglob("*")) == before
    assert (folder / "file").read_text() == "2\n"


def test_a_running_container_keeps_what_it_has_when_its_stage_is_cleared(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"echo kept > {folder}/file")
    staged = binds.stage(alice, [Bind(str(folder), "/work")])
    container = make(alice, staged)
    _docker("start", container)
    binds.clear(staged.key)
    assert _inside(container, "cat /work/file") == "kept"


def test_clearing_removes_no_file_that_is_in_the_way(
    run: Path, paths: UnixPaths, alice: UnixAccount, folder: Path
) -> None:
    stage, key = KernelBindStage(run), "c" * 32
    with paths.open(alice, str(folder)) as opened:
        place = Path(stage.put(key, 0, opened, read_only=False))
        stage.clear(key)
        place.mkdir(parents=True, mode=0o700)
        (place / "precious").write_text("x")
        with pytest.raises(Unavailable):
            stage.clear(key)
        assert (place / "precious").read_text() == "x"
        (place / "precious").unlink()
        stage.clear(key)


def test_a_mount_below_is_there_and_protected_too(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    below = folder / "below"
    as_person(alice, f"mkdir {below}")
    _mount = ["mount", "-t", "tmpfs", "-o", f"uid={alice.uid},mode=700", "none", str(below)]
    subprocess.run(_mount, check=True)
    try:
        as_person(alice, f"echo 1 > {below}/n")
        container = make(alice, binds.stage(alice, [Bind(str(folder), "/work")]))
        _docker("start", container)
        assert _inside(container, "cat /work/below/n") == "1"
        lines = _inside(container, "cat /proc/mounts").splitlines()
        (options,) = [line.split()[3] for line in lines if " /work/below " in line]
        assert {"nosuid", "nodev"} <= set(options.split(","))
    finally:
        subprocess.run(["umount", str(below)], check=True)


def test_a_mount_point_inside_is_the_persons_not_roots(
    binds: Binds, make: Make, alice: UnixAccount, folder: Path, shared: Path
) -> None:
    as_person(alice, f"mkdir {folder}/sub {folder}/sets; ln -s {shared} {folder}/link")
    wanted = [Bind(str(folder), "/work"), Bind(f"{folder}/sets", "/work/sub/data")]
    container = make(alice, binds.stage(alice, wanted))
    _docker("start", container)
    assert (folder / "sub" / "data").stat().st_uid == alice.uid
    with pytest.raises(InvalidRequest):
        binds.stage(alice, [wanted[0], replace(wanted[1], target="/work/link/data")])
    with pytest.raises(Forbidden):
        binds.stage(alice, [Bind("/usr/share", "/share")], ["/share/new"])


def test_a_persons_own_file_system_is_refused(
    paths: UnixPaths, alice: UnixAccount, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_fuse(line: str) -> mount_table.Mounted:
        head = line.partition(" - ")[0]
        return real(f"{head} - fuse.sshfs host: rw,user_id={alice.uid},group_id=0")

    real = mount_table._mounted
    monkeypatch.setattr(mount_table, "_mounted", as_fuse)
    with pytest.raises(Forbidden, match="FUSE mount"):
        paths.open(alice, str(folder))


def test_a_file_system_that_hangs_costs_a_bounded_time_and_few_processes(
    run: Path, alice: UnixAccount, folder: Path
) -> None:
    paths = UnixPaths(list, run / "docker.sock", deadline_seconds=0.0001)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unavailable, match=r"has not answered|does not answer"):
            paths.open(alice, str(folder))
    assert time.monotonic() - began < MOST_SECONDS
    hung = [each for many in paths._children._hung.values() for each in many]
    assert len(hung) <= 3
    for each in hung:
        each.wait(MOST_SECONDS)


def test_the_engine_adapter_shows_the_persons_own_paths(
    docker_engine: DockerEngine, binds: Binds, make: Make, alice: UnixAccount, folder: Path
) -> None:
    as_person(alice, f"mkdir {folder}/real; ln -s real {folder}/link")
    staged = binds.stage(alice, [Bind(f"{folder}/link", "/work")])
    container = make(alice, staged)
    listed = [each for each in docker_engine.containers() if each.id == container]
    for found in (_found(docker_engine, container), *listed):
        assert found.mounts == (Mount("bind", f"{folder}/real", "/work"),)
        assert found.binds_key == staged.key
