import hashlib
import http.client
import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from integration.gateway.gateway_process import Gateway, eventually
from integration.gateway.open_files import nothing_left_open
from integration.gateway.people import Person
from integration.gateway.raw_http import ask
from integration.gateway.terminal import COLUMNS, ROWS, terminal


class EngineConnection(http.client.HTTPConnection):
    """Past the gateway, as an administrator would."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(DEFAULT_SOCKET)


def prepared_by_root(container_id: str, **wishes: Any) -> str:
    connection = EngineConnection("engine")
    body = json.dumps({"Cmd": ["id"], "AttachStdout": True, **wishes})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/containers/{container_id}/exec", body, headers)
    made = json.loads(connection.getresponse().read())
    connection.close()
    return str(made["Id"])


@pytest.fixture(scope="module")
def box(alice: Person, tiny_image: str) -> Iterator[str]:
    name = alice.named("exec-box")
    alice.docker("run", "-d", "--name", name, tiny_image, "sleep", "600")
    yield name
    alice.docker("rm", "-f", name)


def test_a_shell_at_a_terminal_has_its_size_and_its_exit_code(
    gateway: Gateway, alice: Person, box: str
) -> None:
    with nothing_left_open(gateway), terminal(alice, "exec", "-it", box, "sh") as shell:
        shell.wait_for("$")
        shell.type(
            "until stty size 2>&1 | grep '^[0-9]'; do sleep 0.1; done; echo done-$((40 + 2))\n"
        )
        assert f"{ROWS} {COLUMNS}" in shell.wait_for("done-42\r\n")
        shell.type("exit 7\n")
        assert shell.end() == 7


def test_the_end_of_input_reaches_the_command_and_its_output_comes_whole(
    alice: Person, box: str
) -> None:
    content = secrets.token_hex(512 * 1024)
    done = alice.try_docker("exec", "-i", box, "sh", "-c", "cat; echo after >&2", stdin=content)
    assert (done.code, done.err) == (0, "after\n")
    assert hashlib.sha256(done.out.encode()).digest() == hashlib.sha256(content.encode()).digest()


def test_a_detached_command_runs_on_without_a_stream(alice: Person, box: str) -> None:
    assert alice.docker("exec", "-d", box, "sh", "-c", "touch /tmp/was-here; sleep 60") == ""
    eventually(lambda: alice.try_docker("exec", box, "test", "-e", "/tmp/was-here").code == 0)


@pytest.mark.parametrize(
    ("command", "code"), [(["false"], 1), (["sh", "-c", "exit 42"], 42), (["no-such-program"], 127)]
)
def test_exit_codes_are_the_commands(
    alice: Person, box: str, command: list[str], code: int
) -> None:
    assert alice.try_docker("exec", box, *command).code in {code, 126 if code == 127 else code}


def test_runs_as_the_person_whatever_is_asked(alice: Person, box: str) -> None:
    assert alice.docker("exec", box, "id", "-u") == str(alice.account.uid)
    assert alice.docker("exec", "-u", str(alice.account.uid), box, "id", "-u") == str(
        alice.account.uid
    )
    for user in ("root", "0", "0:0", f"{alice.account.uid}:0", "nobody"):
        told = alice.refused("exec", "-u", user, box, "id")
        assert "containers run as you" in told or "is not one of your groups" in told
    assert "--privileged" in alice.refused("exec", "--privileged", box, "id")


def test_the_log_has_the_program_and_no_secret(gateway: Gateway, alice: Person, box: str) -> None:
    secret = secrets.token_hex(8)
    alice.docker("exec", "-e", f"TOKEN={secret}", box, "sh", "-c", f": {secret}")
    event = gateway.events("container.exec", alice.name)[-1]
    assert event["details"]["command"] == "sh"
    assert secret not in (gateway.state / "events.jsonl").read_text()
    assert secret not in gateway.log


def test_nobody_else_reaches_a_command(
    gateway: Gateway, alice: Person, bob: Person, box: str
) -> None:
    full_id = alice.inspect(box)["Id"]
    for ref in (box, full_id, full_id[:12], f"{box}._.{alice.name}"):
        assert (
            bob.refused("exec", ref, "id")
            == f"Error response from daemon: No such container: {ref}"
        )
    exec_id = alice.run(lambda: str(alice.client().api.exec_create(box, ["id"])["Id"]))

    def attempts() -> list[str]:
        api = bob.client().api
        told = []
        for attempt in (
            lambda: api.exec_start(exec_id),
            lambda: api.exec_inspect(exec_id),
            lambda: api.exec_resize(exec_id, 10, 10),
        ):
            with pytest.raises(NotFound) as caught:
                attempt()
            told.append(str(caught.value.explanation))
        return told

    assert set(bob.run(attempts)) == {f"No such exec instance: {exec_id}"}
    # Not by docker-py: it loses what comes together with the head of the answer.
    told = alice.run(lambda: ask(alice.socket, "POST", f"/exec/{exec_id}/start", {"Tty": False}))
    assert (told.status, f"uid={alice.account.uid}" in told.body) == (200, True), told
    assert "Traceback" not in gateway.log


@pytest.mark.parametrize(
    "wishes", [{"User": "0"}, {"Privileged": True}], ids=["root", "privileged"]
)
def test_what_an_administrator_prepared_is_not_the_owners_to_start(
    alice: Person, box: str, wishes: dict[str, Any]
) -> None:
    exec_id = prepared_by_root(alice.inspect(box)["Id"], **wishes)

    def attempt() -> int:
        with pytest.raises(APIError) as caught:
            alice.client().api.exec_start(exec_id)
        return int(caught.value.status_code or 0)

    assert alice.run(attempt) == 403


def test_a_stopped_container_says_so_in_its_owners_words(alice: Person, tiny_image: str) -> None:
    name = alice.named("exec-stopped")
    alice.docker("create", "--name", name, tiny_image, "true")
    told = alice.refused("exec", name, "id")
    assert "is not running" in told
    assert alice.name not in told
    alice.docker("rm", name)


def test_a_client_that_is_killed_leaves_nothing_open(
    gateway: Gateway, alice: Person, box: str
) -> None:
    with nothing_left_open(gateway), terminal(alice, "exec", "-it", box, "sh") as shell:
        shell.wait_for("$")
        shell.kill()


def test_many_at_once_each_get_their_own_answer(gateway: Gateway, alice: Person, box: str) -> None:
    with nothing_left_open(gateway):
        running = [
            (number, alice.popen("exec", "-i", box, "sh", "-c", f"cat; echo {number}"))
            for number in range(12)
        ]
        for number, process in running:
            out, err = process.communicate(f"in-{number}\n", timeout=60)
            assert (out, err, process.returncode) == (f"in-{number}\n{number}\n", "", 0)


def test_a_command_that_says_much_to_a_client_that_reads_slowly_holds_nobody_up(
    gateway: Gateway, alice: Person, box: str
) -> None:
    with nothing_left_open(gateway):
        slow = alice.popen("exec", box, "yes")
        try:
            assert slow.stdout is not None
            assert slow.stdout.read(2) == "y\n"
            for _ in range(5):
                assert alice.docker("exec", box, "echo", "quick") == "quick"
            assert resident_mib(gateway.pid) < 400
        finally:
            slow.kill()
            slow.communicate()


def resident_mib(pid: int) -> int:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True)
    return int(shown.stdout) // 1024
