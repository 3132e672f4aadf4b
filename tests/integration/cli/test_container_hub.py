"""`ds01 container …` from elsewhere: through a real hub, with a token."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cli.typing_people import SECONDS, Typist
from integration.gateway.gateway_process import eventually
from integration.gateway.people import Person
from integration.ssh.house import House, ssh_house
from integration.unix_people import ALICE, BOB, unix_person


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[House]:
    """A hub and a gateway."""
    with ssh_house(tmp_path_factory.mktemp("ds01-hub"), tiny_image) as running:
        yield running
        running.gateway.remove_containers()


def elsewhere(house: House, name: str) -> Typist:
    person = Person(unix_person(name), Path("/nonexistent"))
    return Typist(person, {"DS01_URL": house.url, "DS01_TOKEN": house.token_of(name)})


@pytest.fixture(scope="module")
def alice(house: House) -> Typist:
    """Alice, on her own computer."""
    return elsewhere(house, ALICE)


@pytest.fixture(scope="module")
def bob(house: House) -> Typist:
    """Bob, on his."""
    return elsewhere(house, BOB)


def test_everything_works_through_the_hub(alice: Typist, bob: Typist) -> None:
    name = alice.named("far")
    done = alice.tries("container", "deploy", name, "--gpu", "mig")
    assert done.code == 0, done.err
    assert "Starting it." in done.err
    assert "runs, with GPU slot" in done.out
    data = bytes(range(32, 127)) * 20_000
    assert alice.types("container", "exec", "-i", name, "cat", stdin=data) == data.decode()
    failed = alice.tries("container", "exec", name, "--", "sh", "-c", "echo x >&2; exit 9")
    assert (failed.code, failed.out, failed.err) == (9, "", "x\n")
    assert bob.tries("container", "exec", name, "--", "true").code == 5
    with alice.terminal("container", "attach", name) as shell:
        shell.wait_for("$")
        shell.type("stty size\r")
        shell.wait_for("41 101")
        shell.type("sh -c 'echo be\"gun\"; exec sleep 100'\r")
        shell.wait_for("begun")
        shell.type("\x03")
        shell.type("exit 6\r")
        assert shell.end() == 6
        assert not shell.is_raw
    (stats,) = alice.told("container", "stats")["containers"]
    assert stats["name"] == name
    assert "is retired" in alice.types("container", "retire", name)


def test_ctrl_c_through_the_hub_leaves_nothing(house: House, alice: Typist) -> None:
    name = alice.named("stopped")
    making = alice.begins("container", "deploy", name, "--cpu-only")
    assert making.stderr is not None
    while "Making" not in (line := making.stderr.readline()):
        assert line, "it ended"
    making.send_signal(signal.SIGINT)
    _, err = making.communicate(timeout=SECONDS)
    assert making.returncode == 130, err
    full = f"{name}._.{alice.name}"
    platform = house.gateway.platform
    eventually(
        lambda: full not in [each.name for each in platform.engine.containers()],
        what="nothing of it stays",
    )
    assert alice.tries("container", "show", name).code == 5


def test_a_token_that_is_revoked_is_said(house: House) -> None:
    stranger = Typist(
        Person(unix_person(ALICE), Path("/nonexistent")),
        {"DS01_URL": house.url, "DS01_TOKEN": "0" * 32},
    )
    done = stranger.tries("container", "deploy", "thesis")
    assert done.code == 3
    assert "does not accept your token" in done.err
