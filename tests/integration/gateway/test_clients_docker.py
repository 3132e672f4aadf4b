"""Commands of the docker program that no other test of the gateway gives."""

import json
import socket
from collections.abc import Iterator

import pytest

from integration.gateway.gateway_process import eventually
from integration.gateway.people import Person

SERVE = "echo ready; exec nc -ll -p 8000 -e echo hello"


@pytest.fixture(scope="module")
def web(alice: Person, tiny_image: str) -> Iterator[str]:
    """A service with a port and a health check."""
    name = alice.named("cli")
    alice.docker(
        *("run", "-d", "--name", name, "-p", "8000", "--label", "kind=web", "--init"),
        *("--health-cmd", "true", "--health-interval", "1s", tiny_image, "sh", "-c", SERVE),
    )
    yield name
    alice.docker("rm", "-f", name)


def test_a_published_port_answers_on_the_servers_loopback(alice: Person, web: str) -> None:
    host, _, port = alice.docker("port", web, "8000/tcp").rpartition(":")
    assert host == "127.0.0.1"

    with socket.create_connection((host, int(port)), timeout=10) as connection:
        assert connection.makefile("rb").readline() == b"hello\n"


def test_a_context_leads_to_the_gateway(alice: Person, web: str) -> None:
    context = alice.named("lab")
    alice.docker("context", "create", context, "--docker", f"host={alice.host}")

    done = alice.shell(
        f"unset DOCKER_HOST; docker --context {context} ps --format '{{{{.Names}}}}'"
    )

    assert web in done.out.split(), done.err
    assert context in alice.docker("context", "ls", "--format", "{{.Name}}").split()
    alice.docker("context", "rm", context)


def test_lists_in_ones_own_format(alice: Person, web: str) -> None:
    columns = '{{.Names}}|{{.State}}|{{.Ports}}|{{.Networks}}|{{.Label "kind"}}|{{.Size}}'
    (line,) = alice.docker("ps", "-s", "-f", f"name={web}", "--format", columns).splitlines()
    names, state, ports, networks, kind, size = line.split("|")

    assert (names, state, kind) == (web, "running", "web")
    assert ports.startswith("127.0.0.1:")
    assert networks == f"ds01-{alice.name}"
    assert "virtual" in size
    eventually(
        lambda: alice.docker("inspect", "-f", "{{.State.Health.Status}}", web) == "healthy",
        what="its health check passes",
    )
    stats = alice.docker("stats", "--no-stream", "--format", "{{json .}}", web)
    assert json.loads(stats)["Name"] == web
    assert alice.docker("version", "--format", "{{.Server.APIVersion}}")
    assert alice.docker("info", "--format", "{{.Name}}")
    assert "Containers" in alice.docker("system", "df")
    assert web in alice.docker("system", "df", "-v")


def test_an_image_from_a_container_to_an_archive_and_away(alice: Person, web: str) -> None:
    one, two = f"{alice.named('made')}:1", f"{alice.named('made')}:2"
    alice.docker("commit", "-m", "message", "-a", "author", "-c", "ENV A=b", web, one)
    alice.docker("tag", one, two)

    assert "message" in alice.docker("history", one)
    assert alice.docker("run", "--rm", two, "sh", "-c", "echo $A") == "b"
    saved = alice.shell(f"docker save {one} {two} | tar -xO manifest.json")
    # The archive comes as the engine makes it, with its names.
    own = [f"ds01-{alice.name}/{each}" for each in (one, two)]
    assert sorted(json.loads(saved.out)[0]["RepoTags"]) == own, saved.err
    assert "Untagged" in alice.docker("rmi", one)
    alice.docker("rmi", two)
    assert "No such image" in alice.refused("image", "inspect", two)


def test_a_run_with_many_options_has_them(alice: Person, tiny_image: str) -> None:
    script = "hostname; echo $A; pwd; grep -c ' /scratch ' /proc/mounts; ulimit -n; cat /etc/hosts"
    options = (
        *("--init", "--hostname", "box", "--add-host", "other:192.0.2.7", "--tmpfs", "/scratch"),
        *("-w", "/tmp", "-e", "A=1", "--read-only", "--memory", "100m", "--cpus", "0.5"),
        *("--pids-limit", "50", "--ulimit", "nofile=100", "--shm-size", "8m", "--cidfile", "cid"),
        *("--stop-timeout", "3", "--log-opt", "max-size=1m", "--entrypoint", "sh"),
    )
    lines = alice.docker("run", "--rm", *options, tiny_image, "-c", script).splitlines()

    assert lines[:5] == ["box", "1", "/tmp", "1", "100"]
    assert "192.0.2.7\tother" in lines
    assert len(alice.shell("cat cid; rm cid").out) == 64


def test_a_dockerfile_outside_the_context(alice: Person, tiny_image: str) -> None:
    tag = alice.named("outside")
    text = f"FROM {tiny_image}\\nCOPY word /word\\n"
    done = alice.shell(
        f"mkdir {tag} {tag}/ctx; echo hi > {tag}/ctx/word; printf '{text}' > {tag}/Df; "
        f"docker build -q -t {tag} -f {tag}/Df {tag}/ctx; code=$?; rm -r {tag}; exit $code"
    )
    assert done.code == 0, done.err

    assert alice.docker("run", "--rm", tag, "cat", "/word") == "hi"
    alice.docker("rmi", tag)
