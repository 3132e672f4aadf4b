import json
import re
from collections.abc import Iterator

import pytest

from integration.gateway.gateway_process import Gateway
from integration.gateway.open_files import nothing_left_open
from integration.gateway.people import Person
from integration.gateway.terminal import terminal

COUNTING = "i=0; while :; do echo line $i; i=$((i + 1)); sleep 0.2; done"


@pytest.fixture(scope="module")
def counting(alice: Person, tiny_image: str) -> Iterator[str]:
    name = alice.named("logs-counting")
    alice.docker("run", "-d", "--name", name, tiny_image, "sh", "-c", COUNTING)
    yield name
    alice.docker("rm", "-f", name)


def test_following_ends_by_ctrl_c(gateway: Gateway, alice: Person, counting: str) -> None:
    with nothing_left_open(gateway), terminal(alice, "logs", "-f", counting) as logs:
        logs.wait_for("line 3")
        logs.type("\x03")
        assert logs.end() == 130


def test_a_follower_that_is_killed_leaves_nothing_open(
    gateway: Gateway, alice: Person, counting: str
) -> None:
    with nothing_left_open(gateway), terminal(alice, "logs", "-f", counting) as logs:
        logs.wait_for("line")
        logs.kill()


def test_following_ends_with_the_container(
    gateway: Gateway, alice: Person, tiny_image: str
) -> None:
    name = alice.named("logs-ending")
    alice.docker("run", "-d", "--name", name, tiny_image, "sh", "-c", "echo one; sleep 2; echo two")
    with nothing_left_open(gateway):
        assert alice.docker("logs", "-f", name) == "one\ntwo"
    alice.docker("rm", name)


def test_much_comes_whole_and_in_order(alice: Person, tiny_image: str) -> None:
    name = alice.named("logs-long")
    count = 30_000
    alice.docker("run", "--name", name, tiny_image, "seq", str(count))
    assert alice.docker("logs", name).split() == [str(number + 1) for number in range(count)]
    assert alice.docker("logs", "--tail", "2", name).split() == [str(count - 1), str(count)]
    stamped = alice.docker("logs", "-t", "-n", "1", name)
    assert re.fullmatch(rf"20\d\d-\d\d-\d\dT\S+Z {count}", stamped)
    assert alice.docker("logs", "--since", "2037-01-01T00:00:00Z", name) == ""
    alice.docker("rm", name)


def test_nobody_else_reads(bob: Person, counting: str) -> None:
    told = bob.refused("logs", counting)
    assert told == f"Error response from daemon: No such container: {counting}"


def test_figures_are_of_ones_own_containers_under_their_own_names(
    alice: Person, bob: Person, counting: str
) -> None:
    shown = alice.docker("stats", "--no-stream", "--format", "{{json .}}").splitlines()
    names = [json.loads(line)["Name"] for line in shown]
    assert counting in names
    assert not [name for name in names if "._." in name]
    assert counting not in bob.docker("stats", "--no-stream", "--format", "{{.Name}}")
    refused = bob.refused("stats", "--no-stream", counting)
    assert f"No such container: {counting}" in refused


def test_figures_that_go_on_end_with_their_client(
    gateway: Gateway, alice: Person, counting: str
) -> None:
    with nothing_left_open(gateway), terminal(alice, "stats", counting) as stats:
        stats.wait_for(counting)
        stats.wait_for(counting)
        stats.kill()
