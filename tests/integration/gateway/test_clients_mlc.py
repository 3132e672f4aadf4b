"""The docker commands that AIME's `mlc` gives, with its arguments.

https://github.com/aime-team/aime-ml-containers
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import Gateway
from integration.gateway.people import Person
from integration.gateway.terminal import terminal
from integration.unix_people import ALICE, as_person, own_folder

ULIMITS = ("--ulimit", "stack=67108864")
"""Without its `memlock=-1`, which Docker itself cannot set where root may not raise limits."""


@pytest.fixture(scope="module")
def workspace(alice: Person) -> Iterator[Path]:
    with own_folder(alice.account) as folder:
        as_person(alice.account, f"echo data > {folder}/file")
        yield folder


def marks(person: Person, framework: str) -> tuple[str, ...]:
    said = (f"aime.mlc={person.name}", "aime.mlc.USER=somebody", f"aime.mlc.FRAMEWORK={framework}")
    return tuple(f"--label={each}" for each in said)


@pytest.fixture(scope="module")
def made(alice: Person, workspace: Path, tiny_image: str) -> Iterator[str]:
    """A container as `mlc create` makes it: set up in a first one, committed, made anew."""
    name = alice.named("mlc")
    mounts = ("-v", f"{workspace}:/workspace", "-w", "/workspace")
    alice.docker(
        *("run", *mounts, f"--name={name}", f"--label=aime.mlc={alice.name}", "--tty"),
        *("--gpus=all", "--shm-size=64m", *ULIMITS, tiny_image, "sh", "-c", "echo up > /tmp/up"),
    )
    repository = tiny_image.partition(":")[0]
    alice.docker("commit", name, f"{repository}:{name}")
    alice.docker("rm", name)
    alice.docker(
        *("create", "-it", *mounts, f"--name={name}", *marks(alice, "Pytorch-2.11.0-aime")),
        *("--user", f"{alice.account.uid}:{alice.account.gid}", "--tty", "--interactive"),
        *("--gpus=all", "--shm-size=64m", *ULIMITS, f"{repository}:{name}", "sh", "-c", "sh"),
    )
    yield name
    alice.try_docker("rm", "-f", name)
    alice.try_docker("image", "rm", f"{repository}:{name}")


def listed(person: Person, name: str, form: str, *more: str) -> str:
    found = (f"--filter=name=^/{name}$", "--filter=label=aime.mlc")
    return person.docker("container", "ps", *more, *found, "--format", form)


def test_its_labels_are_kept_and_say_whose_it_is(
    alice: Person, bob: Person, gateway: Gateway, made: str
) -> None:
    assert listed(alice, made, "{{.Names}}", "-a") == made
    assert listed(alice, made, '{{.Label "aime.mlc.FRAMEWORK"}}', "-a") == "Pytorch-2.11.0-aime"
    assert listed(alice, made, '{{.Label "aime.mlc.USER"}}', "-a") == ALICE
    assert listed(bob, made, "{{.Names}}", "-a") == ""
    assert alice.docker(
        *("container", "ls", "-a", f"--filter=label=aime.mlc={alice.name}"),
        *("--format", 'table [{{.Names}}]\t{{.Label "aime.mlc.FRAMEWORK"}}\t{{.Status}}'),
    ).count(f"[{made}]")
    event = gateway.events("container.create", ALICE)[-1]
    assert event["resource"] == f"{made}._.{ALICE}"
    shown = alice.inspect(made)["Config"]["Labels"]
    assert shown["ds01.user"] == ALICE
    assert len(shown["ds01.gpu.slots"].split(",")) == 2


def test_it_is_opened_and_stopped(alice: Person, workspace: Path, made: str) -> None:
    alice.docker("container", "start", made)
    assert listed(alice, made, "{{.Names}}") == made
    user = f"{alice.account.uid}:{alice.account.gid}"

    with terminal(alice, "exec", "-it", "--user", user, made, "sh") as opened:
        opened.wait_for("$")
        opened.type("cat /tmp/up file; id -u; echo out > written; exit\n")
        assert "up\r\ndata\r\n" in opened.wait_for(f"{alice.account.uid}\r\n")
        assert opened.end() == 0

    assert (workspace / "written").stat().st_uid == alice.account.uid
    assert alice.docker("top", made, "-o", "pid").splitlines()[0].strip() == "PID"
    stats = alice.docker("container", "stats", "--format", "[{{.Name}}]\t{{.PIDs}}", "--no-stream")
    assert f"[{made}]" in stats
    alice.docker("container", "stop", "-t", "0", made)
    assert listed(alice, made, "{{.Names}}") == ""


def test_it_is_removed_with_its_image(alice: Person, made: str) -> None:
    image = listed(alice, made, "{{.Image}}", "-a")
    assert image.endswith(f":{made}")

    alice.docker("container", "rm", made)
    alice.docker("image", "rm", image)

    assert image not in alice.docker("images", "--format", "{{.Repository}}:{{.Tag}}")


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("--privileged", "GPUs come with --gpus"),
        ("--ipc=host", "--shm-size makes"),
        ("--network=host", "-p 8080:80 publishes"),
        ("--device=/dev/video0", "--device would give"),
        ("--group-add=sudo", "sudo"),
    ],
    ids=lambda value: value.partition("=")[0],
)
def test_its_wider_wishes_are_refused_with_what_to_do(
    alice: Person, tiny_image: str, wish: str, says: str
) -> None:
    told = alice.refused("create", "-it", "--gpus=all", wish, tiny_image, "sh")

    assert says in told, told
