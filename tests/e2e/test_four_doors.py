"""The same person through hub, docker, Compose and API: one quota, one kernel's limit, one log."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from ds01_spawner.client import on_socket
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.notice import NoticeKind
from e2e.house import TINY, House, Resident
from e2e.hub import docker, eventually
from e2e.pages import logged_in
from integration.unix_people import CAROL, DORA

pytestmark = pytest.mark.timeout(300)

SLEEPS = f"""
services:
  work:
    image: {TINY}
    command: ["sleep", "3600"]
"""
ON_A_GPU = f"""{SLEEPS}
    deploy: {{resources: {{reservations: {{devices: [{{capabilities: [gpu], count: 1}}]}}}}}}
"""
TOLD = [NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING, NoticeKind.STOPPED]
HUB_START_SECONDS = 25
KILLED = 128 + 9
WORK = "shop_work_1"
"""What docker-compose calls the container."""


@pytest.fixture
def carol(house: House) -> Iterator[Resident]:
    """A member of the group `house`."""
    resident = house.resident(CAROL)
    yield resident
    if resident.hub.server():
        resident.hub.stop()


def test_one_quota_of_gpus(carol: Resident) -> None:
    hub = carol.house.hub
    carol.hub.start(gpu="mig")
    carol.run("run", "--gpus", "1")

    refusals = [
        carol.unix.refused("run", "--gpus", "1", TINY, "true"),
        carol.compose("up", "-d", file=ON_A_GPU).err,
        carol.hub.ask("more", gpu="mig").json()["message"],
    ]

    for text in refusals:
        assert "2 of 2 GPU slots" in text
        assert "jupyter" in text
        assert "run" in text
    rejected = hub.events("quota.reject", carol.name)[-3:]
    assert [each["interface"] for each in rejected] == ["docker", "compose", "hub"]
    assert {each["details"]["limit"] for each in rejected} == {"max_gpu_slots"}
    held = {slot for slot, each in hub.slots().items() if each["user"] == carol.name}
    assert len(held) == 2
    with carol.client() as client:
        usage = {each.limit: each.used for each in client.me().usage}
    assert usage["max_gpu_slots"] == 2


def test_one_quota_of_containers(carol: Resident) -> None:
    carol.run("spare")
    carol.docker("stop", "-t", "0", "spare")
    carol.hub.start()
    carol.run("run")
    up = carol.compose("up", "-d", file=SLEEPS)
    assert up.code == 0, up.err

    refusals = [
        carol.unix.refused("run", TINY, "true"),
        carol.unix.refused("start", "spare"),
        carol.compose("up", "-d", "--scale", "work=2", file=SLEEPS).err,
        carol.hub.ask("fourth").json()["message"],
        *carol.refused_by_api(lambda client: client.start("spare")),
    ]

    for text in refusals:
        assert "3 of 3" in text
        for name in ("jupyter", "run", WORK):
            assert name in text
    carol.docker("rm", "-f", "run")
    with carol.client() as client:
        assert client.start("spare").state == "running"


def test_one_limit_of_memory(carol: Resident) -> None:
    """Of 640 MiB the server holds 240 and its programs' own, so that 500 more are far too many."""
    cgroups = carol.house.hub.platform.cgroups
    fill = ("run", "--rm", TINY, "dd", "if=/dev/zero", "of=/dev/null", "bs=500M", "count=1")
    hold = "import time; held = b'x' * (240 * 1024**2); print('held', flush=True); time.sleep(600)"
    carol.hub.start()
    parents = {carol.hub.inspect()["HostConfig"]["CgroupParent"]}

    alone = carol.unix.try_docker(*fill)
    assert alone.code == 0, f"beside an idle server it fits: {alone.err}"

    with carol.unix.popen("exec", "jupyter", "python3", "-c", hold) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "held\n"
        beyond = carol.unix.try_docker(*fill)
        usage = cgroups.usage("house", carol.name)
        assert holding.poll() is None, "the larger one was ended"
        holding.kill()
    assert beyond.code == KILLED, "each alone is far below its own limit of 1 GiB"
    assert usage is not None
    assert usage.limits.memory_bytes == 640 * 1024**2
    assert usage.memory_bytes is not None
    assert usage.memory_bytes <= usage.limits.memory_bytes
    assert carol.hub.answers()
    carol.run("run")
    assert carol.compose("up", "-d", file=SLEEPS).code == 0
    parents |= {carol.unix.inspect(name)["HostConfig"]["CgroupParent"] for name in ("run", WORK)}
    assert len(parents) == 1, parents


