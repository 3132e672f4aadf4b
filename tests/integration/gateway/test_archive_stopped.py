"""`docker cp` from and to containers that do not run, with the real docker."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.gateway.people import Person
from integration.unix_people import own_folder

WORK = """
echo 1 > /tmp/result; echo 2 > /data/model; mkdir /data/deep; echo 3 > /data/deep/x
ln -s / /tmp/host; ln -s /data /tmp/d; ln -s /etc/shadow /data/s; ln -s ../../../etc /data/e
ln -s /work/own /data/w; echo 4 > /work/own
"""

Named = Callable[[str], str]


@pytest.fixture
def named(alice: Person) -> Iterator[Named]:
    """Names of containers, volumes and images that are removed afterwards."""
    given: list[str] = []

    def name(text: str) -> str:
        given.append(alice.named(f"{text}{secrets.token_hex(2)}"))
        return given[-1]

    yield name
    for each in given:
        alice.try_docker("rm", "-f", "-v", each)
    for each in given:
        alice.try_docker("volume", "rm", each)
        alice.try_docker("rmi", "-f", each)


@pytest.fixture
def folder(alice: Person) -> Iterator[Path]:
    with own_folder(alice.account) as made:
        yield made


@pytest.fixture
def ended(alice: Person, named: Named, folder: Path, tiny_image: str) -> str:
    """A container that has worked in its own files, a volume and a folder, and ended."""
    name = named("ended")
    mounts = ("-v", f"{named('v')}:/data", "-v", f"{folder}:/work")
    alice.docker("run", "--name", name, *mounts, tiny_image, "sh", "-c", WORK)
    return name


def copied(alice: Person, container: str, path: str) -> str:
    """The content of a file, copied out."""
    with own_folder(alice.account) as place:
        alice.docker("cp", "-L", f"{container}:{path}", f"{place}/file")
        return (place / "file").read_text().strip()


def volumes_over_the_servers_folders() -> list[str]:
    """Mounts of volumes anywhere but where the engine keeps its own."""
    mounts = [line.split(" ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [
        fields[4]
        for fields in mounts
        if "/volumes/" in fields[3] and not fields[4].startswith("/var/lib/docker/")
    ]


def test_what_ended_gives_out_its_own_files_and_its_volumes(alice: Person, ended: str) -> None:
    assert copied(alice, ended, "/tmp/result") == "1"
    assert copied(alice, ended, "/data/model") == "2"
    assert copied(alice, ended, "/tmp/d/deep/x") == "3"
    assert copied(alice, ended, "/tmp/host/data/model") == "2"


def test_its_folder_of_the_server_is_named(alice: Person, ended: str, folder: Path) -> None:
    told = alice.refused("cp", f"{ended}:/work/own", "-")
    assert f"/work in {ended} is '{folder}' of the server" in told
    assert "without docker" in told
    assert "docker start" in alice.refused("cp", f"{folder}/own", f"{ended}:/tmp")


@pytest.mark.parametrize(
    "path",
    ["/data/s", "/data/e/shadow", "/tmp/host/data/s", "/tmp/host/var/lib/docker", "/data/w"],
)
def test_links_lead_to_nothing_of_the_servers(alice: Person, ended: str, path: str) -> None:
    with own_folder(alice.account) as place:
        done = alice.try_docker("cp", "-L", f"{ended}:{path}", f"{place}/file")
        assert done.code != 0
        assert not (place / "file").exists()
    assert volumes_over_the_servers_folders() == []


def test_only_its_owner_copies_out_of_it(alice: Person, bob: Person, ended: str) -> None:
    number = alice.inspect(ended)["Id"]
    for name in (ended, number, f"{ended}._.{alice.name}"):
        assert "No such container" in bob.refused("cp", f"{name}:/data/model", "-")


def test_what_only_another_user_may_read_stays_so(
    alice: Person, named: Named, folder: Path, tiny_image: str
) -> None:
    image, name = named("image"), named("c")
    text = f"FROM {tiny_image}\nRUN echo x > /closed && chmod 600 /closed\n"
    alice.run(lambda: (folder / "Dockerfile").write_text(text))
    alice.docker("build", "-q", "-t", image, str(folder))
    alice.docker("create", "--name", name, "-v", f"{folder}:/work", image, "true")
    assert "You may not use '/closed'" in alice.refused("cp", f"{name}:/closed", "-")


@pytest.fixture
def image(alice: Person, named: Named, folder: Path, tiny_image: str) -> str:
    """An image with a volume, and something in it."""
    name = named("image")
    text = (
        f"FROM {tiny_image}\nRUN mkdir -p /var/data && echo 0 > /var/data/old\nVOLUME /var/data\n"
    )
    alice.run(lambda: (folder / "Dockerfile").write_text(text))
    alice.docker("build", "-q", "-t", name, str(folder))
    return name


def test_files_go_into_what_is_made_but_not_started(
    alice: Person, named: Named, folder: Path, image: str
) -> None:
    """As testcontainers and many scripts do it: create, cp, start."""
    name = named("c")
    script = "cat /etc/app.conf /var/data/seed /var/data/old; echo y > /var/data/seed && echo done"
    alice.shell(f"echo conf > {folder}/app.conf; echo seed > {folder}/seed")
    alice.docker("create", "--name", name, image, "sh", "-c", script)
    alice.docker("cp", f"{folder}/app.conf", f"{name}:/etc/app.conf")
    alice.docker("cp", f"{folder}/seed", f"{name}:/var/data/")
    assert copied(alice, name, "/var/data/old") == "0"
    assert alice.docker("start", "-a", name).split() == ["conf", "seed", "0", "done"]


def test_a_volume_is_filled_through_a_container_that_never_runs(
    alice: Person, named: Named, folder: Path, tiny_image: str
) -> None:
    volume, name = named("v"), named("c")
    alice.shell(f"mkdir {folder}/tree; echo leaf > {folder}/tree/leaf")
    alice.docker("create", "--name", name, "-v", f"{volume}:/new/place", tiny_image, "true")
    alice.docker("cp", f"{folder}/tree", f"{name}:/new/place")
    alice.docker("rm", name)
    read = ("run", "--rm", "-v", f"{volume}:/v", tiny_image, "cat", "/v/tree/leaf")
    assert alice.docker(*read) == "leaf"


def test_a_volume_that_is_for_reading_is_not_written_to(
    alice: Person, named: Named, folder: Path, tiny_image: str
) -> None:
    name = named("c")
    alice.shell(f"echo x > {folder}/x")
    alice.docker("create", "--name", name, "-v", f"{named('v')}:/data:ro", tiny_image, "true")
    assert alice.try_docker("cp", f"{folder}/x", f"{name}:/data/").code != 0


@pytest.mark.parametrize(
    "mounts", [("/data", "/data/deep"), ("/l/data",)], ids=["one in another", "behind a link"]
)
def test_the_engine_mounts_nothing_where_others_can_change_the_way(
    alice: Person, named: Named, folder: Path, tiny_image: str, mounts: tuple[str, ...]
) -> None:
    image, name = named("image"), named("c")
    alice.run(lambda: (folder / "Dockerfile").write_text(f"FROM {tiny_image}\nRUN ln -s /tmp /l\n"))
    alice.docker("build", "-q", "-t", image, str(folder))
    options = [part for each in mounts for part in ("-v", f"{named('v')}:{each}")]
    alice.docker("create", "--name", name, *options, image, "true")
    assert "docker start" in alice.refused("cp", f"{folder}/Dockerfile", f"{name}:/etc/")
    assert copied(alice, name, "/etc/hostname") == ""


def test_links_that_a_copy_makes_count_for_the_next(
    alice: Person, named: Named, folder: Path, tiny_image: str
) -> None:
    """Copied over the place of a volume, a link is on its way from then on."""
    name = named("c")
    alice.docker(
        *("create", "--name", name, "-v", f"{named('v')}:/mine/v", "-v", f"{named('w')}:/data"),
        *(tiny_image, "true"),
    )
    alice.shell(f"mkdir {folder}/a; ln -s /data {folder}/a/mine")
    alice.try_docker("cp", f"{folder}/a/.", f"{name}:/")
    alice.try_docker("cp", f"{folder}/a/.", f"{name}:/etc")
    assert volumes_over_the_servers_folders() == []


def test_a_volume_that_changes_all_the_time_shows_nothing_else(
    alice: Person, named: Named, tiny_image: str
) -> None:
    volume, name, swaps = named("v"), named("c"), named("swaps")
    script = "mkdir -p a; while :; do mv a b; ln -s /etc a; rm a; mv b a; done"
    alice.docker("create", "--name", name, "-v", f"{volume}:/data", tiny_image, "true")
    swap = ("run", "-d", "--name", swaps, "-v", f"{volume}:/data", "-w", "/data", tiny_image)
    alice.docker(*swap, "timeout", "60", "sh", "-c", script)
    for _ in range(8):
        done = alice.try_docker("cp", f"{name}:/data/a/shadow", "-")
        assert "root:" not in done.out
    assert volumes_over_the_servers_folders() == []
