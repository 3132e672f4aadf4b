"""Folders of the host through the real docker program: `-v`, `--mount`, `docker cp`, volumes."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.adapters.personal_paths.mount_table import mount_points
from integration.gateway.gateway_process import Gateway, engine_docker
from integration.gateway.people import Person
from integration.unix_people import ALICE, own_folder

WAIT = ("sh", "-c", "while :; do sleep 0.1; done")


@pytest.fixture
def folder(alice: Person) -> Iterator[Path]:
    with own_folder(alice.account) as made:
        yield made


@pytest.fixture
def shared(alice: Person) -> Iterator[Path]:
    """A folder below one that both may enter, until it is closed."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    (made / "data").mkdir(parents=True)
    for each in (made, made / "data"):
        os.chown(each, 0, alice.account.group_ids[-1])
        each.chmod(0o2770)
    yield made
    made.chmod(0o700)
    for each in (made / "data", made):
        each.rmdir()


def engine_mounts(name: str) -> list[dict[str, object]]:
    found = engine_docker("inspect", "--format", "{{json .Mounts}}", f"{name}._.{ALICE}")
    return list(json.loads(found))


def test_a_folder_of_ones_own_is_worked_in(alice: Person, tiny_image: str, folder: Path) -> None:
    alice.docker("run", "--rm", "-v", f"{folder}:/work", tiny_image, "sh", "-c", "id -u > /work/id")
    assert (folder / "id").read_text().strip() == str(alice.account.uid)
    assert (folder / "id").stat().st_uid == alice.account.uid


def test_what_is_asked_to_be_read_only_is(alice: Person, tiny_image: str, folder: Path) -> None:
    for flags in (
        ("-v", f"{folder}:/work:ro"),
        ("--mount", f"type=bind,source={folder},target=/work,readonly"),
    ):
        done = alice.try_docker("run", "--rm", *flags, tiny_image, "touch", "/work/x")
        assert (done.code, "Read-only file system" in done.err) == (1, True)


def test_ones_own_words_are_shown_and_the_engine_has_others(
    alice: Person, gateway: Gateway, tiny_image: str, folder: Path
) -> None:
    name = alice.named("words")
    link = folder / "link"
    alice.shell(f"mkdir {folder}/real; ln -s real {link}")
    alice.docker("create", "--name", name, "-v", f"{link}:/work:ro", tiny_image, "true")
    (mount,) = [each for each in alice.inspect(name)["Mounts"] if each["Destination"] == "/work"]
    assert (mount["Source"], mount["RW"]) == (str(link), False)
    (staged,) = [each for each in engine_mounts(name) if each["Destination"] == "/work"]
    assert str(staged["Source"]).startswith(str(gateway.run / "binds"))


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/root",
        "/etc/shadow",
        "/proc",
        "/sys/fs/cgroup",
        "/dev",
        "/var/run/docker.sock",
        "/var/lib/docker",
        "/run",
        "/home/ds01-test-bob",
        "/home/ds01-test-alice/../ds01-test-bob",
        "/proc/1/root",
        "/proc/self/root/root",
    ],
)
@pytest.mark.parametrize("way", ["-v", "--mount"])
def test_what_is_not_ones_own_is_refused_with_a_sentence(
    alice: Person, bob: Person, tiny_image: str, source: str, way: str
) -> None:
    del bob  # whose home is there
    flag = f"{source}:/host" if way == "-v" else f"type=bind,source={source},target=/host"
    name = alice.named("escape")
    said = alice.refused("create", "--name", name, way, flag, tiny_image, "true")
    assert said.startswith("Error response from daemon: ")
    assert any(
        text in said for text in ("cannot be mounted", "You may not use", "whole machine")
    ), said
    assert not engine_docker("ps", "-aq", "--filter", f"name={name}")


def test_a_link_swapped_before_the_start_is_followed_as_the_person(
    alice: Person, bob: Person, tiny_image: str, folder: Path
) -> None:
    name, link = alice.named("swap"), folder / "link"
    alice.shell(f"mkdir {folder}/good; echo good > {folder}/good/what; ln -s good {link}")
    alice.docker("create", "--name", name, "-v", f"{link}:/work", tiny_image, *WAIT)
    alice.shell(f"ln -sfn {bob.account.home} {link}")
    assert "You may not use" in alice.refused("start", name)
    alice.shell(f"ln -sfn good {link}")
    alice.docker("start", name)
    assert alice.docker("exec", name, "cat", "/work/what") == "good"
    alice.docker("rm", "-f", name)


def test_a_start_again_is_refused_once_the_way_is_closed(
    alice: Person, tiny_image: str, shared: Path
) -> None:
    name = alice.named("closing")
    alice.docker("run", "-d", "--name", name, "-v", f"{shared}/data:/work", tiny_image, *WAIT)
    alice.docker("kill", name)
    shared.chmod(0o700)
    assert "You may not use" in alice.refused("start", name)
    shared.chmod(0o2770)
    alice.docker("start", name)
    alice.docker("rm", "-f", name)


