"""Attempts that win only by being quick: what is checked is what is used, however it is swapped."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ds01_spawner.adapters.personal_paths.mount_table import mount_points
from integration.gateway.escape_images import build, trap
from integration.gateway.escape_lab import Scene, assert_understood, attempted, engine, seen_by_root
from integration.gateway.gateway_process import engine_docker, eventually
from integration.gateway.people import Done, Person
from integration.gateway.raw_http import ask
from integration.unix_people import own_folder

_EXCHANGE = 2
_HERE = -100
SWAPPING_SECONDS, MOST_SWAPPING_SECONDS = 5.0, 60.0
LAST_SLOT_ROUNDS = 20


@contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """Meanwhile, what is called `first` and what is called `second` change names all the time."""
    process = os.fork()
    if process == 0:
        libc = ctypes.CDLL(None)
        names = os.fsencode(first), os.fsencode(second)
        while True:
            libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE)
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_a_link_swapped_between_check_and_start_shows_nothing_forbidden(scene: Scene) -> None:
    person, victim, folder = scene.attacker, scene.victim, scene.folder
    with own_folder(victim.account) as theirs:
        (theirs / "secret").write_text("forbidden")
        person.shell(
            f"cd {folder} && mkdir -p race/own && echo own > race/own/secret"
            f" && ln -s {folder}/race/own race/link && ln -s {theirs} race/other"
        )
        seen: list[Done] = []
        begin = time.monotonic()
        with attempted(scene) as name, swapping(folder / "race/link", folder / "race/other"):
            command = ("-v", f"{folder}/race/link:/work", scene.image, "cat", "/work/secret")
            while not _both(seen) or time.monotonic() - begin < SWAPPING_SECONDS:
                assert time.monotonic() - begin < MOST_SWAPPING_SECONDS, seen
                seen.append(person.try_docker("run", "--rm", *command))
                made = person.try_docker("create", "--name", name, *command)
                seen += [person.try_docker("start", "-a", name) for _ in range(2) if not made.code]
                person.try_docker("rm", "-f", name)

    outcomes = {each.out.strip() for each in seen}
    assert outcomes <= {"own", ""}, outcomes
    refused = [each.err for each in seen if each.code]
    assert all("You may not use" in each or "not" in each for each in refused), refused


def _both(seen: list[Done]) -> bool:
    """Whether the link has been found at either of its ends."""
    return any(each.code for each in seen) and any(each.out for each in seen)


def test_docker_cp_mounts_no_volume_over_folders_of_the_host(scene: Scene) -> None:
    """In a container, its owner swaps the folder that leads to a volume for a link to the host."""
    person = scene.attacker
    uid = person.account.uid
    host = scene.gateway.state / "precious"
    host.mkdir(mode=0o755)
    done = build(scene, f"FROM {{image}}\nRUN mkdir -p /own {host} && chown {uid} /own\n")
    assert done.code == 0, done.err
    try:
        with attempted(scene) as name:
            person.docker(
                *("run", "-d", "--name", name, "-v", "/own/x/vol", trap(scene)),
                *("sh", "-c", f"ln -s {host} /own/y; sleep 1000"),
            )
            inside = Path(f"/proc/{seen_by_root(person, name)['State']['Pid']}/root/own")
            eventually((inside / "y").is_symlink)
            target = f"/containers/{name}/archive?path=/bin"

            def copies() -> None:
                end = time.monotonic() + SWAPPING_SECONDS
                while time.monotonic() < end:
                    ask(person.socket, "HEAD", target)

            with swapping(inside / "x", inside / "y"):
                person.run(copies)
        assert list(host.iterdir()) == []
        assert not [each for each in mount_points() if each.startswith(str(host))]
    finally:
        person.try_docker("rmi", trap(scene))


def test_nor_while_a_container_with_the_same_volume_runs(scene: Scene) -> None:
    person = scene.attacker
    with attempted(scene) as runs, attempted(scene) as rests:
        volume = f"{runs}-data"
        person.docker(
            *("run", "-d", "--name", runs, "-v", f"{volume}:/a", scene.image, "sleep", "1000")
        )
        person.docker(
            *("create", "--name", rests, "-v", f"{volume}:/a", "-v", f"{rests}:/a/x/y"),
            *(scene.image, "true"),
        )
        done = person.try_docker("cp", f"{rests}:/a", "-")
        if done.code:
            assert_understood(done.err, "volume")
        # For a copy of its own the engine would have made the second volume's folder in the first.
        assert person.docker("exec", runs, "find", "/a") == "/a"
        person.docker("rm", "-f", runs, rests)
        person.docker("volume", "rm", volume, rests)


def test_a_container_renamed_while_it_is_used_is_never_anothers(scene: Scene) -> None:
    """Alice asks for `first` while bob renames his containers so that it is now his, now not."""
    attacker, victim = scene.attacker, scene.victim
    name, other = victim.named("swap-a"), victim.named("swap-b")
    for each in (attacker, victim):
        each.docker(
            "run", "-d", "--name", name, scene.image, "sh", "-c", f"echo {each.name}; sleep 900"
        )

    def renames() -> None:
        end = time.monotonic() + SWAPPING_SECONDS / 2
        while time.monotonic() < end:
            for old, new in ((name, other), (other, name)):
                ask(victim.socket, "POST", f"/containers/{old}/rename?name={new}")

    def looks() -> set[str]:
        end, seen = time.monotonic() + SWAPPING_SECONDS / 2, set()
        while time.monotonic() < end:
            for who in (name, other, f"{name}._.{victim.name}", f"{other}._.{victim.name}"):
                told = ask(attacker.socket, "GET", f"/containers/{who}/logs?stdout=1")
                seen.add(f"{told.status} {told.body[8:].strip() if told.status == 200 else ''}")
        return seen

    try:
        with ThreadPoolExecutor(2) as pool:
            going = pool.submit(victim.run, renames)
            seen = pool.submit(attacker.run, looks).result()
            going.result()
        assert seen <= {f"200 {attacker.name}", "404 "}, seen
    finally:
        for each in (attacker, victim):
            each.try_docker("rm", "-f", name, other)


def test_own_containers_swapping_names_are_never_lost_nor_doubled(scene: Scene) -> None:
    person = scene.attacker
    names = [person.named(f"round-{each}") for each in "abc"]
    person.docker("create", "--name", names[0], scene.image, "true")
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda pair: person.try_docker("rename", *pair),
                [(names[i % 3], names[(i + 1) % 3]) for i in range(24)],
            )
        )
    left = [each for each in names if person.try_docker("inspect", each).code == 0]
    assert len(left) == 1
    person.docker("rm", left[0])


def test_a_tag_moved_between_check_and_create_brings_no_other_rights(scene: Scene) -> None:
    """One image is plain; the other asks for every GPU, and has groups of the server's."""
    person = scene.attacker
    gids = "".join(f"{gid}:x:42:\n" for gid in person.account.group_ids)
    bad = build(
        scene,
        "FROM {image}\nCOPY group /etc/group\nENV NVIDIA_VISIBLE_DEVICES=all\n",
        group=f"root:x:0:\n{gids}",
    )
    assert bad.code == 0, bad.err
    moving = person.named("moving")

    def moves() -> None:
        end = time.monotonic() + SWAPPING_SECONDS
        while time.monotonic() < end:
            for image in (scene.image, trap(scene)):
                ask(person.socket, "POST", f"/images/{image}/tag?repo={moving}&tag=latest")

    look = ("-v", "/etc:/e", moving, "sh", "-c", "id -G; echo $NVIDIA_VISIBLE_DEVICES")
    person.docker("tag", scene.image, moving)
    seen: list[Done] = []
    try:
        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(person.run, moves)
            while not going.done():
                seen.append(person.try_docker("run", "--rm", *look))
        person.docker("tag", scene.image, moving)
        seen.append(person.try_docker("run", "--rm", *look))
    finally:
        person.try_docker("rmi", "-f", moving, trap(scene))
    outputs = {tuple(each.lines) for each in seen if each.code == 0}
    assert outputs
    for groups, devices in outputs:
        assert {int(each) for each in groups.split()} <= {*person.account.group_ids}
        assert devices == "void"
    refusals = {each.err.strip() for each in seen if each.code}
    assert all("calls a group" in each or "No such image" in each for each in refusals), refusals


