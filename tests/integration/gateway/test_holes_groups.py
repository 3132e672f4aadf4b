"""Groups of the server: nobody gets one that is not theirs by what an image calls it."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Forbidden
from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person
from integration.unix_people import ALICE, own_folder

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


def test_an_own_image_with_folders_has_the_persons_groups_and_no_others(
    alice: Person, own_image: str, shared: Path
) -> None:
    done = alice.try_docker(
        *("run", "--rm", "-v", f"{shared}:/project", own_image, "sh", "-c"),
        "id -G; touch /project/made",
    )
    assert (done.code, done.err) == (0, "")
    assert sorted(map(int, done.out.split())) == sorted(alice.account.group_ids)
    assert (shared / "made").exists()


def test_what_an_own_image_calls_a_group_by_its_name_opens_nothing(
    alice: Person, tiny_image: str
) -> None:
    """Neither at the start nor for a command, and not at the next start either."""
    image, name = alice.named("named"), alice.named("c")
    lines = f"shadow:x:{SHADOW}:{alice.name},{alice.account.uid}\\n"
    built(alice, image, tiny_image, group=lines)
    mine = sorted(alice.account.group_ids)
    try:
        alice.docker(
            *("create", "--name", name, "-v", "/etc:/data:ro", image, "sh", "-c"),
            "id -G; echo x >> /etc/group; mv /etc /old; cat /data/shadow; exec sleep 60",
        )
        for _ in range(2):
            alice.docker("start", name)
            assert sorted(map(int, alice.docker("exec", name, "id", "-G").split())) == mine
            assert alice.try_docker("exec", name, "cat", "/data/shadow").code != 0
            alice.docker("kill", name)
        printed = alice.docker("logs", name)
        assert sorted(map(int, printed.splitlines()[0].split())) == mine
        assert "root:" not in printed
    finally:
        alice.docker("rm", "-f", name)
        alice.docker("rmi", "-f", image)


@pytest.mark.parametrize(
    "run",
    ["chmod 777 /etc", "chmod 666 /etc/group", "mv /etc/group /g && ln -s /g /etc/group"],
)
def test_an_image_whose_group_file_others_may_change_gets_no_folders(
    alice: Person, tiny_image: str, run: str
) -> None:
    image = alice.named("open")
    with own_folder(alice.account) as context:
        text = f"FROM {tiny_image}\nRUN touch /etc/group && {run}\n"
        alice.run(lambda: (context / "Dockerfile").write_text(text))
        alice.docker("build", "-q", "-t", image, str(context))
    told = alice.refused("run", "--rm", "-v", "/etc:/data:ro", image, "id")
    alice.docker("rmi", "-f", image)
    assert "could take the place of groups" in told


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
    assert "does not run, and nothing is copied there" in stopped.err
    assert running.code != 0


@pytest.mark.parametrize("target", ["/etc/group", "/etc", "/etc/../etc/group"])
def test_nothing_is_mounted_where_groups_are_looked_up(
    alice: Person, tiny_image: str, target: str
) -> None:
    with own_folder(alice.account) as folder:
        alice.shell(f"printf '{forged_lines(alice)}' > {folder}/group")
        source = folder if target == "/etc" else folder / "group"
        told = alice.refused(
            *("run", "--rm", "-v", f"{source}:{target}", "-v", "/etc:/data:ro", tiny_image, "id")
        )
    assert "Nothing can be mounted at '/etc" in told


def test_a_link_that_leads_a_mount_there_ends_in_no_groups_of_the_server(
    alice: Person, gateway: Gateway, tiny_image: str
) -> None:
    """Swapped between check and start: the first process has none, and the container is killed."""
    name = alice.named("swapped")
    with own_folder(alice.account) as folder:
        alice.shell(f"mkdir {folder}/sub; printf '{forged_lines(alice)}' > {folder}/group")
        mounts = ("-v", f"{folder}:/w", "-v", f"{folder}/group:/w/sub/group")
        told = alice.refused("create", *mounts, "-v", "/etc:/data:ro", tiny_image, "true")
        assert "is inside '/w', where something is mounted already" in told
        alice.docker(
            *("create", "--name", name, *mounts, tiny_image, "sh", "-c", "id -G; sleep 60"),
        )
        try:
            alice.shell(f"mv {folder}/sub {folder}/gone; ln -s /etc {folder}/sub")
            container = json.loads(engine_docker("inspect", in_engine(name)))[0]["Id"]
            with pytest.raises(Forbidden, match="groups are looked up"):
                gateway.platform.engine.start(container)
            eventually(lambda: not alice.inspect(name)["State"]["Running"])
            assert SHADOW not in map(int, alice.docker("logs", name).split("\n")[0].split())
        finally:
            alice.docker("rm", "-f", name)


def test_what_runs_with_a_forged_group_file_is_not_entered(alice: Person, tiny_image: str) -> None:
    """As after a start that nobody saw."""
    name = alice.named("entered")
    with own_folder(alice.account) as folder:
        alice.shell(f"mkdir {folder}/sub; printf '{forged_lines(alice)}' > {folder}/group")
        alice.docker(
            *("create", "--name", name, "-v", f"{folder}:/w", "-v", f"{folder}/group:/w/sub/group"),
            *(tiny_image, "sleep", "60"),
        )
        try:
            alice.shell(f"mv {folder}/sub {folder}/gone; ln -s /etc {folder}/sub")
            engine_docker("start", in_engine(name))
            told = alice.refused("exec", name, "id")
        finally:
            alice.docker("rm", "-f", name)
    assert "groups are looked up" in told


def in_engine(name: str) -> str:
    return f"{name}._.{ALICE}"
