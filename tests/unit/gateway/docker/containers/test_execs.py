import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ds01_spawner.client.problems import TooManyRequests
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, NotFound, QuotaExceeded
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.containers.execs import Execs, program
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import ALICE, BOB, FakeReply, a_call
from fakes.clock import FakeClock
from fakes.door import FakeAdmission, a_door
from fakes.engine_json import INSTANCE, inspected, legacy, managed, own
from fakes.engine_link import FakeEngineLink
from fakes.event_log import FakeEventLog

EXEC = "e" * 64
OTHER_EXEC = "d" * 64
AS_ALICE = {"Labels": managed("web", "alice"), "Image": "tiny", "User": "1001:1001"}
WEB = own("web", "alice", Config=AS_ALICE)
DB = own("db", "bob")
COMMAND = {"Cmd": ["/bin/sh", "-c", "echo SECRET"], "AttachStdout": True}
OLD = inspected("run._.1001", legacy("run", "alice"))


def shown(container: Mapping[str, Any], **process: Any) -> dict[str, Any]:
    config = {"privileged": False, "user": "1001:1001", "entrypoint": "sh", **process}
    return {"ID": EXEC, "Running": False, "ContainerID": container["Id"], "ProcessConfig": config}


def an_engine() -> FakeEngineLink:
    return FakeEngineLink(
        containers=[WEB, DB, OLD],
        answers={
            f"POST /containers/{WEB['Id']}/exec": Answer(201, {"Id": EXEC}),
            f"GET /exec/{EXEC}/json": Answer(200, shown(WEB)),
            f"GET /exec/{OTHER_EXEC}/json": Answer(404, {"message": "nope"}),
        },
    )


@dataclass
class Lab:
    """Execs of one engine."""

    link: FakeEngineLink = field(default_factory=an_engine)
    log: FakeEventLog = field(default_factory=FakeEventLog)

    def __post_init__(self) -> None:
        self.admission = FakeAdmission()
        audit = Audit(FakeClock(), self.log, "gateway")
        door = a_door(self.link, audit=audit, admission=self.admission)
        self.execs = Execs(door, Owned(self.link, INSTANCE))

    async def ask(
        self, endpoint: str, part: str, body: Any = None, caller: Caller = ALICE, **query: str
    ) -> FakeReply:
        reply = FakeReply()
        method = endpoint.partition(" ")[0]
        call = a_call(method, parts={"id": part}, body=body, caller=caller)
        call.query.update({name: [text] for name, text in query.items()})  # type: ignore[attr-defined]
        await self.execs.handlers()[endpoint](call, reply)
        return reply

    def asked_for(self, path: str) -> list[Any]:
        return [each for each in self.link.asked if each.path == path]


@pytest.fixture
def lab() -> Lab:
    return Lab()


CREATE, START = "POST /containers/{id}/exec", "POST /exec/{id}/start"
RESIZE, INSPECT = "POST /exec/{id}/resize", "GET /exec/{id}/json"


async def test_the_engine_gets_what_the_rules_allow(lab: Lab) -> None:
    reply = await lab.ask(CREATE, "web", COMMAND)
    assert (reply.status, reply.value) == (201, {"Id": EXEC})
    [asked] = lab.asked_for(f"/containers/{WEB['Id']}/exec")
    assert asked.body["Cmd"] == COMMAND["Cmd"]
    assert asked.body["User"] == "1001:1001"


async def test_the_log_has_the_program_and_not_its_arguments(lab: Lab) -> None:
    await lab.ask(CREATE, "web", COMMAND)
    [event] = lab.log.events
    assert (event.action, event.user, event.resource) == ("container.exec", "alice", "web._.alice")
    assert event.details["command"] == "sh"
    assert "SECRET" not in str(event)


async def test_what_the_rules_refuse_never_reaches_the_engine(lab: Lab) -> None:
    with pytest.raises(Forbidden):
        await lab.ask(CREATE, "web", {"Cmd": ["id"], "Privileged": True})
    assert lab.link.deeds() == []


async def test_nothing_is_run_in_what_the_platform_did_not_make(lab: Lab) -> None:
    with pytest.raises(Forbidden):
        await lab.ask(CREATE, OLD["Id"], {"Cmd": ["x"]})
    lab.link.answers[f"GET /exec/{EXEC}/json"] = Answer(200, shown(OLD))
    with pytest.raises(Forbidden):
        await lab.ask(START, EXEC, {})
    assert lab.link.deeds() == []


async def test_somebody_elses_container_does_not_exist(lab: Lab) -> None:
    with pytest.raises(NotFound, match=r"No such container: db\._\.bob"):
        await lab.ask(CREATE, "db._.bob", {"Cmd": ["x"]})


@pytest.mark.parametrize("endpoint", [START, RESIZE, INSPECT])
@pytest.mark.parametrize("made_here", [True, False])
async def test_somebody_elses_exec_does_not_exist(lab: Lab, endpoint: str, made_here: bool) -> None:
    if made_here:
        await lab.ask(CREATE, "web", {"Cmd": ["x"]})
    with pytest.raises(NotFound, match=f"No such exec instance: {EXEC}"):
        await lab.ask(endpoint, EXEC, {}, BOB)
    assert not lab.asked_for(f"/exec/{EXEC}/start")