def test_one_log(carol: Resident) -> None:
    hub = carol.house.hub
    names = {"hub": "jupyter", "docker": "run", "compose": WORK}
    carol.hub.start()
    carol.run("run")
    up = carol.compose("up", "-d", file=SLEEPS)
    assert up.code == 0, up.err
    with carol.client() as client:
        client.stop("run")
    carol.unix.run(lambda: on_socket(carol.unix.socket).retire(WORK))

    for action in ("container.create", "container.start"):
        last = {each["interface"]: each for each in hub.events(action, carol.name)}
        assert {door: last[door]["resource"] for door in names} == {
            door: container_name(name, carol.name) for door, name in names.items()
        }
    stops = hub.events("container.stop", carol.name)[-2:]
    assert [(each["interface"], each["resource"]) for each in stops] == [
        ("api", container_name("run", carol.name)),
        ("api", container_name(WORK, carol.name)),
    ]
    with carol.client() as client:
        told = [(each.action, each.resource) for each in client.events(action="container.*")]
    logged = [
        (each["action"], each["resource"])
        for each in hub.everything()
        if each["user"] == carol.name and each["action"].startswith("container.")
    ]
    assert told == logged[::-1], "the API tells the same, the newest first"


def everywhere(*names: str) -> dict[str, list[str]]:
    """What every door lists."""
    return {door: list(names) for door in ("api", "socket", "docker", "cli")}


def test_the_doors_lists_agree(carol: Resident) -> None:
    expected = ["jupyter", "run", WORK]
    carol.docker("run", "--name", "over", TINY, "true")
    carol.hub.start()
    carol.run("run")
    assert carol.compose("up", "-d", file=SLEEPS).code == 0

    assert carol.names() == everywhere(*expected)
    assert list(carol.hub.model()["servers"]) == [""]


def test_what_one_door_stops_every_door_sees(carol: Resident) -> None:
    carol.hub.start()
    carol.docker("stop", "jupyter")
    eventually(lambda: not carol.hub.server(), what="the hub sees docker stop")

    carol.hub.start()
    carol.docker("rm", "-f", "jupyter")
    eventually(lambda: not carol.hub.server(), what="the hub sees docker rm")
    assert carol.names()["api"] == []

    carol.hub.start()
    carol.hub.stop()
    assert carol.names() == everywhere()

    carol.hub.start()
    assert carol.unix.run(lambda: on_socket(carol.unix.socket).stop("jupyter")).state != "running"
    eventually(lambda: not carol.hub.server(), what="the hub stopped it")

    with carol.client() as client:
        assert client.start("jupyter").server == ""
        carol.hub.ready()
        carol.run("run")
        client.stop("run")
    assert carol.docker("ps", "--format", "{{.Names}}") == "jupyter"
    assert "Exited" in carol.docker("ps", "-a", "--filter", "name=run", "--format", "{{.Status}}")


def test_an_idle_container_of_docker_is_warned_and_stopped(house: House) -> None:
    dora = house.resident(DORA)
    dora.run("idle")
    with dora.client() as client:
        warned = eventually(lambda: list(client.notices()), 60, what="the first warning")
        assert warned[-1].kind == NoticeKind.FIRST_WARNING
        assert "idle" in warned[-1].text
        assert dora.names()["docker"] == ["idle"]
        eventually(lambda: not dora.names()["docker"], 90, what="it is stopped")
        told = eventually(
            lambda: [each.kind for each in client.notices()][::-1] == TOLD, what="three notices"
        )
        assert told
        (stopped,) = client.containers().containers
        assert stopped.stopped_by is not None
        assert stopped.stopped_by.rule == "idle_timeout"
    (event,) = house.hub.events("cleanup.idle", dora.name)
    assert event["resource"] == container_name("idle", dora.name)
    assert "Exited" in dora.docker("ps", "-a", "--format", "{{.Status}}")