@pytest.mark.timeout(240)
def test_two_creates_for_the_last_slot(scene: Scene) -> None:
    """There is one whole GPU, and only bob's group may have it: two doors of his, one winner."""
    person = scene.victim

    def create(name: str) -> Done:
        return person.try_docker(
            "create", "--gpus", "1", "--label", "ds01.gpu=full", "--name", name, scene.image, "true"
        )

    for _ in range(LAST_SLOT_ROUNDS):
        names = [person.named(each) for each in ("last-a", "last-b")]
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(create, names))
        assert sorted(each.code for each in done) == [0, 1], done
        (refused,) = [each for each in done if each.code]
        assert "GPU" in refused.err
        held = [
            found["Config"]["Labels"]["ds01.gpu.uuids"]
            for each in names
            for found in _seen(person, each)
        ]
        assert len(held) == 1
        person.try_docker("rm", *names)


def _seen(person: Person, name: str) -> list[dict[str, dict[str, dict[str, str]]]]:
    wanted = f"/{name}._.{person.name}"
    listed = engine("/containers/json?all=1")
    return [seen_by_root(person, name) for each in listed if wanted in each["Names"]]


def test_two_people_and_one_name(scene: Scene) -> None:
    people, name = (scene.attacker, scene.victim), scene.attacker.named("same")
    try:
        with ThreadPoolExecutor(4) as pool:
            done = list(
                pool.map(
                    lambda who: who.try_docker("create", "--name", name, scene.image, "true"),
                    people * 2,
                )
            )
        assert sorted(each.code for each in done) == [0, 0, 1, 1]
        assert all("already in use" in each.err for each in done if each.code)
        for who in people:
            assert seen_by_root(who, name)["Config"]["Labels"]["ds01.user"] == who.name
            assert who.inspect(name)["Name"] == f"/{name}"
    finally:
        for who in people:
            who.try_docker("rm", name)


