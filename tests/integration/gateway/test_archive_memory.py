"""`docker cp` into memory of a container that runs: its own limit counts what is written."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import engine_docker
from integration.gateway.people import Person
from integration.unix_people import own_folder

MEGABYTE = 1 << 20
LIMITS = ("--network=none", "-m", "64m", "--tmpfs", "/t:size=1g,mode=1777")
WAIT = "trap exit TERM; while :; do sleep 1; done"


def archive(folder: Path, megabytes: int) -> Path:
    made = folder / f"{megabytes}.tar"
    found = tarfile.TarInfo("big")
    found.size, found.mode = megabytes * MEGABYTE, 0o644
    with made.open("wb") as file:
        file.write(found.tobuf())
        file.truncate(512 + found.size + 10240)
    made.chmod(0o644)
    return made


def charged(pid: str) -> int:
    """What the container's own cgroup counts."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    trees = dict(line.split(":", 2)[1:] for line in lines)
    if "memory" in trees:
        file = f"/sys/fs/cgroup/memory{trees['memory']}/memory.usage_in_bytes"
    else:
        file = f"/sys/fs/cgroup{trees['']}/memory.current"
    return int(Path(file).read_text())


@pytest.fixture
def folder(alice: Person) -> Iterator[Path]:
    with own_folder(alice.account) as made:
        yield made


@pytest.fixture
def small(alice: Person, tiny_image: str) -> Iterator[str]:
    """A container with little memory, and a large place in it."""
    name = alice.named("small")
    alice.docker("run", "-d", "--name", name, *LIMITS, tiny_image, "sh", "-c", WAIT)
    yield name
    alice.try_docker("rm", "-f", name)


def test_what_is_too_large_for_the_containers_memory_is_refused(
    alice: Person, small: str, folder: Path
) -> None:
    large, little = archive(folder, 200), archive(folder, 5)

    done = alice.shell(f"docker cp - {small}:/t < {little}")

    assert done.code == 0, done.err
    assert alice.docker("exec", small, "stat", "-c", "%s", "/t/big") == str(5 * MEGABYTE)

    failed = alice.shell(f"docker cp - {small}:/t < {large}")

    assert failed.code != 0
    assert "the container's memory is full" in failed.err
    assert (
        charged(engine_docker("inspect", "-f", "{{.State.Pid}}", f"{small}._.{alice.name}"))
        > 55 * MEGABYTE
    )
    assert alice.inspect(small)["State"]["Running"]
    assert alice.docker("version", "--format", "{{.Server.Version}}")


def test_a_copy_leaves_with_its_container(alice: Person, small: str, folder: Path) -> None:
    with alice.popen("cp", "-", f"{small}:/tmp") as copy:
        assert copy.stdin is not None
        copy.stdin.write(archive(folder, 5).read_text()[:MEGABYTE])
        copy.stdin.flush()
        alice.docker("restart", "-t", "1", small)
        copy.stdin.close()
        assert copy.stderr is not None
        said = copy.stderr.read()
    assert copy.returncode != 0, said
    assert alice.docker("exec", small, "echo", "up") == "up"