def test_a_gateway_that_is_killed_disturbs_nobody(carol: Resident) -> None:
    house = carol.house
    carol.hub.start("before", gpu="mig")
    carol.run("run", "--gpus", "1")
    began = {name: state_of(carol, name) for name in ("before", "run")}
    slots = {slot for slot, each in house.hub.slots().items() if each["user"] == carol.name}
    following = carol.unix.popen("logs", "-f", "run")

    house.kill_gateway()

    assert following.wait(20) is not None
    following.communicate()
    assert "Cannot connect to the Docker daemon" in carol.unix.refused("ps")
    house.hub.stop()
    began_again = time.monotonic()
    house.hub.start()
    assert time.monotonic() - began_again < HUB_START_SECONDS, "it does not wait for the gateway"
    assert eventually(lambda: carol.hub.answers("before"))
    carol.hub.start("while-down")
    assert carol.hub.ask("gpu", gpu="mig").status_code == 403
    house.start_gateway()
    assert {name: state_of(carol, name) for name in ("before", "run")} == began
    names = ["before", "run", "while-down"]
    assert carol.names() == everywhere(*names)
    assert "3 of 3" in carol.unix.refused("run", TINY, "true")
    held = {slot for slot, each in house.hub.slots().items() if each["user"] == carol.name}
    assert held == slots


def state_of(resident: Resident, name: str) -> tuple[str, str, bool]:
    """Id, beginning and whether it runs, as the engine says."""
    (found,) = json.loads(docker("inspect", container_name(name, resident.name)))
    return found["Id"], found["State"]["StartedAt"], found["State"]["Running"]


def test_programs_in_a_server_reach_the_api_through_the_fence(carol: Resident) -> None:
    carol.hub.start()
    ask = (
        "import os, urllib.request as web; "
        "told = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}; "
        "ask = web.Request(os.environ['DS01_API_URL'] + 'me', headers=told); "
        "print(web.urlopen(ask, timeout=10).read().decode())"
    )
    told = json.loads(carol.docker("exec", "jupyter", "python3", "-c", ask))
    assert (told["user"], told["role"]) == (carol.name, "student")


def test_a_browser_asks_the_api_for_what_is_its_own(
    house: House, carol: Resident, chromium: Browser
) -> None:
    kim = house.hub.person("kim")
    carol.run("secret")
    page = logged_in(chromium, kim)
    kim.start()
    api = f"{house.hub.url}/services/ds01/api"
    refused = page.goto(f"{api}/me")
    assert refused is not None
    assert refused.status == 401

    page.goto(f"{house.hub.url}/services/ds01/login?next=/services/ds01/api/me")

    def told(path: str) -> tuple[int, dict[str, Any]]:
        answer = page.goto(f"{api}{path}")
        assert answer is not None
        return answer.status, answer.json()

    status, me = told("/me")
    assert (status, me["user"], me["role"]) == (200, kim.name, "student")
    assert [each["name"] for each in told("/containers")[1]["containers"]] == ["jupyter"]
    assert [each["user"] for each in told("/containers?all=true")[1]["containers"]] == [kim.name]
    for path in (
        f"/containers?user={carol.name}",
        f"/containers/secret?user={carol.name}",
        f"/containers/secret/logs?user={carol.name}",
        f"/policy/explain?user={carol.name}",
        "/admin/people",
        "/admin/health",
    ):
        status, problem = told(path)
        assert (status, problem["type"]) == (403, "urn:ds01:problem:forbidden"), path
    assert told("/containers/secret")[0] == 404
    assert carol.name not in json.dumps([told("/events"), told("/gpus"), told("/queue")])
    page.context.close()
