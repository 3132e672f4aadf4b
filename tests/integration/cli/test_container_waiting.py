"""`ds01 container deploy` where others have the GPUs, and where somebody presses Ctrl-C."""

import signal
import threading
from collections.abc import Iterator

import pytest

from integration.cli.leftovers import first_line, nothing_of
from integration.cli.typing_people import SECONDS, Typist
from integration.gateway.gateway_process import Gateway, eventually

SIZE = "2g.10gb"
"""There are two of them."""


@pytest.fixture
def one_left(alice: Typist) -> Iterator[str]:
    """Of the two slots, alice has one; her container."""
    name = alice.named("has-one")
    alice.types("container", "deploy", name, "--gpu", SIZE)
    yield name
    alice.tries("container", "retire", name)


@pytest.fixture
def none_left(alice: Typist, one_left: str) -> Iterator[str]:
    """Alice has both; the container with the second."""
    del one_left
    name = alice.named("has-two")
    alice.types("container", "deploy", name, "--gpu", SIZE)
    yield name
    alice.tries("container", "retire", name)


def test_who_waits_is_told_their_place_and_gets_what_is_given_back(
    alice: Typist, bob: Typist, none_left: str
) -> None:
    name = bob.named("waits")
    waiting = bob.begins("container", "deploy", name, "--gpu", SIZE)
    line = first_line(waiting, "Waiting for")
    assert f"Waiting for a slot of {SIZE}: you are the next." in line
    alice.types("container", "retire", none_left)
    out, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 0, err
    assert f"{name} runs, with GPU slot" in out
    bob.types("container", "retire", name)


@pytest.mark.usefixtures("none_left")
def test_without_waiting_it_is_no_capacity(bob: Typist) -> None:
    done = bob.tries("container", "deploy", bob.named("never"), "--gpu", SIZE, "--wait", "0")
    assert done.code == 4, done.err
    assert "--wait" in done.err


def test_ctrl_c_while_waiting_leaves_the_queue(
    gateway: Gateway, bob: Typist, none_left: str
) -> None:
    del none_left
    name = bob.named("gives-up")
    waiting = bob.begins("container", "deploy", name, "--gpu", SIZE)
    first_line(waiting, "Waiting for")
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 130
    assert "You left the queue. Nothing was made." in err
    eventually(lambda: nothing_of(gateway, name, bob), what="the place is given up")


@pytest.mark.parametrize("sooner", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_ctrl_c_while_it_is_made_leaves_nothing(
    gateway: Gateway, bob: Typist, sooner: float
) -> None:
    name = bob.named("stopped")
    making = bob.begins("container", "deploy", name, "--gpu", "1g.5gb")
    first_line(making, "Making the container")
    threading.Event().wait(sooner)
    making.send_signal(signal.SIGINT)
    out, err = making.communicate(timeout=SECONDS)
    if making.returncode == 0:
        assert "runs" in out  # it was there first
        bob.types("container", "retire", name)
        return
    assert making.returncode == 130
    if "runs" in out:  # it was there, and was said to be
        bob.types("container", "retire", name)
        return
    assert "nothing of it stays" in err, err
    eventually(lambda: nothing_of(gateway, name, bob), what="nothing of it stays")


@pytest.mark.usefixtures("one_left")
def test_of_two_who_want_the_last_slot_one_gets_it_and_the_other_waits(
    alice: Typist, bob: Typist
) -> None:
    people = {alice.named("race-a"): alice, bob.named("race-b"): bob}
    racing = {
        name: who.begins("container", "deploy", name, "--gpu", SIZE) for name, who in people.items()
    }
    first = eventually(
        lambda: next((name for name, each in racing.items() if each.poll() is not None), ""),
        SECONDS,
        what="one of them gets it",
    )
    (second,) = set(people) - {first}
    assert racing[first].returncode == 0
    assert racing[second].poll() is None
    first_line(racing[second], "Waiting for")
    people[first].types("container", "retire", first)
    _, err = racing[second].communicate(timeout=SECONDS)
    assert racing[second].returncode == 0, err
    people[second].types("container", "retire", second)
    racing[first].communicate()
