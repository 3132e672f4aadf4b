"""Commands in containers with the real engine: by the socket, and by websocket through the hub."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest
from tornado.netutil import bind_sockets

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.client import Client, on_socket
from ds01_spawner.client.streams import STDERR, STDOUT, Session
from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest, NotFound
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.ask import Api
from ds01_spawner.gateway.api.hub_service import hub_application
from ds01_spawner.gateway.api.serving import served_by
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from ds01_spawner.gateway.wire.threads import Threads
from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person
from stubs.hub_users import hub_users, model

pytestmark = pytest.mark.timeout(120)

Run = Callable[[Callable[[Client], Any]], Any]
MB = 1024**2


@pytest.fixture(scope="module")
def service(gateway: Gateway, alice: Person, bob: Person) -> Iterator[str]:
    """Where the API is as the hub's service, in a thread of its own."""
    ready: Future[str] = Future()
    stop = threading.Event()

    async def serve(hub: str) -> None:
        link, threads = UnixEngineLink(DEFAULT_SOCKET), Threads(8)
        served = served_by(Api(gateway.platform, threads, link))
        environment = {"JUPYTERHUB_API_TOKEN": "x", "JUPYTERHUB_API_URL": hub}
        server = http_server(hub_application(served, environment, b"c" * 32))
        (listener,) = bind_sockets(0, "127.0.0.1")
        server.add_socket(listener)
        ready.set_result(f"http://127.0.0.1:{listener.getsockname()[1]}/services/ds01/api/")
        await asyncio.to_thread(stop.wait)
        server.stop()
        await server.close_all_connections()
        threads.close()
        link.close()

    with hub_users({"a": model(alice.name), "b": model(bob.name)}) as hub:
        thread = threading.Thread(target=lambda: asyncio.run(serve(hub)), daemon=True)
        thread.start()
        yield ready.result(timeout=30)
        stop.set()
        thread.join(30)


@pytest.fixture(scope="module")
def container(alice: Person, tiny_image: str) -> str:
    name = alice.named("exec")
    script = "trap exit TERM; while :; do sleep 0.2; done"
    alice.docker("run", "-d", "-e", "OWN=mine", "--name", name, tiny_image, "sh", "-c", script)
    return name


@pytest.fixture(params=["socket", "hub"])
def run(request: pytest.FixtureRequest, alice: Person) -> Run:
    """Does something as alice, with either client."""
    if request.param == "socket":

        def by_kernel(deed: Callable[[Client], object]) -> object:
            def within() -> object:
                with on_socket(alice.socket) as client:
                    return deed(client)

            return alice.run(within)

        return by_kernel
    address: str = request.getfixturevalue("service")

    def by_token(deed: Callable[[Client], object]) -> object:
        headers = {"Authorization": "token a"}
        with Client(httpx.Client(base_url=address, headers=headers, trust_env=False)) as client:
            return deed(client)

    return by_token


def _all(session: Session) -> tuple[bytes, bytes, int]:
    """Its output, its errors, and how it ended."""
    told = {STDOUT: bytearray(), STDERR: bytearray()}
    while (part := session.read()) is not None:
        told[part[0]] += part[1]
    return bytes(told[STDOUT]), bytes(told[STDERR]), session.exit_code()


def _script(name: str, script: str, **options: object) -> Callable[[Client], object]:
    def deed(client: Client) -> object:
        with client.exec(name, ["sh", "-c", script], **options) as session:  # type: ignore[arg-type]
            return _all(session)

    return deed


def test_streams_are_apart_and_the_exit_code_is_told(run: Run, container: str) -> None:
    script = "echo out; echo err >&2; echo $OWN $MORE; pwd; exit 7"
    deed = _script(container, script, environment={"MORE": "a b"}, workdir="/tmp")
    assert run(deed) == (b"out\nmine a b\n/tmp\n", b"err\n", 7)


def test_input_goes_in_and_its_end_is_an_end_of_file(run: Run, container: str) -> None:
    sent = os.urandom(MB)

    def deed(client: Client) -> object:
        with client.exec(container, ["sh", "-c", "cat; echo after"]) as session:

            def give() -> None:
                session.write(sent)
                session.end_input()

            giving = threading.Thread(target=give)
            giving.start()
            told = _all(session)
            giving.join(20)
            return told[0] == sent + b"after\n", told[1:]

    assert run(deed) == (True, (b"", 0))