def test_copies_in_and_out_are_the_persons(alice: Person, tiny_image: str, folder: Path) -> None:
    name = alice.named("cp")
    alice.shell(f"mkdir -p {folder}/from/deep; echo hello > {folder}/from/deep/file")
    alice.docker("run", "-d", "--name", name, "-v", f"{folder}:/work", tiny_image, *WAIT)
    alice.docker("cp", f"{folder}/from", f"{name}:/work/to")
    assert (folder / "to/deep/file").read_text() == "hello\n"
    assert (folder / "to/deep/file").stat().st_uid == alice.account.uid
    alice.docker("cp", f"{name}:/work/to/.", f"{folder}/back")
    assert (folder / "back/deep/file").read_text() == "hello\n"
    alice.docker("cp", f"{name}:/work/to/deep/file", f"{folder}/single")
    assert (folder / "single").read_text() == "hello\n"
    assert "Could not find the file" in alice.refused("cp", f"{name}:/nope", str(folder))
    assert "You may not use" in alice.refused("cp", f"{folder}/single", f"{name}:/etc/planted")
    alice.docker("kill", name)
    assert "does not run" in alice.refused("cp", f"{name}:/work/to", str(folder))
    alice.docker("rm", name)


def test_copies_of_a_container_without_folders_need_no_start(
    alice: Person, tiny_image: str, folder: Path
) -> None:
    name = alice.named("cpstopped")
    alice.shell(f"echo hello > {folder}/file")
    alice.docker("create", "--name", name, tiny_image, "cat", "/tmp/file")
    alice.docker("cp", f"{folder}/file", f"{name}:/tmp/file")
    assert alice.docker("start", "-a", name) == "hello"
    alice.docker("cp", f"{name}:/tmp/file", f"{folder}/back")
    assert (folder / "back").read_text() == "hello\n"
    alice.docker("rm", name)


def test_anothers_container_cannot_be_copied_from(
    alice: Person, bob: Person, tiny_image: str, folder: Path
) -> None:
    name = alice.named("cpforeign")
    engine_name = f"{name}._.{ALICE}"
    alice.docker("run", "-d", "--name", name, "-v", f"{folder}:/work", tiny_image, *WAIT)
    for ref in (name, engine_name):
        assert "No such container" in bob.refused("cp", f"{ref}:/work", "/tmp/x")
        assert "No such container" in bob.refused("cp", "/etc/passwd", f"{ref}:/work/x")
    alice.docker("rm", "-f", name)


def test_what_was_mounted_is_gone_with_its_container(
    alice: Person, gateway: Gateway, tiny_image: str, folder: Path
) -> None:
    alice.shell(f"echo kept > {folder}/file")
    alice.docker("run", "--rm", "-v", f"{folder}:/work", tiny_image, "true")
    platform = gateway.platform
    left = [each for each in mount_points() if each.startswith(str(gateway.run))]
    claimed = platform.engine.containers()
    for key in {each.split("/")[-2] for each in left}:
        if key not in {container.binds_key for container in claimed}:
            platform.binds.clear(key)
    running = {container.binds_key for container in claimed}
    left = [each for each in mount_points() if each.startswith(str(gateway.run))]
    assert {each.split("/")[-2] for each in left} <= running
    assert (folder / "file").read_text() == "kept\n"


def test_a_volume_is_kept_from_one_container_to_the_next(
    alice: Person, bob: Person, tiny_image: str
) -> None:
    volume = alice.named("data")
    alice.docker("volume", "create", volume)
    mount = ("-v", f"{volume}:/data")
    alice.docker("run", "--rm", *mount, tiny_image, "sh", "-c", "echo kept > /data/file")
    assert alice.docker("run", "--rm", *mount, tiny_image, "cat", "/data/file") == "kept"
    onto = ("-v", f"{volume}-usr:/usr", "-v", "/anonymous")
    alice.docker("run", "--rm", *onto, tiny_image, "touch", "/usr/new", "/anonymous/new")
    alice.docker("volume", "rm", f"{volume}-usr")
    assert volume in alice.docker("volume", "ls", "-q").split()
    assert alice.docker("volume", "inspect", "-f", "{{.Name}}", volume) == volume
    assert volume not in bob.docker("volume", "ls", "-q").split()
    assert "no such volume" in bob.refused("volume", "inspect", volume).lower()
    assert "no such volume" in bob.refused("volume", "rm", f"{volume}._.{ALICE}").lower()
    alice.docker("volume", "rm", volume)
    assert volume not in alice.docker("volume", "ls", "-q").split()
