import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ds01_spawner.domain.occupancy import SlotState
from integration.gateway.image_lab import ImageLab, engine_docker, eventually, image_lab

BASE = "ds01test/busybox:latest"


@pytest.fixture
async def lab(tmp_path: Path, tiny_image: str) -> AsyncIterator[ImageLab]:
    async with image_lab(tmp_path, tiny_image) as running:
        yield running


async def test_an_image_is_built_in_ones_own_namespace(lab: ImageLab) -> None:
    done = await lab.alice.build(f"FROM {BASE}\nCOPY a /a\nRUN cat /a", "-t", "web:1", a="hello")

    assert done.code == 0, done.err
    assert "hello" in done.out
    assert f"FROM {BASE}" in done.out
    assert "Successfully tagged web:1" in done.out
    found = await lab.alice.inspect("web:1")
    assert found["RepoTags"] == ["web:1"]
    assert found["Config"]["Labels"] == {"ds01.image.owner": lab.alice.user}
    assert engine_docker("image", "inspect", "-f", "{{.Id}}", f"ds01-{lab.alice.user}/web:1")
    event = await lab.event("image.build")
    assert (event["user"], event["resource"], event["outcome"]) == (lab.alice.user, "web:1", "ok")
    assert event["details"]["seconds"] > 0
    assert event["details"]["id"] == found["Id"]


async def test_steps_run_within_the_persons_bounds(lab: ImageLab) -> None:
    done = await lab.alice.build(
        f"FROM {BASE}\n"
        "RUN cat /proc/self/cgroup; ulimit -n; grep CapEff /proc/self/status; id -u\n"
        "RUN cat /proc/net/dev; df -k /dev/shm | tail -1; mount | grep -c ' /home'; true\n",
        *("--memory", "32m", "--ulimit", "nofile=99:99"),
    )
    assert done.code == 0, done.err
    assert f":{lab.platform.cgroups.parent('student', lab.alice.user)}/" in done.out
    assert "\n99\n" in done.out
    assert "CapEff:\t00000000a80425fb" in done.out
    assert "docker0" not in done.out
    assert " 16384 " in done.out


async def test_a_step_cannot_take_more_memory_than_the_person_has(lab: ImageLab) -> None:
    done = await lab.alice.build(f"FROM {BASE}\nRUN head -c 200000000 /dev/zero | tail > /x")
    assert done.code != 0
    assert "non-zero code: 137" in done.err
    assert (await lab.event("image.build"))["outcome"] == "failed"


async def test_more_than_ones_limits_is_refused_with_the_figure(lab: ImageLab) -> None:
    done = await lab.alice.build(f"FROM {BASE}", "--memory", "1g")
    assert done.code != 0
    assert "You asked for 1 GiB of memory; your limit is 64 MiB" in done.err
    assert (await lab.event("image.build"))["outcome"] == "refused"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--network", "host"], "not for builds"),
        (["--network", "container:x"], "not for builds"),
        (["--security-opt", "apparmor=unconfined"], "--security-opt"),
        (["--ulimit", "rtprio=99:99"], "is not possible here"),
        (["-t", "ds01-bob/x"], "somebody else's"),
        (["-t", "127.0.0.1:5000/x"], "registry with a port"),
    ],
)
async def test_what_leads_out_of_the_bounds_is_refused(
    lab: ImageLab, arguments: list[str], says: str
) -> None:
    done = await lab.alice.build(f"FROM {BASE}\nRUN true", *arguments)
    assert done.code != 0
    assert says in done.err


async def test_a_cgroup_of_ones_choice_is_dropped(lab: ImageLab) -> None:
    done = await lab.alice.build(
        f"FROM {BASE}\nRUN cat /proc/self/cgroup", "--cgroup-parent", "/elsewhere"
    )
    assert done.code == 0, done.err
    assert "elsewhere" not in done.out
    assert f":{lab.platform.cgroups.parent('student', lab.alice.user)}/" in done.out


async def test_nobody_builds_on_what_is_somebody_elses(lab: ImageLab) -> None:
    done = await lab.bob.build(f"FROM {BASE}\nCOPY s /s", "-t", "secret", s="secret")
    assert done.code == 0, done.err
    image_id = (await lab.bob.inspect("secret"))["Id"]
    for word in (f"ds01-{lab.bob.user}/secret", image_id, image_id[7:19], "ds01/plain"):
        for text in (f"FROM {word}", f"FROM {BASE}\nCOPY --from={word} /s /s"):
            refused = await lab.alice.build(text)
            assert refused.code != 0
            assert "No such image" in refused.err or "somebody else" in refused.err
    own = await lab.bob.build("FROM secret AS x\nFROM scratch\nCOPY --from=x /s /s")
    assert own.code == 0, own.err


async def test_nobodys_layers_are_anybody_elses_cache(lab: ImageLab) -> None:
    text = f"FROM {BASE}\nRUN cat /proc/sys/kernel/random/uuid > /u; cat /u"
    first = await lab.alice.build(text)
    again = await lab.alice.build(text)
    other = await lab.bob.build(text)
    assert "Using cache" not in first.out
    assert again.out.count("Using cache") == 2
    assert "Using cache" not in other.out


async def test_a_dockerfile_that_is_ignored_is_not_copied(lab: ImageLab) -> None:
    files = {".dockerignore": "Dockerfile\n.dockerignore\n", "a": "x"}
    done = await lab.alice.build(f"FROM {BASE}\nCOPY . /c\nRUN ls -A /c | tr '\\n' ,", **files)
    assert done.code == 0, done.err
    assert "\na," in done.out
    plain = await lab.alice.build(f"FROM {BASE}\nCOPY . /c\nRUN ls -A /c | tr '\\n' ,", a="x")
    assert "\nDockerfile,a," in plain.out