def test_much_output_comes_whole_also_to_who_reads_late(run: Run, container: str) -> None:
    def deed(client: Client) -> object:
        # More than TCP's buffers hold: of a command that has ended and whose output nobody takes,
        # the engine waits, and tells of no other command's end in that container.
        script = f"head -c {32 * MB} /dev/zero; touch /tmp/written"
        with client.exec(container, ["sh", "-c", f"rm -f /tmp/written; {script}"]) as session:
            first = session.read()
            assert first is not None
            time.sleep(1.0)  # while nobody reads, the command is held back
            with client.exec(container, ["ls", "/tmp/written"]) as looking:
                held = _all(looking)[2] != 0
            out, err, code = _all(session)
            return held, len(first[1]) + len(out), err, code

    assert run(deed) == (True, 32 * MB, b"", 0)


def test_a_terminal_has_a_size_that_changes(run: Run, container: str) -> None:
    def deed(client: Client) -> object:
        script = "stty size; read line; stty size; read line; echo got $line"
        with client.exec(container, ["sh", "-c", script], tty=True, size=(33, 77)) as session:
            told = b""

            def until(words: bytes) -> None:
                nonlocal told
                while words not in told:
                    part = session.read()
                    assert part is not None, told
                    assert part[0] == STDOUT
                    told += part[1]

            until(b"\n")
            session.resize(50, 120)
            time.sleep(0.3)
            session.write(b"\n")
            until(b"50 120")
            session.write(b"you\n")
            out, _, code = _all(session)
            return b"got you" in told + out, code

    assert run(deed) == (True, 0)


def test_to_close_ends_the_input_and_not_the_command(
    run: Run, container: str, alice: Person
) -> None:
    mark = f"/tmp/lives-{time.monotonic_ns()}"

    def deed(client: Client) -> object:
        with client.exec(container, ["sh", "-c", f"echo begun; sleep 1; touch {mark}"]) as session:
            return session.read()

    assert run(deed) == (STDOUT, b"begun\n")
    eventually(lambda: alice.try_docker("exec", container, "ls", mark).code == 0)


def test_a_program_that_is_missing_says_so(run: Run, container: str) -> None:
    def deed(client: Client) -> object:
        try:
            with client.exec(container, ["/no/such/program"]) as session:
                out, err, code = _all(session)
                return "no/such/program" in (out + err).decode(), code
        except InvalidRequest as exc:
            return "no/such/program" in str(exc), 127

    found, code = run(deed)
    assert found
    assert code in {126, 127}


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_what_is_not_there_not_running_or_anothers_is_refused(
    run: Run, user: str, alice: Person, bob: Person, tiny_image: str
) -> None:
    person = {"alice": alice, "bob": bob}[user]
    name = person.named("stopped")
    person.try_docker("rm", "-f", name)
    person.docker("create", "--name", name, tiny_image, "true")

    def deed(client: Client) -> object:
        try:
            with client.exec(name, ["true"]) as session:
                return _all(session)
        except DS01Error as exc:
            return type(exc), str(exc)

    kind, words = run(deed)
    assert kind is (Conflict if user == "alice" else NotFound), words
    person.docker("rm", "-f", name)


def test_an_administrator_runs_commands_in_anybodys_container(
    gateway: Gateway, alice: Person, container: str
) -> None:
    with (
        on_socket(gateway.socket) as root,
        root.exec(container, ["id", "-u"], user=alice.name) as session,
    ):
        assert _all(session) == (f"{alice.account.uid}\n".encode(), b"", 0)


def test_the_log_has_the_program_and_the_door(
    gateway: Gateway, service: str, container: str, alice: Person
) -> None:
    headers = {"Authorization": "token a"}
    with Client(httpx.Client(base_url=service, headers=headers, trust_env=False)) as client:
        assert _script(container, "true secret")(client) == (b"", b"", 0)
    path = gateway.state / "events.jsonl"
    assert "secret" not in path.read_text()
    event = [
        each
        for each in gateway.events("container.exec", alice.name)
        if each["interface"] == "api" and each["resource"].startswith(container)
    ][-1]
    assert event["details"]["command"] == "sh"


def test_without_a_token_or_for_a_page_of_a_browser_there_is_no_command(
    service: str, container: str
) -> None:
    for headers in ({}, {"Cookie": "x=y"}):
        with (
            Client(httpx.Client(base_url=service, headers=headers, trust_env=False)) as client,
            pytest.raises(DS01Error, match=r"logged in|token"),
        ):
            client.exec(container, ["true"])


def test_a_command_takes_about_as_long_as_docker_exec(alice: Person, container: str) -> None:
    def many() -> list[float]:
        took = []
        with on_socket(alice.socket) as client:
            for _ in range(10):
                began = time.monotonic()
                _script(container, "true")(client)
                took.append(time.monotonic() - began)
        return sorted(took)

    mine = alice.run(many)
    began = time.monotonic()
    for _ in range(5):
        alice.docker("exec", container, "true")
    docker = (time.monotonic() - began) / 5
    assert mine[5] < 3 * docker + 0.5
    assert engine_docker("ps", "-q", "--filter", f"name={container}")
