"""`ds01 container exec` and `attach`: pipes, exit codes, and a real terminal."""

from collections.abc import Iterator

import pytest

from integration.cli.typing_people import Typist
from integration.gateway.gateway_process import eventually


@pytest.fixture(scope="module")
def box(alice: Typist) -> Iterator[str]:
    """A container of alice's that runs."""
    name = alice.named("box")
    alice.types("container", "deploy", name, "--cpu-only")
    yield name
    alice.tries("container", "retire", name)


def test_output_and_errors_stay_apart_and_the_exit_code_is_the_commands(
    alice: Typist, box: str
) -> None:
    done = alice.tries("container", "exec", box, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    assert alice.tries("container", "exec", box, "true").code == 0


def test_what_is_piped_in_comes_out_whole_and_its_end_is_told(alice: Typist, box: str) -> None:
    data = bytes(range(32, 127)) * 60_000
    assert alice.types("container", "exec", "-i", box, "--", "wc", "-c", stdin=data).strip() == str(
        len(data)
    )
    assert alice.types("container", "exec", "-i", box, "cat", stdin=data) == data.decode()


def test_without_i_nothing_is_read(alice: Typist, box: str) -> None:
    assert alice.types("container", "exec", box, "--", "wc", "-c", stdin=b"abc").strip() == "0"


def test_variables_folder_and_words_arrive_as_they_are(alice: Typist, box: str) -> None:
    words = ("exec", "-w", "/tmp", "-e", "WORD=a b", box, "--")
    script = 'pwd; echo "$WORD"; echo "$1"'
    said = alice.types("container", *words, "sh", "-c", script, "x", "ü $HOME *")
    assert said == "/tmp\na b\nü $HOME *\n"


def test_a_shell_without_a_terminal_runs_what_is_piped_in(alice: Typist, box: str) -> None:
    done = alice.tries("container", "attach", box, stdin=b"echo inside; exit 3\n")
    assert (done.code, done.out) == (3, "inside\n")


def test_a_reader_that_goes_ends_it(alice: Typist, box: str) -> None:
    writing = alice.begins("container", "exec", box, "--", "yes")
    assert writing.stdout is not None
    assert writing.stdout.readline() == "y\n"
    writing.stdout.close()
    assert writing.wait(timeout=20) == 141
    assert writing.stderr is not None
    assert "Traceback" not in writing.stderr.read()
    alice.tries("container", "exec", box, "--", "pkill", "yes")


def test_a_terminal_has_its_size_and_keys_go_inside(alice: Typist, box: str) -> None:
    with alice.terminal("container", "attach", box) as shell:
        shell.wait_for("$")
        shell.type("stty size; echo TERM is $TERM\r")
        shell.wait_for("41 101")
        shell.wait_for("TERM is xterm")
        shell.resize(30, 90)
        shell.type("\r")
        shell.type('while ! stty size | grep 90; do sleep 0.1; done; echo re"sized"\r')
        shell.wait_for("resized")
        shell.type("sh -c 'echo be\"gun\"; exec sleep 100'\r")
        shell.wait_for("begun")
        shell.type("\x03")
        shell.type('echo after-"ctrl-c"\r')
        shell.wait_for("after-ctrl-c")
        shell.type("exit 5\r")
        assert shell.end() == 5


def test_the_terminal_is_as_before_whatever_happens(alice: Typist, box: str) -> None:
    with alice.terminal("container", "attach", box) as shell:
        shell.wait_for("$")
        assert shell.is_raw
        shell.type("sh -c 'echo be\"gun\"; exec sleep 4321'\r")
        shell.wait_for("begun")
        shell.terminate()
        assert shell.end() == 143
        assert not shell.is_raw
    left = "ps -o args | grep -v grep | grep -c 'sleep 4321'"
    eventually(
        lambda: alice.tries("container", "exec", box, "--", "sh", "-c", left).out == "0\n",
        what="what ran in the window ends with it",
    )


def test_a_terminal_that_is_none_is_wrong_usage(alice: Typist, box: str) -> None:
    done = alice.tries("container", "exec", "-t", box, "--", "true")
    assert (done.code, "no terminal" in done.err) == (2, True)


def test_deploy_asks_what_it_needs_on_a_terminal_and_opens_a_shell(alice: Typist) -> None:
    name = alice.named("asked")
    with alice.terminal("container", "deploy", "--open") as shown:
        shown.wait_for("Name of the container: ")
        shown.type("Thèse\r")
        shown.wait_for("cannot name a container")
        shown.type(f"{name}\r")
        shown.wait_for("GPU (you have ")
        shown.wait_for("2 of 2 free")
        shown.wait_for("Number or name")
        shown.type("none\r")
        shown.wait_for("Folder with your work")
        shown.type("\r")
        shown.wait_for("How to get in:")
        shown.wait_for("$")
        shown.type("exit\r")
        assert shown.end() == 0
    assert "is retired" in alice.types("container", "retire", name)
