import http.client
import json
import socket
from typing import Any

import pytest

from ds01_spawner.gateway.docker.system.machine_info import older_version
from ds01_spawner.gateway.docker.system.system import NEWEST
from integration.gateway.gateway_process import engine_docker
from integration.gateway.people import Person


class SocketConnection(http.client.HTTPConnection):
    """HTTP to a gateway's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("gateway", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


def asked(
    person: Person, method: str, path: str, body: Any = None
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, asked as that person."""

    def ask() -> tuple[int, dict[str, str], str]:
        connection = SocketConnection(str(person.socket))
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()

    return person.run(ask)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_says_classic_builds_and_no_swarm(alice: Person, method: str) -> None:
    status, headers, content = asked(alice, method, "/_ping")
    assert status == 200
    assert content == ("OK" if method == "GET" else "")
    assert headers["Builder-Version"] == "1"
    engine = engine_docker("version", "-f", "{{.Server.APIVersion}}")
    assert headers["Api-Version"] == older_version(engine, NEWEST)
    assert headers["Ostype"] == "linux"
    assert "Swarm" not in headers


def test_clients_agree_on_a_version(alice: Person) -> None:
    shown = json.loads(alice.docker("version", "--format", "{{json .}}"))
    assert shown["Server"]["Version"] == engine_docker("version", "-f", "{{.Server.Version}}")
    assert shown["Server"]["MinAPIVersion"] == "1.24"


def test_info_has_the_machines_figures_and_ones_own_counts(
    alice: Person, bob: Person, tiny_image: str
) -> None:
    def info(person: Person) -> dict[str, Any]:
        return dict(json.loads(person.docker("info", "--format", "{{json .}}")))

    before, others = info(alice), info(bob)
    name = alice.named("system-info")
    alice.docker("run", "-d", "--name", name, tiny_image, "sleep", "60")
    after = info(alice)
    alice.docker("rm", "-f", name)
    engine = json.loads(engine_docker("info", "--format", "{{json .}}"))
    for key in ("ID", "NCPU", "MemTotal", "Driver", "ServerVersion", "OSType", "CgroupDriver"):
        assert after[key] == engine[key]
    assert after["ContainersRunning"] == before["ContainersRunning"] + 1
    assert info(bob)["Containers"] == others["Containers"]
    assert after["Swarm"]["LocalNodeState"] == "inactive"
    assert after["RegistryConfig"] is None


@pytest.mark.parametrize("path", ["/info", "/v1.24/info", "/v1.41/info", "/_ping", "/version"])
def test_tells_no_name_of_others(alice: Person, bob: Person, path: str, tiny_image: str) -> None:
    name = bob.named("system-secret")
    bob.docker("create", "--name", name, tiny_image, "true")
    _, _, content = asked(alice, "GET", path)
    bob.docker("rm", name)
    assert name not in content
    assert bob.name not in content


def test_disk_use_is_of_ones_own(alice: Person, bob: Person, tiny_image: str) -> None:
    name, volume = alice.named("system-df"), alice.named("df-data")
    script = "head -c 300000 /dev/zero > /tmp/big"
    alice.docker("run", "--name", name, "-v", f"{volume}:/data", tiny_image, "sh", "-c", script)
    try:
        shown = json.loads(asked(alice, "GET", "/system/df")[2])
        [mine] = [each for each in shown["Containers"] if each["Names"] == [f"/{name}"]]
        assert mine["SizeRw"] >= 300_000
        [data] = [each for each in shown["Volumes"] if each["Name"] == volume]
        assert data["UsageData"]["RefCount"] == 1
        assert "Containers" in alice.docker("system", "df", "-v")
        others = asked(bob, "GET", "/system/df")[2]
        assert name not in others
        assert volume not in others
    finally:
        alice.docker("rm", name)
        alice.docker("volume", "rm", volume)


def test_login_elsewhere_is_refused_and_its_password_kept_nowhere(alice: Person) -> None:
    secret = "hunter2-of-the-test"
    told = alice.refused(
        "login", "--username", "alice", "--password-stdin", "registry.example", stdin=secret
    )
    assert "pull_allowed" in told
    assert secret not in told


CLOSED = {
    "search": ("search", "python"),
    "plugins": ("plugin", "ls"),
    "nodes": ("node", "ls"),
    "services": ("service", "ls"),
    "secrets": ("secret", "ls"),
    "configs": ("config", "ls"),
}


@pytest.mark.parametrize("command", CLOSED.values(), ids=CLOSED)
def test_what_is_closed_says_why_and_what_instead(alice: Person, command: tuple[str, ...]) -> None:
    told = alice.refused(*command)
    assert told.startswith("Error response from daemon: ")
    assert told.count(".") >= 2


@pytest.mark.parametrize("path", ["/session", "/grpc"])
def test_buildkit_is_refused_with_the_way_to_the_classic_builder(alice: Person, path: str) -> None:
    status, _, content = asked(alice, "POST", path)
    assert status == 403
    assert "DOCKER_BUILDKIT=0" in content


def test_a_loaded_archive_is_refused(alice: Person) -> None:
    assert "ask an administrator to load it" in alice.refused("load", stdin="no archive")
