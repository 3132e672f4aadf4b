"""What the docker program says, and does, when no GPU is free."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.domain.allocation import Ticket
from integration.gateway.gateway_process import POLICY, Gateway, eventually, running_gateway
from integration.gateway.people import Person
from integration.gateway.terminal import terminal
from integration.unix_people import ALICE, BOB, unix_person

SLOTS = 13
RICH = (
    POLICY.replace("max_gpu_slots: 4", f"max_gpu_slots: {SLOTS}")
    .replace("max_gpu_slots_per_container: 2", f"max_gpu_slots_per_container: {SLOTS}")
    .replace("max_gpu_equivalents: 4.0", "max_gpu_equivalents: 8.0")
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """A gateway whose every GPU is bob's."""
    state: Path = tmp_path_factory.mktemp("full")
    with running_gateway(state, tiny_image, policy=RICH) as gateway:
        yield gateway
        assert "Traceback" not in gateway.log, gateway.log


@pytest.fixture(scope="module")
def hers(full: Gateway) -> Person:
    return Person(unix_person(ALICE), full.socket)


@pytest.fixture
def greedy(full: Gateway, tiny_image: str) -> Iterator[Person]:
    """Bob, who has every GPU, in a container named `all`."""
    bob = Person(unix_person(BOB), full.socket)
    try:
        bob.docker("run", "-d", "--name", "all", "--gpus", "all", tiny_image, "sleep", "600")
        assert len(full.platform.admission.current().occupancy.of(BOB)) == SLOTS
        yield bob
    finally:
        full.remove_containers()


def tickets(gateway: Gateway) -> list[Ticket]:
    with gateway.platform.ledger.transaction() as transaction:
        return list(transaction.tickets())


@pytest.mark.usefixtures("greedy")
def test_a_run_fails_at_once_with_the_place_and_how_to_wait(
    full: Gateway, hers: Person, tiny_image: str
) -> None:
    done = hers.try_docker("run", "--rm", "--gpus", "1", tiny_image, "true", seconds=20)

    assert done.code == 125
    assert done.out == ""
    assert "number 1 in the queue" in done.err
    assert "--label ds01.wait=15m" in done.err
    assert tickets(full) == []
    assert hers.docker("ps", "-aq") == ""


def test_a_run_that_waits_is_served_when_a_gpu_is_free(
    full: Gateway, hers: Person, greedy: Person, tiny_image: str
) -> None:
    waiting = hers.popen(
        *("run", "--rm", "--gpus", "1", "--label", "ds01.wait=2m"),
        *(tiny_image, "sh", "-c", "echo $DS01_GPU_SLOTS"),
    )
    eventually(lambda: [each.user for each in tickets(full)] == [ALICE], what="she waits")
    assert waiting.poll() is None

    greedy.docker("rm", "-f", "all")

    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (0, "")
    assert ":" in out
    assert tickets(full) == []


@pytest.mark.usefixtures("greedy")
def test_ctrl_c_gives_the_place_back(full: Gateway, hers: Person, tiny_image: str) -> None:
    wish = ("run", "--gpus", "1", "--label", "ds01.wait=5m", tiny_image, "true")
    with terminal(hers, *wish) as waiting:
        eventually(lambda: tickets(full), what="she waits")
        waiting.type("\x03")
        assert waiting.end() != 0

    eventually(lambda: not tickets(full), 5, what="her place is given back")
    assert hers.docker("ps", "-aq") == ""


@pytest.mark.usefixtures("greedy")
def test_waiting_in_vain_ends_with_the_place(hers: Person, tiny_image: str) -> None:
    done = hers.try_docker(
        "run", "--gpus", "1", "--label", "ds01.wait=1s", tiny_image, "true", seconds=20
    )

    assert done.code == 125
    assert "No GPU became free in 1s of waiting. You were number 1 of 1" in done.err