async def test_copied_files_hit_the_cache(lab: ImageLab) -> None:
    folder = lab.alice.folder / "same"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /c\nRUN date")
    (folder / ".dockerignore").write_text("nothing\n")
    for _ in range(2):
        done = await lab.alice.docker("build", str(folder))
        assert done.code == 0, done.err
    assert done.out.count("Using cache") == 3


async def test_labels_cannot_be_forged(lab: ImageLab) -> None:
    refused = await lab.alice.build(f"FROM {BASE}\nLABEL ds01.user=bob")
    assert "platform's own" in refused.err
    done = await lab.alice.build(
        f"FROM {BASE}", "-t", "x", "--label", "ds01.image.owner=bob", "--label", "a=b"
    )
    assert done.code == 0, done.err
    found = await lab.alice.inspect("x")
    assert found["Config"]["Labels"] == {"ds01.image.owner": lab.alice.user, "a": "b"}


async def test_a_build_ends_with_its_client(lab: ImageLab) -> None:
    task = asyncio.create_task(lab.alice.build(f"FROM {BASE}\nRUN echo going; sleep 600"))
    listing = ("ps", "-q", "--filter", f"label=ds01.image.owner={lab.alice.user}")
    await eventually(lambda: engine_docker(*listing))
    running = engine_docker(*listing)
    with lab.platform.ledger.transaction() as transaction:
        assert [each.user for each in transaction.reservations()] == [lab.alice.user]
    snapshot = lab.platform.admission.current()
    assert snapshot.occupancy.containers_of(lab.alice.user) == ()
    found = json.loads(engine_docker("inspect", running))[0]
    assert found["Mounts"] == []
    assert found["HostConfig"]["Memory"] == 64 * 1024**2
    assert found["HostConfig"]["NetworkMode"] == f"ds01-{lab.alice.user}"
    assert not any(key.startswith("ds01.user") for key in found["Config"]["Labels"])
    lab.alice.interrupt()
    done = await task
    assert done.code != 0
    await eventually(lambda: not engine_docker("ps", "-aq", "--filter", f"id={running}"))
    event = await lab.event("image.build")
    assert (event["outcome"], event["reason"]) == ("failed", "cancelled")
    with lab.platform.ledger.transaction() as transaction:
        assert not transaction.reservations()


@pytest.mark.parametrize("query", ["version=2", "session=abc", "outputs=%5B%7B%7D%5D"])
async def test_buildkit_is_refused_with_the_reason(lab: ImageLab, query: str) -> None:
    answer = await asyncio.to_thread(raw_build, lab.alice.socket, query)
    assert answer.startswith("HTTP/1.1 403")
    assert "BuildKit is not offered here" in answer


@pytest.mark.parametrize("query", ["remote=https://example.org/x.git", "remote=client-session"])
async def test_nothing_is_fetched_by_the_server(lab: ImageLab, query: str) -> None:
    answer = await asyncio.to_thread(raw_build, lab.alice.socket, query)
    assert answer.startswith("HTTP/1.1 403")
    assert "Download it here" in answer


@pytest.mark.parametrize(
    "content", [b"", b"no archive", bytes(10_240), b"\x1f\x8b broken"], ids=str
)
async def test_what_is_no_context_is_said(lab: ImageLab, content: bytes) -> None:
    answer = await asyncio.to_thread(raw_build, lab.alice.socket, "", content)
    assert answer.startswith("HTTP/1.1 400")
    assert list((lab.folder / "builds").iterdir()) == []


async def test_one_persons_builds_wait_for_each_other(lab: ImageLab) -> None:
    clock = "cut -d' ' -f1 /proc/uptime"
    text = f"FROM {BASE}\nRUN {clock}; sleep 1; {clock}; : "
    done = await asyncio.gather(*(lab.alice.build(text + str(each)) for each in range(2)))
    first, second = sorted(
        [float(line) for line in each.lines if line.replace(".", "").isdecimal()] for each in done
    )
    assert first[1] <= second[0]


def raw_build(path: Path, query: str, content: bytes = b"") -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(
            f"POST /v1.41/build?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer.decode()


async def test_a_step_that_asks_for_gpus_gets_and_holds_none(lab: ImageLab) -> None:
    text = f"FROM {BASE}\nENV NVIDIA_VISIBLE_DEVICES=all CUDA_VERSION=12\nRUN sleep 600"
    task = asyncio.create_task(lab.alice.build(text))
    listing = ("ps", "-q", "--filter", f"label=ds01.image.owner={lab.alice.user}")
    await eventually(lambda: engine_docker(*listing))
    occupancy = lab.platform.admission.current().occupancy
    assert occupancy.of(lab.alice.user) == ()
    # What other installations on this engine have is unavailable here.
    assert {use.state for use in occupancy.uses} - {SlotState.UNAVAILABLE} == {SlotState.FREE}
    lab.alice.interrupt()
    assert (await task).code != 0


async def test_no_build_is_given_a_password_of_the_servers(
    lab: ImageLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://lab:hush@pypi.example.org/simple")
    monkeypatch.setenv("PIP_PROXY", "http://lab:hush@proxy.example.org:3128")
    done = await lab.alice.build(
        f"FROM {BASE}\nCOPY .ds01-host/ /run/host/\nRUN cat /run/host/pip.conf; env\n"
    )
    assert done.code == 0, done.err
    assert "index-url = https://pypi.example.org/simple" in done.out
    assert "proxy = http://proxy.example.org:3128" in done.out
    assert "hush" not in done.out