@pytest.mark.parametrize("endpoint", [START, RESIZE, INSPECT])
@pytest.mark.parametrize("part", [OTHER_EXEC, "abc", "../containers/json", ""])
async def test_what_does_not_exist_is_said_in_dockers_words(
    lab: Lab, endpoint: str, part: str
) -> None:
    with pytest.raises(NotFound, match=f"No such exec instance: {part}"):
        await lab.ask(endpoint, part, {})


async def test_a_removed_containers_exec_is_gone_although_it_was_remembered(lab: Lab) -> None:
    await lab.ask(CREATE, "web", {"Cmd": ["x"]})
    lab.link.containers.remove(WEB)
    with pytest.raises(NotFound, match="No such exec instance"):
        await lab.ask(START, EXEC, {})


async def test_starting_what_was_made_here_asks_nothing_more_of_the_engine(lab: Lab) -> None:
    await lab.ask(CREATE, "web", {"Cmd": ["x"]})
    await lab.ask(START, EXEC, {"Tty": True, "ConsoleSize": [24, 80]})
    assert not lab.asked_for(f"/exec/{EXEC}/json")
    [asked] = lab.asked_for(f"/exec/{EXEC}/start")
    assert asked.body == {"Detach": False, "Tty": True, "ConsoleSize": [24, 80]}


async def test_after_a_restart_of_the_gateway_the_engine_knows(lab: Lab) -> None:
    await lab.ask(START, EXEC, {"Detach": True})
    [asked] = lab.asked_for(f"/exec/{EXEC}/start")
    assert asked.body == {"Detach": True, "Tty": False}


@pytest.mark.parametrize(
    "process",
    [{"privileged": True}, {"user": "root"}, {"user": "0"}, {"user": "1001:0"}, {"user": "1002"}],
)
async def test_what_an_administrator_prepared_is_not_the_owners_to_start(
    lab: Lab, process: dict[str, Any]
) -> None:
    lab.link.answers[f"GET /exec/{EXEC}/json"] = Answer(200, shown(WEB, **process))
    with pytest.raises(Forbidden):
        await lab.ask(START, EXEC, {})
    assert lab.link.deeds() == []


async def test_an_images_user_may_be_root_where_the_container_runs_as_one(lab: Lab) -> None:
    image = own("img", "alice", Config={"Labels": managed("img", "alice"), "User": ""})
    lab.link.containers.append(image)
    lab.link.answers[f"GET /exec/{EXEC}/json"] = Answer(200, shown(image, user="root"))
    lab.admission.current = Limits(allow_image_user=True)
    await lab.ask(START, EXEC, {})
    assert lab.asked_for(f"/exec/{EXEC}/start")


async def test_nobody_is_an_images_user_when_that_is_not_allowed_any_more(lab: Lab) -> None:
    image = own("img", "alice", Config={"Labels": managed("img", "alice"), "User": ""})
    lab.link.containers.append(image)
    lab.link.answers[f"GET /exec/{EXEC}/json"] = Answer(200, shown(image, user="root"))
    for endpoint, part, body in ((CREATE, "img", COMMAND), (START, EXEC, {})):
        with pytest.raises(Forbidden, match="its image's user"):
            await lab.ask(endpoint, part, body)
    assert not lab.asked_for(f"/exec/{EXEC}/start")


@pytest.mark.parametrize(
    "body",
    [{"Detach": "yes"}, {"ConsoleSize": [1]}, {"ConsoleSize": "x"}, []],
)
async def test_a_start_that_makes_no_sense_is_refused(lab: Lab, body: Any) -> None:
    with pytest.raises(InvalidRequest):
        await lab.ask(START, EXEC, body)
    assert not lab.asked_for(f"/exec/{EXEC}/start")


async def test_a_terminal_is_resized_by_numbers_only(lab: Lab) -> None:
    await lab.ask(RESIZE, EXEC, h="24", w="80")
    assert lab.link.asked[-1].query == {"h": ["24"], "w": ["80"]}
    with pytest.raises(InvalidRequest):
        await lab.ask(RESIZE, EXEC, h="tall")


async def test_shows_how_it_ended(lab: Lab) -> None:
    assert (await lab.ask(INSPECT, EXEC)).value == shown(WEB)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/usr/bin/python3", "train.py"], "python3"),
        (["bash -c 'TOKEN=x'"], "bash"),
        (["TOKEN=secret", "env"], ""),
        (["x" * 200], "x" * 64),
        ([" "], ""),
        ([], ""),
    ],
)
def test_names_the_program_alone(command: list[str], name: str) -> None:
    assert program(command) == name


async def test_a_container_that_has_very_many_gets_no_more() -> None:
    lab = Lab()
    lab.link.containers[0] = {**WEB, "ExecIDs": ["a" * 64] * 200}
    with pytest.raises(QuotaExceeded, match="200 of 200 commands"):
        await lab.ask("POST /containers/{id}/exec", "web", COMMAND)


async def test_somebody_makes_so_many_in_a_time() -> None:
    lab = Lab()
    for _ in range(100):
        await lab.ask("POST /containers/{id}/exec", "web", COMMAND)
    with pytest.raises(TooManyRequests):
        await asyncio.gather(
            *(lab.ask("POST /containers/{id}/exec", "web", COMMAND) for _ in range(50))
        )
    with pytest.raises(NotFound):
        await lab.ask("POST /containers/{id}/exec", "web", COMMAND, caller=BOB)


async def test_a_command_is_as_long_as_the_kernel_takes() -> None:
    lab = Lab()
    with pytest.raises(DS01Error, match="131072"):
        await lab.ask("POST /containers/{id}/exec", "web", {"Cmd": ["x" * 131_072]})
