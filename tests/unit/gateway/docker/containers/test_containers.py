import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    QuotaExceeded,
)
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.containers.containers import Containers
from ds01_spawner.gateway.docker.containers.lifecycle import ContainerRuns
from ds01_spawner.gateway.docker.containers.listing import ContainerList
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.prune import ContainerPrune
from ds01_spawner.gateway.wire.call import Answer, Handler
from fakes.calls import FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, container_id, inspected, legacy, managed, own
from fakes.engine_link import FakeEngineLink

WEB = own("web", "alice")
DONE = own("done", "alice", status="exited")
BOBS = own("web", "bob")
OLD = inspected("old._.1001", legacy("old", "alice"), status="exited")
HUB = inspected("jupyter._.alice", {**managed("jupyter", "alice"), "ds01.interface": "hub"})


class SlowEngine(FakeEngineLink):
    """Answers a stop when it is told to."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        super().__init__(list(containers))
        self.stopping = asyncio.Event()
        self.may_stop = asyncio.Event()

    async def ask(self, method: str, path: str, *rest: Any, **more: Any) -> Answer:
        if path.endswith("/stop"):
            self.stopping.set()
            await self.may_stop.wait()
        return await super().ask(method, path, *rest, **more)


class Lab:
    """Every handler of containers, on fakes."""

    def __init__(self, engine: FakeEngineLink | None = None) -> None:
        self.engine = engine or FakeEngineLink([WEB, DONE, BOBS, OLD, HUB])
        self.fake = FakeDoor(self.engine)
        self.body: Any = {}
        door, owned = self.fake.door, Owned(self.engine, INSTANCE)
        self.handlers: dict[str, Handler] = {
            **Containers(door, owned).handlers(),
            **ContainerRuns(door, owned).handlers(),
            **ContainerList(door, owned).handlers(),
            **ContainerPrune(door, owned).handlers(),
        }

    async def do(self, endpoint: str, ref: str = "", **query: str) -> FakeReply:
        method, _, path = endpoint.partition(" ")
        reply = FakeReply()
        asked = a_call(method, path, parts={"id": ref} if ref else {}, body=self.body)
        call = replace(asked, query={name: [value] for name, value in query.items()})
        await self.handlers[endpoint](call, reply)
        return reply

    @property
    def deeds(self) -> list[str]:
        """What the engine was told to do, by name of the container."""
        told = []
        for deed in self.engine.deeds():
            for each in self.engine.containers:
                deed = deed.replace(each["Id"], each["Name"][1:])  # noqa: PLW2901 - step by step
            told.append(deed)
        return told


VERBS = [
    (endpoint, f"{endpoint.partition(' ')[0]} /containers/web._.alice{ending}", action)
    for endpoint, ending, action in (
        ("POST /containers/{id}/stop", "/stop", "container.stop"),
        ("POST /containers/{id}/kill", "/kill", "container.kill"),
        ("POST /containers/{id}/pause", "/pause", "container.pause"),
        ("POST /containers/{id}/unpause", "/unpause", "container.unpause"),
        ("POST /containers/{id}/update", "/update", "container.update"),
        ("DELETE /containers/{id}", "", "container.remove"),
    )
]


@pytest.mark.parametrize(
    ("made_by", "told"),
    [("compose", "compose"), ("devcontainer", "devcontainer"), ("hub", "docker")],
)
async def test_a_deed_is_logged_with_the_interface_of_its_container(
    made_by: str, told: str
) -> None:
    made = inspected("c._.alice", {**managed("c", "alice"), "ds01.interface": made_by})
    lab = Lab(FakeEngineLink([made]))

    await lab.do("POST /containers/{id}/stop", made["Id"])

    (event,) = lab.fake.platform.log.events
    assert event.interface == told


@pytest.mark.parametrize(("endpoint", "told", "action"), VERBS)
async def test_a_deed_is_asked_by_full_id_and_is_in_the_log(
    endpoint: str, told: str, action: str
) -> None:
    lab = Lab()

    reply = await lab.do(endpoint, "web")

    assert reply.status in {200, 204}
    assert lab.deeds == [told]
    (event,) = lab.fake.platform.log.events
    assert (event.action, event.user, event.resource) == (action, "alice", "web._.alice")
    assert (event.interface, event.details["id"]) == ("docker", WEB["Id"])


@pytest.mark.parametrize(
    "ref", ["web._.bob", BOBS["Id"], BOBS["Id"][:12], "nothing", "jupyter._.x"]
)
@pytest.mark.parametrize(
    "endpoint", [name for name in Lab().handlers if "{id}" in name], ids=lambda name: name
)
async def test_what_is_not_ones_own_does_not_exist_for_any_verb(endpoint: str, ref: str) -> None:
    lab = Lab()

    with pytest.raises(NotFound, match=f"^{re.escape(f'No such container: {ref}')}$"):
        await lab.do(endpoint, ref, name="new")

    assert lab.deeds == []


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("GET /containers/{id}/json", True),
        ("GET /containers/{id}/top", True),
        ("GET /containers/{id}/changes", True),
        ("POST /containers/{id}/wait", True),
        ("POST /containers/{id}/stop", True),
        ("POST /containers/{id}/kill", True),
        ("DELETE /containers/{id}", True),
        ("GET /containers/{id}/export", False),
        ("POST /containers/{id}/start", False),
        ("POST /containers/{id}/restart", False),
        ("POST /containers/{id}/pause", False),
        ("POST /containers/{id}/unpause", False),
        ("POST /containers/{id}/resize", False),
        ("POST /containers/{id}/rename", False),
        ("POST /containers/{id}/update", False),
    ],
)
async def test_what_the_platform_did_not_make_is_looked_at_and_ended_only(
    endpoint: str, allowed: bool
) -> None:
    lab = Lab()

    if allowed:
        assert (await lab.do(endpoint, "old._.1001")).status < 300
    else:
        with pytest.raises(Forbidden, match="nobody knows what it was given"):
            await lab.do(endpoint, "old._.1001", name="new")
        assert lab.deeds == []


async def test_the_engines_refusal_speaks_of_ones_own_name() -> None:
    lab = Lab()
    message = f"Cannot kill container: {WEB['Id']}: Container {WEB['Id']} is not running"
    lab.engine.answers[f"POST /containers/{WEB['Id']}/kill"] = Answer(409, {"message": message})

    reply = await lab.do("POST /containers/{id}/kill", "web")

    assert reply.status == 409
    assert reply.value["message"] == "Cannot kill container: web: Container web is not running"
    assert lab.fake.platform.log.events == []


async def test_what_was_stopped_already_is_not_in_the_log() -> None:
    lab = Lab()
    lab.engine.answers[f"POST /containers/{DONE['Id']}/stop"] = Answer(304, None)

    assert (await lab.do("POST /containers/{id}/stop", "done")).status == 304
    assert lab.fake.platform.log.events == []


async def test_a_full_log_does_not_undo_what_was_done() -> None:
    lab = Lab()
    lab.fake.platform.log.full = True

    assert (await lab.do("POST /containers/{id}/stop", "web")).status == 204


async def test_what_a_client_does_not_wait_for_is_done_and_in_the_log() -> None:
    engine = SlowEngine(WEB)
    lab = Lab(engine)
    asking = asyncio.ensure_future(lab.do("POST /containers/{id}/stop", "web"))
    await engine.stopping.wait()

    asking.cancel()
    await asyncio.wait([asking])
    engine.may_stop.set()

    async with asyncio.timeout(10):
        while not lab.fake.platform.log.events:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    assert asking.cancelled()
    assert lab.fake.platform.log.actions == ["container.stop"]


async def test_a_removal_frees_what_was_promised() -> None:
    lab = Lab()

    await lab.do("DELETE /containers/{id}", "web", v="1", force="true", link="0")

    assert lab.fake.platform.admission.told == ["forget web._.alice"]
    assert lab.engine.asked[-1].query == {"v": ["1"], "force": ["1"]}


async def test_links_are_not_removed() -> None:
    with pytest.raises(InvalidRequest, match="Links"):
        await Lab().do("DELETE /containers/{id}", "web", link="1")


async def test_a_start_goes_through_the_platform() -> None:
    lab = Lab()

    reply = await lab.do("POST /containers/{id}/start", "done")

    assert reply.status == 204
    assert lab.fake.platform.starts.started == [(DONE["Id"], "alice")]
    assert lab.deeds == []


async def test_what_runs_is_not_started() -> None:
    lab = Lab()

    assert (await lab.do("POST /containers/{id}/start", "web")).status == 304


async def test_what_is_paused_is_not_started() -> None:
    lab = Lab()
    frozen = {"Status": "paused", "Running": True, "Paused": True}
    lab.engine.containers.append(own("ice", "alice", State=frozen))

    with pytest.raises(Conflict, match="cannot start a paused container"):
        await lab.do("POST /containers/{id}/start", "ice")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoCapacity("Taken."), NoCapacity),
        (NotFound("No such container: 0123456789ab"), NotFound),
    ],
)
async def test_a_refused_start_is_told(error: DS01Error, expected: type[DS01Error]) -> None:
    lab = Lab()
    lab.fake.platform.starts.error = error

    with pytest.raises(expected, match=r"Taken|No such container: done$"):
        await lab.do("POST /containers/{id}/start", "done")


async def test_a_restart_is_a_stop_and_a_start() -> None:
    lab = Lab()

    assert (await lab.do("POST /containers/{id}/restart", "web", t="3")).status == 204

    assert lab.deeds == ["POST /containers/web._.alice/stop"]
    assert lab.engine.asked[-1].query == {"t": ["3"]}
    assert lab.fake.platform.starts.started == [(WEB["Id"], "alice")]


async def test_a_restart_of_what_does_not_run_is_a_start() -> None:
    lab = Lab()

    await lab.do("POST /containers/{id}/restart", "done")

    assert lab.deeds == []
    assert lab.fake.platform.starts.started == [(DONE["Id"], "alice")]


async def test_a_container_that_would_be_gone_is_restarted_by_the_engine() -> None:
    lab = Lab()
    lab.engine.containers.append(own("brief", "alice", HostConfig={"AutoRemove": True}))
    lab.fake.platform.admission.current = Limits(allow_image_user=True)

    assert (await lab.do("POST /containers/{id}/restart", "brief")).status == 204
    assert lab.deeds == ["POST /containers/brief._.alice/restart"]
    assert lab.fake.platform.log.actions == ["container.restart"]


@pytest.mark.parametrize("source", ["", f"/run/ds01/binds/{'0' * 32}/0"])
async def test_an_images_user_and_folders_are_not_restarted_by_the_engine(source: str) -> None:
    lab = Lab()
    mounts = [{"Type": "bind", "Source": source, "Destination": "/w"}] if source else []
    brief = own("brief", "alice", HostConfig={"AutoRemove": True}, Mounts=mounts)
    lab.engine.containers.append(brief)

    with pytest.raises(Forbidden, match="folders of the server" if source else "image's user"):
        await lab.do("POST /containers/{id}/restart", "brief")
    assert lab.deeds == []


async def test_a_gpu_is_not_left_alone_for_a_restart() -> None:
    lab = Lab()
    marks = {**managed("gpu", "alice"), "ds01.gpu.uuids": "MIG-1"}
    lab.engine.containers.append(inspected("gpu._.alice", marks, HostConfig={"AutoRemove": True}))

    with pytest.raises(Forbidden, match="--rm"):
        await lab.do("POST /containers/{id}/restart", "gpu")
    assert lab.deeds == []


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        ("POST /containers/{id}/restart", {}),
        ("POST /containers/{id}/rename", {"name": "x"}),
        ("POST /containers/{id}/update", {}),
    ],
)
async def test_a_hub_server_is_not_changed_here(endpoint: str, query: dict[str, str]) -> None:
    lab = Lab()

    with pytest.raises(Forbidden):
        await lab.do(endpoint, "jupyter", **query)
    assert lab.deeds == []


async def test_a_new_name_is_ones_own_and_its_promise_follows() -> None:
    lab = Lab()

    await lab.do("POST /containers/{id}/rename", "web", name="/api")

    assert lab.engine.asked[-1].query == {"name": ["api._.alice"]}
    assert lab.fake.platform.admission.told == ["rename web._.alice api._.alice"]
    assert lab.fake.platform.log.actions == ["container.rename"]


@pytest.mark.parametrize("name", ["", "/", "a b", "web._.bob", "../x", "a" * 129])
async def test_an_impossible_name_is_refused(name: str) -> None:
    lab = Lab()

    with pytest.raises(InvalidRequest):
        await lab.do("POST /containers/{id}/rename", "web", name=name)
    assert lab.deeds == []


@pytest.mark.parametrize(
    "arguments", ["", "-ef", "aux", "-o pid,user,args", "-eo pid,cmd,%cpu", "-e -o pid"]
)
async def test_columns_of_processes_can_be_chosen(arguments: str) -> None:
    lab = Lab()

    assert (await lab.do("GET /containers/{id}/top", "web", ps_args=arguments)).status == 204


@pytest.mark.parametrize(
    "arguments", ["-o pid=PID", "-o 'x", "-ef; id", "$(id)", "-C\nx", "../x", "-o " + "a," * 99]
)
async def test_anything_else_is_not_given_to_ps(arguments: str) -> None:
    lab = Lab()

    with pytest.raises(InvalidRequest):
        await lab.do("GET /containers/{id}/top", "web", ps_args=arguments)


@pytest.mark.parametrize(
    ("is_running", "error"), [(True, InvalidRequest), (False, Conflict)], ids=["runs", "stopped"]
)
async def test_what_the_engine_says_of_ps_is_not_passed_on(
    is_running: bool, error: type[DS01Error]
) -> None:
    lab = Lab()
    lab.engine.containers[0] = {**WEB, "State": {"Running": is_running}}
    path = f"GET /containers/{WEB['Id']}/top"
    lab.engine.answers[path] = Answer(500, {"message": "Unexpected pid 'TOKEN=secret'"})

    with pytest.raises(error) as caught:
        await lab.do("GET /containers/{id}/top", "web")

    assert "secret" not in str(caught.value)


async def test_a_list_holds_ones_own_in_ones_own_words() -> None:
    lab = Lab()

    every = await lab.do("GET /containers/json", all="1")
    running = await lab.do("GET /containers/json", all="0")
    last = await lab.do("GET /containers/json", all="1", limit="2")

    names = {"/web", "/done", "/jupyter", "/old._.1001"}
    assert {entry["Names"][0] for entry in every.value} == names
    assert {entry["Names"][0] for entry in running.value} == {"/web", "/jupyter"}
    assert len(last.value) == 2


async def test_before_and_since_are_ones_own() -> None:
    lab = Lab()

    await lab.do("GET /containers/json", filters='{"before": ["web"]}')
    with pytest.raises(NotFound, match=r"No such container: web\._\.bob"):
        await lab.do("GET /containers/json", filters='{"since": ["web._.bob"]}')

    asked = [str(each.query) for each in lab.engine.asked if each.path == "/containers/json"]
    assert container_id("web._.alice") in "".join(asked)


async def test_a_prune_removes_what_stopped_but_servers_and_older_ones() -> None:
    lab = Lab()
    lab.engine.containers += [
        own("kept", "alice", status="exited"),
        inspected("hub2._.alice", HUB["Config"]["Labels"], status="exited"),
        own("his", "bob", status="exited"),
    ]
    lab.engine.containers[-3]["Config"]["Labels"]["keep"] = "yes"

    reply = await lab.do("POST /containers/prune", filters='{"label!": ["keep=yes"]}')

    assert reply.value == {"ContainersDeleted": [DONE["Id"]], "SpaceReclaimed": 0}
    assert lab.deeds == ["DELETE /containers/done._.alice"]
    assert lab.fake.platform.admission.told == ["forget done._.alice"]


@pytest.mark.parametrize(
    "filters", ['{"name": ["x"]}', '{"until": ["soon"]}', '{"until": ["1h", "2h"]}', "["]
)
async def test_a_prune_with_a_filter_that_makes_no_sense_is_refused(filters: str) -> None:
    lab = Lab()

    with pytest.raises(InvalidRequest):
        await lab.do("POST /containers/prune", filters=filters)
    assert lab.deeds == []


async def test_what_has_folders_gets_no_restart_policy_later() -> None:
    lab = Lab()
    mounts = [{"Type": "bind", "Source": f"/run/ds01/binds/{'0' * 32}/0", "Destination": "/w"}]
    lab.engine.containers.append(own("work", "alice", Mounts=mounts))
    lab.body = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}

    with pytest.raises(Forbidden, match="folders of the server"):
        await lab.do("POST /containers/{id}/update", "work")
    assert lab.deeds == []


async def test_an_update_is_kept_within_the_owners_limits() -> None:
    lab = Lab()
    lab.fake.platform.admission.current = Limits(memory_bytes=1024**3)

    lab.body = {"Memory": 512 * 1024**2}
    await lab.do("POST /containers/{id}/update", "web")
    assert lab.engine.asked[-1].body["Memory"] == 512 * 1024**2

    lab.body = {"memory": 2 * 1024**3}
    with pytest.raises(QuotaExceeded):
        await lab.do("POST /containers/{id}/update", "web")
    assert len(lab.deeds) == 1
