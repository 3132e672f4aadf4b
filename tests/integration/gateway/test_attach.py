import secrets
from collections.abc import Iterator

import pytest

from integration.gateway.gateway_process import Gateway, eventually
from integration.gateway.open_files import nothing_left_open
from integration.gateway.people import Person
from integration.gateway.terminal import COLUMNS, ROWS, terminal


@pytest.fixture
def echo(alice: Person, tiny_image: str) -> Iterator[str]:
    """A container at a terminal that says back what it is told."""
    name = alice.named(f"attach-{secrets.token_hex(2)}")
    alice.docker("run", "-dit", "--name", name, tiny_image, "cat")
    yield name
    alice.docker("rm", "-f", name)


def test_run_at_a_terminal(gateway: Gateway, alice: Person, tiny_image: str) -> None:
    with (
        nothing_left_open(gateway),
        terminal(alice, "run", "--rm", "-it", tiny_image, "sh") as shell,
    ):
        shell.wait_for("$")
        # The client tells the size once the shell runs, a moment after its prompt.
        shell.type(
            "until stty size 2>&1 | grep '^[0-9]'; do sleep 0.1; done; echo done-$((40 + 2))\n"
        )
        assert f"{ROWS} {COLUMNS}" in shell.wait_for("done-42\r\n")
        shell.type("exit 3\n")
        assert shell.end() == 3


def test_run_passes_on_the_end_of_input(gateway: Gateway, alice: Person, tiny_image: str) -> None:
    content = secrets.token_hex(256 * 1024)
    with nothing_left_open(gateway):
        assert alice.docker("run", "--rm", "-i", tiny_image, "cat", stdin=content) == content


def test_output_and_errors_come_apart(alice: Person, tiny_image: str) -> None:
    done = alice.try_docker("run", "--rm", tiny_image, "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (done.code, done.out, done.err) == (9, "out\n", "err\n")


def test_detach_keys_leave_the_container_running(
    gateway: Gateway, alice: Person, echo: str
) -> None:
    with (
        nothing_left_open(gateway),
        terminal(alice, "attach", "--detach-keys", "ctrl-x,q", echo) as attached,
    ):
        attached.type("hello\n")
        attached.wait_for("hello\r\nhello\r\n")
        attached.type("\x18q")
        attached.end()
    assert alice.inspect(echo)["State"]["Running"]


def test_two_at_one_container_see_the_same(alice: Person, echo: str) -> None:
    with terminal(alice, "attach", echo) as one, terminal(alice, "attach", echo) as other:
        for each in (other, one):
            each.type("here\n")
            each.wait_for("here\r\nhere\r\n")
        one.type("first\n")
        other.wait_for("first")
        other.type("second\n")
        one.wait_for("second")


def test_ctrl_c_ends_what_runs_in_the_foreground(
    gateway: Gateway, alice: Person, tiny_image: str
) -> None:
    script = "trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    with (
        nothing_left_open(gateway),
        terminal(alice, "run", "--rm", "-it", tiny_image, "sh", "-c", script) as shell,
    ):
        shell.wait_for("ready")
        shell.type("\x03")
        shell.wait_for("bye")
        assert shell.end() == 5


def test_a_client_that_is_killed_leaves_the_container_and_nothing_open(
    gateway: Gateway, alice: Person, echo: str
) -> None:
    with nothing_left_open(gateway), terminal(alice, "attach", echo) as attached:
        attached.type("hello\n")
        attached.wait_for("hello")
        attached.kill()
    assert alice.inspect(echo)["State"]["Running"]


def test_a_container_that_is_removed_ends_its_streams(
    gateway: Gateway, alice: Person, tiny_image: str
) -> None:
    name = alice.named("attach-removed")
    with nothing_left_open(gateway):
        running = alice.popen("run", "--name", name, tiny_image, "sh", "-c", "echo up; sleep 600")
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        alice.docker("rm", "-f", name)
        running.communicate(timeout=30)
        assert running.returncode == 137


def test_nobody_else_attaches(alice: Person, bob: Person, echo: str) -> None:
    full_id = alice.inspect(echo)["Id"]
    for ref in (echo, full_id, f"{echo}._.{alice.name}"):
        assert bob.refused("attach", ref) == f"Error response from daemon: No such container: {ref}"


def test_many_idle_streams_hold_nobody_up(
    gateway: Gateway, alice: Person, bob: Person, echo: str
) -> None:
    with nothing_left_open(gateway):
        idle = [alice.popen("attach", "--no-stdin", echo) for _ in range(20)]
        try:
            eventually(lambda: "cat" in alice.docker("top", echo))
            assert bob.docker("ps", "-q") == ""
            with terminal(alice, "attach", echo) as attached:
                attached.type("all\n")
                attached.wait_for("all")
        finally:
            for each in idle:
                each.kill()
                each.communicate()
