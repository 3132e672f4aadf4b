import asyncio
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future
from tornado import web
from traitlets import TraitError
from traitlets.config import Config

from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.work import Rule, RuleStop
from ds01_spawner.spawner import server_start, spawner
from ds01_spawner.spawner.spawner import BOOT_SECONDS, DS01Spawner
from fakes.lab import Lab

pytestmark = pytest.mark.timeout(30)


def new_spawner(name: str = "", user: str = "alice", **config: Any) -> DS01Spawner:
    """The spawner of one server, as a hub makes it."""
    person = SimpleNamespace(
        name=user,
        admin=user == "boss",
        escaped_name=user,
        groups=[],
        url=f"/user/{user}/",
        settings={},
        orm_spawners={},
    )
    return DS01Spawner(
        user=person,
        orm_spawner=SimpleNamespace(name=name, server=None, user_options=None, state={}),
        hub=SimpleNamespace(api_url="http://hub/api", public_host="", base_url="/hub/"),
        config=Config({"DS01Spawner": config}),
    )


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The platform that every spawner has here; servers answer at once."""
    lab = Lab()

    async def answers(url: str) -> bool:
        await asyncio.sleep(0)
        return url.startswith("http://10.")

    monkeypatch.setattr(DS01Spawner, "platform", property(lambda _self: lab))
    monkeypatch.setattr(DS01Spawner, "get_env", lambda _self: {"JUPYTERHUB_USER": "alice"})
    monkeypatch.setattr(DS01Spawner, "get_args", lambda _self: ["--debug"])
    monkeypatch.setattr(
        DS01Spawner, "server", SimpleNamespace(base_url="/user/alice/", url="http://10.9.9.9:8888/")
    )
    monkeypatch.setattr(server_start, "answers", answers)
    monkeypatch.setattr(spawner, "answers", answers)
    monkeypatch.setattr(spawner, "LIVENESS_SECONDS", 0.01)
    monkeypatch.setattr(spawner, "_STOP_RETRY_SECONDS", 0.01)
    yield lab
    lab.engine.on_call = lambda _method: None


async def started(name: str = "", **options: Any) -> DS01Spawner:
    server = new_spawner(name)
    server.apply_options(options)
    await server.start()
    return server


async def test_start_makes_the_container_that_the_person_chose(lab: Lab) -> None:
    server = new_spawner("thesis-run")
    server.apply_options({"gpu": "mig", "project": "thesis"})
    assert await server.start() == "http://10.201.0.2:8888/user/alice/"
    made = lab.container("alice", "thesis-run")
    assert made is not None
    assert made.id == server.object_id
    assert made.state is ContainerState.RUNNING
    spec = lab.engine.specs[made.id]
    assert spec.command == ("jupyterhub-singleuser", "--debug")
    assert spec.exposed_ports == (8888,)
    assert spec.environment["JUPYTERHUB_USER"] == "alice"
    assert spec.environment["DS01_PROJECT"] == "thesis"


async def test_configured_volumes_are_added_to_the_home(lab: Lab) -> None:
    server = new_spawner(volumes={"/data": {"bind": "/data", "mode": "ro"}, "shared": "/shared"})
    server.apply_options({})
    await server.start()
    mounts = {each.target: each for each in lab.engine.specs[server.object_id].mounts}
    assert (mounts["/data"].kind, mounts["/data"].read_only) == ("bind", True)
    assert (mounts["/shared"].kind, mounts["/shared"].read_only) == ("volume", False)
    assert mounts["/home/jovyan"].source == "ds01-home-alice"


async def test_what_the_hub_adds_never_replaces_what_the_platform_set(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        DS01Spawner, "get_env", lambda _self: {"NVIDIA_VISIBLE_DEVICES": "all", "USER": "root"}
    )
    server = await started(gpu="mig")
    spec = lab.engine.specs[server.object_id]
    assert spec.environment["NVIDIA_VISIBLE_DEVICES"] == spec.gpu_uuids[0]
    assert spec.environment["USER"] == "alice"


@pytest.mark.parametrize(
    ("name", "options", "status", "message"),
    [
        ("jupyter", {}, 400, "A server cannot be called jupyter"),
        ("Thesis", {}, 400, "'Thesis' cannot name a container"),
        ("", {"volumes": {}}, 400, "Unknown server option: volumes"),
        ("", {"gpu": "full"}, 403, "allow_full_gpu"),
        ("", {"project": "../x"}, 400, "cannot name a project"),
        ("", {"image": "debian"}, 403, "debian is not offered"),
    ],
)
async def test_wrong_options_are_refused_by_the_start_and_leave_nothing(
    lab: Lab, name: str, options: dict[str, Any], status: int, message: str
) -> None:
    server = new_spawner(name)
    server.apply_options(options)  # raises nothing: the hub would log a traceback
    with pytest.raises(SpawnException, match=message) as caught:
        await server.start()
    assert caught.value.status_code == status
    assert lab.engine.containers() == ()
    assert lab.reservations() == ()
    assert server._steps is not None
    assert server._steps.closed


async def test_right_options_after_wrong_ones_are_accepted(lab: Lab) -> None:
    server = new_spawner()
    server.apply_options({"gpu": "lots"})
    server.apply_options({"gpu": "mig"})
    await server.start()
    assert lab.taken()


def test_the_hub_waits_for_queue_and_boot_and_remembers_the_boot() -> None:
    server = new_spawner(queue_timeout=1000.0)
    for _ in range(2):
        server.apply_options({})
        assert server.start_timeout == BOOT_SECONDS + 1000
    server = new_spawner(queue_timeout=1000.0, start_timeout=60)
    server.apply_options({"gpu": "mig"})
    assert server.start_timeout == 1060


async def test_a_listener_before_the_start_hears_all_of_it(lab: Lab) -> None:
    assert lab
    server = new_spawner()
    server.apply_options({})

    async def listen() -> list[str]:
        return [event["message"] async for event in server.progress()]

    early = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await server.start()
    assert (await early)[0] == "Checking your limits"
    assert (await early)[-1] == "Your server is ready"
    assert await listen() == await early


async def test_a_second_start_does_not_repeat_the_first_ones_steps(lab: Lab) -> None:
    server = await started()
    lab.engine.remove(server.object_id)
    server.apply_options({})
    await server.start()
    told = [event["message"] async for event in server.progress()]
    assert told.count("Checking your limits") == 1


async def test_a_restarted_hub_finds_the_container_by_its_state(lab: Lab) -> None:
    before = await started("thesis", gpu="mig")
    state = before.get_state()
    after = new_spawner("thesis")
    after.load_state(state)
    assert (after.object_id, after.object_name) == (before.object_id, "thesis._.alice")
    assert await after.poll() is None
    assert lab.container("alice", "thesis") is not None


def test_a_cleared_state_is_forgotten() -> None:
    server = new_spawner()
    server.load_state({"object_id": "abc", "object_name": "jupyter._.alice"})
    server.clear_state()
    assert server.object_id == ""
    assert "object_id" not in server.get_state()
    fresh = new_spawner()
    fresh.load_state({})
    assert (fresh.object_id, fresh.object_name) == ("", "jupyter._.alice")


@pytest.mark.parametrize("user", ["ann.b@uni.example", "J\u00fcrgen", "x" * 64])
def test_containers_of_odd_names_have_names_that_docker_takes(user: str) -> None:
    assert new_spawner(user=user).object_name.replace(".", "").replace("_", "").isascii()
    assert len(new_spawner(user=user).object_name) < 90


async def test_poll_tells_running_from_ended_from_gone(lab: Lab) -> None:
    server = await started()
    assert await server.poll() is None
    lab.engine.kill(server.object_id)
    assert await server.poll() == 1
    lab.engine.remove(server.object_id)
    assert await server.poll() == 0
    server.clear_state()
    assert await server.poll() == 0


async def test_a_server_nobody_can_ask_about_is_not_dead(lab: Lab) -> None:
    server = await started()
    lab.engine.stuck = True
    assert await server.poll() is None
    lab.engine.stuck = False
    assert await server.poll() is None


async def test_another_container_of_the_name_is_not_this_server(lab: Lab) -> None:
    server = await started()
    lab.engine.remove(server.object_id)
    lab.run("alice", "none")
    assert await server.poll() == 0


async def test_stop_stops_the_container_and_forgets_it(lab: Lab) -> None:
    server = await started(gpu="mig")
    await server.stop()
    made = lab.container("alice")
    assert made is not None
    assert made.state is ContainerState.EXITED
    assert server.object_id == ""
    assert lab.events.of("container.stop")[0].interface == "hub"


async def test_stop_waits_for_a_stuck_engine(lab: Lab) -> None:
    server = await started()
    lab.engine.stuck = True
    stopping = asyncio.create_task(server.stop())
    before = len(lab.engine.calls)
    async with asyncio.timeout(10):
        while len(lab.engine.calls) < before + 3:  # noqa: ASYNC110 - threads call
            await asyncio.sleep(0.01)
    assert not stopping.done()
    lab.engine.stuck = False
    await stopping
    made = lab.container("alice")
    assert made is not None
    assert made.state is ContainerState.EXITED


async def test_stop_does_not_wait_for_ever(lab: Lab) -> None:
    server = await started()
    server.stop_patience = 0.05
    lab.engine.stuck = True
    with pytest.raises(SpawnException) as caught:
        await server.stop()
    assert caught.value.status_code == 503
    assert server.object_id, "what runs is not forgotten"


async def test_stop_works_without_a_valid_policy(lab: Lab) -> None:
    server = await started()
    lab.policy.broken = True
    await server.stop()
    made = lab.container("alice")
    assert made is not None
    assert not made.state.is_live


async def test_a_restarted_hub_waits_for_a_busy_server_as_long_as_it_runs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await started()
    asked = 0

    async def busy_at_first(url: str) -> bool:
        nonlocal asked
        await asyncio.sleep(0)
        assert url == "http://10.9.9.9:8888/"
        asked += 1
        return asked > 5

    monkeypatch.setattr(spawner, "answers", busy_at_first)
    server._check_pending = True
    assert await server.get_url() == "http://10.9.9.9:8888/"
    assert asked == 6
    assert lab.container("alice") is not None


async def test_a_restarted_hub_does_not_wait_for_a_server_that_ended(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(url: str) -> bool:
        await asyncio.sleep(0)
        return not url

    server = await started()
    monkeypatch.setattr(spawner, "answers", never)
    server._check_pending = True
    lab.engine.kill(server.object_id)
    async with asyncio.timeout(10):
        await server.get_url()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mem_limit", "8G"),
        ("cpu_limit", 2.0),
        ("extra_host_config", {"privileged": True}),
        ("extra_create_kwargs", {"user": "root"}),
        ("links", {"other": "other"}),
        ("network_name", "host"),
        ("allowed_images", ["debian"]),
    ],
)
def test_settings_that_would_mislead_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=rf"{name} has no effect here.*resource-limits\.yaml"):
        new_spawner(**{name: value})


async def test_the_form_is_rendered_for_the_server_that_was_asked_for(lab: Lab) -> None:
    lab.policy.broken = True
    assert "The lab's settings cannot be read right now" in unescape(
        await new_spawner().render_form()
    )


SHORT = "The lab's settings cannot be read right now"
LONG = "There is no valid policy yet."


@pytest.mark.parametrize(
    ("owner", "asks", "said"),
    [
        ("alice", None, SHORT),
        ("boss", None, LONG),
        ("boss", SimpleNamespace(admin=True), LONG),
        ("boss", orm.Service(name="ds01", admin=False), LONG),
        ("boss", SimpleNamespace(admin=False), SHORT),
        ("alice", SimpleNamespace(admin=True), SHORT),
        ("alice", orm.Service(name="ds01", admin=True), SHORT),
    ],
)
async def test_what_is_wrong_is_told_where_owner_and_asker_are_administrators(
    lab: Lab, owner: str, asks: Any, said: str
) -> None:
    lab.policy.broken = True
    server = new_spawner(user=owner)
    server.handler = None if asks is None else SimpleNamespace(current_user=asks)
    form = unescape(await server.render_form())
    with pytest.raises(SpawnException) as caught:
        await server.start()
    other = LONG if said is SHORT else SHORT
    for text in (form, str(caught.value), caught.value.jupyterhub_message):
        assert said in text
        assert other not in text
    assert (caught.value.reason, caught.value.status_code) == ("unavailable", 503)


async def test_a_link_carries_options_as_the_form_does() -> None:
    query = {"gpu": ["mig"], "gpu_count": ["2"], "image": ["starter"]}
    assert await maybe_future(new_spawner().options_from_query(query)) == {
        "gpu": "mig",
        "gpu_count": 2,
        "image": "starter",
    }


def test_the_hub_revokes_the_token_of_a_stopped_server() -> None:
    assert new_spawner().will_resume is False


async def test_internal_ssl_is_refused_in_words(lab: Lab) -> None:
    server = new_spawner()
    server.internal_ssl = True
    server.apply_options({})
    with pytest.raises(SpawnException, match="internal_ssl does not reach containers"):
        await server.start()
    assert lab.container("alice", "jupyter") is None


async def test_refused_options_are_logged_and_not_kept(lab: Lab) -> None:
    server = new_spawner()
    server.orm_spawner.user_options = {"junk": "y" * 1000}
    server.apply_options({"junk": "y" * 1000})
    with pytest.raises(SpawnException, match="Unknown server option: junk"):
        await server.start()
    assert server.orm_spawner.user_options == {}
    assert len(lab.events.of("request.reject")) == 1
    assert (await ended(lab))["cause"] == "invalid"


async def test_a_renamed_server_leaves_its_stopped_container_behind(lab: Lab) -> None:
    server = await started("draft", gpu="mig")
    await server.stop()

    await server.rename("draft", "final")

    assert lab.container("alice", "draft") is None
    assert server.object_name == "final._.alice"
    with pytest.raises(web.HTTPError, match="cannot be called jupyter"):
        await server.rename("final", "jupyter")


def _stopped_by_rule(lab: Lab) -> None:
    stop = RuleStop(
        "earlier",
        "jupyter._.alice",
        "alice",
        Rule.IDLE,
        "idle_timeout",
        "2h",
        "group student, resource-limits.yaml line 31",
        "Nothing has run on it since 10:00.",
        decided_at=lab.clock.now(),
    )
    with lab.ledger.transaction() as transaction:
        transaction.put_rule_stop(stop)


async def test_the_pages_are_told_which_rule_stopped_a_server(lab: Lab) -> None:
    _stopped_by_rule(lab)
    stop = await new_spawner().why_stopped("")
    assert stop is not None
    assert stop["sentence"] == "It was stopped at 12:00. Nothing has run on it since 10:00."
    assert stop["rule"] == "Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31)."
    assert await new_spawner().why_stopped("other") == {}
    assert await new_spawner(user="bob").why_stopped("") == {}


async def test_what_nobody_can_say_is_not_said(lab: Lab) -> None:
    lab.ledger.locked = True  # type: ignore[attr-defined]
    assert await new_spawner().why_stopped("") is None


async def test_a_server_that_runs_again_forgets_why_it_was_stopped(lab: Lab) -> None:
    _stopped_by_rule(lab)
    server = await started()
    assert await server.why_stopped("") == {}


async def test_a_start_that_fails_forgets_nothing(lab: Lab) -> None:
    _stopped_by_rule(lab)
    lab.engine.stuck = True
    with pytest.raises(SpawnException):
        await started()
    assert await new_spawner().why_stopped("") != {}


def test_the_last_choice_is_this_servers_or_that_of_the_one_started_last() -> None:
    new = new_spawner("new")
    assert new.last_options() == {}
    old, later = datetime(2026, 1, 1), datetime(2026, 2, 1)  # noqa: DTZ001 - as the hub has them
    new.user.orm_spawners = {
        "": SimpleNamespace(user_options={"gpu": "mig"}, last_activity=old),
        "a": SimpleNamespace(user_options={"gpu": "none"}, last_activity=later),
        "b": SimpleNamespace(user_options=None, last_activity=None),
        "c": SimpleNamespace(user_options={"gpu": "full"}, last_activity=None),
    }
    assert new.last_options() == {"gpu": "none"}
    new.orm_spawner.user_options = {"gpu": "2g.10gb"}
    assert new.last_options() == {"gpu": "2g.10gb"}


async def ended(lab: Lab) -> dict[str, object]:
    """How the last start ended, as the log tells once a thread has written it."""
    async with asyncio.timeout(5):
        while not lab.events.of("server.spawn"):  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.005)
    return dict(lab.events.of("server.spawn")[-1].details)


async def test_a_start_tells_how_long_its_steps_took(lab: Lab) -> None:
    await started(gpu="mig")
    found = await ended(lab)
    (event,) = lab.events.of("server.spawn")
    assert (event.outcome, event.user, event.resource) == ("ok", "alice", "jupyter._.alice")
    phases = found.pop("phases_ms")
    assert found == {"end": "ready", "cause": ""}
    assert isinstance(phases, dict)
    assert list(phases) == ["limits", "gpu", "create", "start", "answer", "ready"]
    assert all(isinstance(each, int) and each >= 0 for each in phases.values())


async def test_a_start_that_is_refused_tells_the_limit(lab: Lab) -> None:
    lab.run("alice", name="other")
    server = new_spawner()
    server.apply_options({"gpu": "mig"})
    with pytest.raises(SpawnException):
        await server.start()
    found = await ended(lab)
    assert (found["end"], found["cause"]) == ("refused", "max_gpu_slots")


async def test_a_start_that_is_cancelled_says_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_url: str) -> bool:
        await asyncio.sleep(0)
        return False

    monkeypatch.setattr(server_start, "answers", never)
    server = new_spawner()
    server.apply_options({})
    task = asyncio.create_task(server.start())
    async with asyncio.timeout(5):
        while lab.container("alice") is None:  # noqa: ASYNC110 - a thread makes it
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ended(lab))["end"] == "cancelled"


async def test_a_log_that_takes_nothing_stops_no_start(lab: Lab) -> None:
    server = new_spawner()
    server.apply_options({})
    lab.engine.on_call = lambda method: setattr(lab.events, "full", method == "address")
    await server.start()
    assert lab.container("alice") is not None