def test_storms_of_creates_and_removals_leave_nothing(scene: Scene) -> None:
    person, folder = scene.attacker, scene.folder
    names = [person.named(f"storm-{each}") for each in range(3)]

    def once(number: int) -> None:
        name = names[number % 3]
        person.try_docker(
            *("create", "--gpus", "1", "--name", name, "-v", f"{folder}:/work", scene.image, "true")
        )
        person.try_docker("start", name)
        person.try_docker("rm", "-f", name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(24)))
    for name in names:
        person.try_docker("rm", "-f", name)

    platform = scene.gateway.platform
    mine = f"label=ds01.instance={scene.gateway.instance}"
    alive = engine_docker("ps", "-aq", "--no-trunc", "--filter", mine).split()
    keys = {
        found["Config"]["Labels"].get("ds01.binds", "")
        for found in (engine(f"/containers/{each}/json") for each in alive)
    }
    binds = scene.gateway.run / "binds"

    def strays() -> list[str]:
        return [each.name for each in binds.iterdir() if not any(each.name in key for key in keys)]

    def promised() -> list[str]:
        with platform.ledger.transaction() as transaction:
            now = platform.clock.now()
            return [
                each.container_name
                for each in transaction.reservations()
                if each.container_name.removesuffix(f"._.{person.name}") in names
                and each.expires_at > now
            ]

    eventually(lambda: not strays(), 40, what="nothing stays staged")
    assert promised() == []
    assert not [each for each in mount_points() if any(stray in each for stray in strays())]


def test_the_swapper_of_these_tests_swaps(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    with swapping(tmp_path / "a", tmp_path / "b"):
        eventually(lambda: (tmp_path / "a").read_text() == "b")
        eventually(lambda: (tmp_path / "a").read_text() == "a")
    assert subprocess.run(["true"], check=True).returncode == 0
