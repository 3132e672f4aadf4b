"""docker-py, unmodified, in a process of the person's."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import DeviceRequest

from integration.gateway.gateway_process import engine_docker
from integration.gateway.people import Person
from integration.unix_people import ALICE

SOON = "sleep 0.5"
"""docker-py loses what comes together with the head of an answer, whoever answers."""

ECHO = "echo begin; while read line; do echo got $line; done; sleep 600"


@pytest.fixture(scope="module")
def name(alice: Person, tiny_image: str) -> Iterator[str]:
    """A container that says what it is told, with a GPU, a volume and a network of its own."""
    made = alice.named("dpy")

    def deed() -> None:
        client = client_of(alice)
        client.networks.create(made, driver="bridge", labels={"of": made})
        client.volumes.create(made, labels={"of": made})
        client.containers.run(
            tiny_image,
            ["sh", "-c", ECHO],
            name=made,
            detach=True,
            stdin_open=True,
            network=made,
            volumes={made: {"bind": "/data", "mode": "rw"}},
            environment={"A": "1"},
            labels={"of": made},
            ports={"80/tcp": None},
            mem_limit="64m",
            nano_cpus=500_000_000,
            hostname="box",
            working_dir="/data",
            healthcheck={"test": ["CMD", "true"], "interval": 10**9},
            device_requests=[DeviceRequest(count=1, capabilities=[["gpu"]])],
        )

    alice.run(deed)
    yield made
    engine_docker("rm", "-f", f"{made}._.{ALICE}", check=False)
    alice.try_docker("network", "rm", made)
    alice.try_docker("volume", "rm", made)


def client_of(person: Person) -> Any:
    """Untyped: its stubs know neither what a stream is read with nor that an answer is there."""
    return person.client()


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tree:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tree.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_a_container_is_what_was_asked_for(alice: Person, name: str) -> None:
    def deed() -> Any:
        client = client_of(alice)
        (found,) = client.containers.list(filters={"label": f"of={name}"})
        assert found == client.containers.get(name)
        assert [each.name for each in client.volumes.list(filters={"label": f"of={name}"})] == [
            name
        ]
        (network,) = client.networks.list(names=[name])
        network.reload()
        assert network.containers == [found]
        return found.name, found.status, found.ports, found.attrs

    told, status, ports, attrs = alice.run(deed)
    assert (told, status) == (name, "running")
    assert ports["80/tcp"][0]["HostIp"] == "127.0.0.1"
    assert attrs["HostConfig"]["Memory"] == 64 * 1024**2
    assert attrs["Config"]["Labels"]["ds01.gpu.slots"]


def test_output_and_exit_codes_of_runs(alice: Person, tiny_image: str) -> None:
    def deed() -> None:
        run = client_of(alice).containers.run
        assert run(tiny_image, ["echo", "hi"], remove=True) == b"hi\n"
        with pytest.raises(ContainerError) as caught:
            run(tiny_image, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
        assert caught.value.exit_status == 3
        assert "bad" in str(caught.value)

    alice.run(deed)


def test_commands_by_output_stream_and_socket(alice: Person, name: str) -> None:
    def deed() -> None:
        client = client_of(alice)
        box = client.containers.get(name)
        done = box.exec_run(["sh", "-c", f"{SOON}; echo $A; pwd; echo err >&2; exit 5"], demux=True)
        assert (done.exit_code, done.output) == (5, (b"1\n/data\n", b"err\n"))
        parts = box.exec_run(["sh", "-c", f"{SOON}; echo 1; sleep 0.1; echo 2"], stream=True).output
        assert b"".join(parts) == b"1\n2\n"
        made = client.api.exec_create(box.id, ["cat"], stdin=True)
        stream = client.api.exec_start(made, socket=True)
        stream._sock.sendall(b"hello\n")
        assert stream._sock.recv(14, 0x100) == b"\x01\0\0\0\0\0\0\x06hello\n"
        stream._sock.shutdown(1)
        assert stream._sock.recv(1) == b""
        stream.close()
        assert client.api.exec_inspect(made)["ExitCode"] == 0

    alice.run(deed)


def test_attaching_logs_and_figures(alice: Person, name: str) -> None:
    def deed() -> None:
        box = client_of(alice).containers.get(name)
        stream = box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        stream._sock.sendall(b"you\n")
        assert stream._sock.recv(16, 0x100) == b"\x01\0\0\0\0\0\0\x08got you\n"
        stream.close()
        assert box.logs(tail=1) == b"got you\n"
        following = box.logs(stream=True, follow=True)
        assert [next(following), next(following)] == [b"begin\n", b"got you\n"]
        following.close()
        assert box.stats(stream=False)["memory_stats"]["limit"] == 64 * 1024**2
        figures = box.stats(decode=True)
        assert next(figures)["name"] == f"/{name}"
        figures.close()

    alice.run(deed)


def test_archives_go_in_and_come_out(alice: Person, name: str) -> None:
    def deed() -> None:
        box = client_of(alice).containers.get(name)
        content = b"x" * 1_000_000
        assert box.put_archive("/data", archive("file", content))
        chunks, told = box.get_archive("/data/file")
        assert told["size"] == len(content)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tree:
            member = tree.extractfile("file")
            assert member is not None
            assert member.read() == content
        with pytest.raises(NotFound):
            box.get_archive("/missing")

    alice.run(deed)


def test_images_are_built_tagged_saved_and_removed(
    alice: Person, name: str, tiny_image: str
) -> None:
    def deed() -> None:
        client = client_of(alice)
        text = f"FROM {tiny_image}\nRUN echo {name} > /word\n".encode()
        image, log = client.images.build(fileobj=io.BytesIO(text), tag=name, rm=True)
        assert image.tags == [f"{name}:latest"]
        assert any("Successfully built" in str(line) for line in log)
        assert image.tag(f"{name}-b", "2")
        assert [each.id for each in client.images.list(name=f"{name}-b")] == [image.id]
        assert client.images.get(f"{name}-b:2").history()
        assert sum(len(chunk) for chunk in image.save(named=True)) > 1_000_000
        committed = client.containers.get(name).commit(f"{name}-c", tag="1")
        for each in (f"{name}:latest", f"{name}-b:2", str(committed.id)):
            client.images.remove(each)
        with pytest.raises(ImageNotFound):
            client.images.get(name)
        with pytest.raises(APIError, match="may not be fetched"):
            client.images.pull("alpine", tag="3")

    alice.run(deed)


def test_the_low_level_client_and_its_events(alice: Person, tiny_image: str) -> None:
    made = alice.named("low")

    def deed() -> list[str]:
        api = client_of(alice).api
        began = int(time.time())
        config = api.create_host_config(network_mode="none", tmpfs={"/scratch": ""})
        container = api.create_container(tiny_image, ["true"], name=made, host_config=config)
        api.start(container)
        assert api.wait(container)["StatusCode"] == 0
        assert [each["Names"] for each in api.containers(all=True, filters={"name": made})] == [
            [f"/{made}"]
        ]
        api.remove_container(container)
        with pytest.raises(NotFound):
            api.inspect_container(container)
        wanted = {"container": container["Id"]}
        told = api.events(since=began, until=int(time.time()) + 1, filters=wanted, decode=True)
        return [event["Action"] for event in told]

    assert alice.run(deed) == ["create", "start", "die", "destroy"]


def test_changes_of_a_running_container(alice: Person, name: str) -> None:
    def deed() -> None:
        client = client_of(alice)
        box = client.containers.get(name)
        box.pause()
        box.unpause()
        box.update(mem_limit="32m", memswap_limit="64m")
        box.rename(f"{name}-2")
        box.rename(name)
        network = client.networks.get(name)
        network.disconnect(box)
        network.connect(box, aliases=["two"])
        assert box.top()["Titles"]
        assert box.diff() is not None
        box.restart(timeout=0)
        box.stop(timeout=0)
        assert box.wait()["StatusCode"] == 137
        box.start()
        box.kill()
        box.remove(v=True)
        network.remove()
        client.volumes.get(name).remove()

    alice.run(deed)


def test_what_is_refused_is_told_in_the_exception(alice: Person, tiny_image: str) -> None:
    def deed() -> list[tuple[int, str]]:
        run = client_of(alice).containers.run
        told = []
        for wish in ({"privileged": True}, {"pid_mode": "host"}, {"cap_add": ["SYS_ADMIN"]}):
            with pytest.raises(APIError) as caught:
                run(tiny_image, "true", **wish)
            told.append((int(caught.value.status_code or 0), str(caught.value.explanation)))
        return told

    told = alice.run(deed)
    assert {code for code, _ in told} == {403}
    assert all("Leave it out" in text for _, text in told), json.dumps(told)
