"""Groups of the server: nobody gets one that is not theirs by what an image calls it."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.people import Person
from integration.unix_people import own_folder

SHADOW = 42


@pytest.fixture
def shared(alice: Person) -> Iterator[Path]:
    """A project's folder, open to its group alone."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    made.mkdir()
    os.chown(made, 0, next(gid for gid in alice.account.group_ids if gid != alice.account.gid))
    made.chmod(0o2770)
    yield made
    for each in made.iterdir():
        each.unlink()
    made.rmdir()


def built(alice: Person, name: str, tiny_image: str, *, group: str = "") -> None:
    with own_folder(alice.account) as context:
        copied = "COPY group /etc/group" if group else "RUN true"
        alice.shell(
            f"printf '{group}' > {context}/group; "
            f"printf 'FROM {tiny_image}\\n{copied}\\n' > {context}/Dockerfile"
        )
        alice.docker("build", "-q", "-t", name, str(context))


@pytest.fixture
def own_image(alice: Person, tiny_image: str) -> Iterator[str]:
    """An image of alice's."""
    name = alice.named("own")
    built(alice, name, tiny_image)
    yield name
    alice.docker("rmi", "-f", name)


@pytest.fixture
def forged(alice: Person, tiny_image: str) -> Iterator[str]:
    """An image of alice's that calls the server's group of passwords by the numbers of hers."""
    name = alice.named("forged")
    built(alice, name, tiny_image, group=forged_lines(alice))
    yield name
    alice.docker("rmi", "-f", name)


def forged_lines(alice: Person) -> str:
    return "".join(f"{gid}:x:{SHADOW}:\\n" for gid in alice.account.group_ids)


def test_an_image_that_calls_groups_by_numbers_gets_no_folders(alice: Person, forged: str) -> None:
    """The engine adds the main group by itself, and its runtime looks for its name."""
    told = alice.refused("run", "--rm", "-v", "/etc:/data:ro", forged, "cat", "/data/shadow")
    assert "calls a group" in told


def test_an_own_image_with_folders_has_no_groups_but_the_persons_main_one(
    alice: Person, own_image: str
) -> None:
    done = alice.try_docker("run", "--rm", "-v", "/etc:/data:ro", own_image, "id", "-G")
    assert (done.code, done.out.split()) == (0, [str(alice.account.gid)])


def test_its_owner_is_told_which_groups_are_missing(alice: Person, own_image: str) -> None:
    name = alice.named("told")
    done = alice.try_docker("create", "--name", name, "-v", "/etc:/data:ro", own_image, "true")
    alice.docker("rm", name)
    assert done.code == 0
    assert "are not in this container" in done.err
    assert str(alice.account.gid) not in done.err


def test_a_catalogue_image_with_folders_lets_one_into_a_projects_folder(
    alice: Person, tiny_image: str, shared: Path
) -> None:
    done = alice.try_docker(
        *("run", "--rm", "-v", f"{shared}:/project", tiny_image, "touch", "/project/made")
    )
    assert (done.code, done.err) == (0, "")
    assert (shared / "made").exists()


def test_the_engine_copies_nothing_into_a_container_with_groups(
    alice: Person, tiny_image: str, shared: Path
) -> None:
    name = alice.named("grouped")
    with own_folder(alice.account) as folder:
        alice.shell(f"echo x > {folder}/group")
        alice.docker(
            *("create", "--name", name, "-v", f"{shared}:/project", tiny_image, "sleep", "300")
        )
        try:
            stopped = alice.try_docker("cp", f"{folder}/group", f"{name}:/etc/group")
            alice.docker("start", name)
            running = alice.try_docker("cp", f"{folder}/group", f"{name}:/etc/group")
        finally:
            alice.docker("rm", "-f", name)
    assert stopped.code != 0
    assert "has folders of the server mounted" in stopped.err
    assert running.code != 0
