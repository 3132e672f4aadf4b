import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    QuotaExceeded,
    Unavailable,
)
from ds01_widgets.models.launch_server import NEW, LaunchServerModel
from ds01_widgets.running import ONE_AT_A_TIME
from ds01_widgets.views.launch_server import LaunchServer
from fakes.api_app import NOW, Asked, FakeApi, server

GIB = 1024**3


def slot(
    name: str, profile: str, equivalents: float, state: str = "free", **facts: Any
) -> m.GpuSlot:
    usual: dict[str, Any] = {
        "slot": name,
        "profile": profile,
        "memory_bytes": 5 * GIB if profile == "1g.5gb" else 40 * GIB,
        "equivalents": equivalents,
        "state": state,
        "mine": False,
        "user": None,
        "container": None,
        "since": None,
        "until": None,
        "use": "interactive",
        "utilisation": None,
        "memory_used_bytes": None,
        "processes": None,
    }
    return m.GpuSlot.model_validate(usual | facts)


SLOTS = (
    slot("0:0", "1g.5gb", 1 / 7, "allocated"),
    slot("0:1", "1g.5gb", 1 / 7),
    slot("1", "full", 1.0),
    slot("2", "full", 1.0, use="batch"),
)


def sizes(
    refused: Mapping[str, DS01Error] | None = None,
    places: Mapping[str, int] | None = None,
    most: Mapping[str, int] | None = None,
    waits: Mapping[str, tuple[float | None, ...]] | None = None,
) -> tuple[m.ServerSize, ...]:
    """All but whole GPUs, unless it is said how many of those one may have."""
    offered = {"none": 0.0, "1g.5gb": 1 / 7, "full": 1.0}
    if "full" not in (most or {}):
        del offered["full"]
    errors = {size: problem_of(error) for size, error in (refused or {}).items()}
    return tuple(
        m.ServerSize(
            size=size,
            memory_bytes=5 * GIB,
            equivalents=equivalents,
            most=(most or {}).get(size, 1),
            place=(places or {}).get(size, 0),
            waits=(waits or {}).get(size, ()),
            refused=errors.get(size),
        )
        for size, equivalents in offered.items()
    )


def image(key: str | None, **facts: Any) -> m.Image:
    usual: dict[str, Any] = {
        "reference": f"ds01/{key}:latest",
        "key": key,
        "title": str(key).capitalize(),
        "own": False,
        "present": True,
        "size_bytes": 2 * GIB,
    }
    return m.Image.model_validate(usual | facts)


MINE = image(None, reference="ds01-alice/thesis:latest", title="thesis:latest", own=True)


@pytest.fixture
def lab(api: FakeApi) -> FakeApi:
    api.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="nvml", slots=SLOTS)
    api.sizes = sizes()
    api.images = [image("starter", default=True), MINE]
    api.servers[""] = server("", state="stopped", started_at=None)
    return api


@pytest.fixture
def model(lab: FakeApi) -> LaunchServerModel:
    model = LaunchServerModel(lab.client)
    model.load()
    return model


@pytest.fixture
def view(model: LaunchServerModel) -> Iterator[LaunchServer]:
    view = LaunchServer(model=model)
    yield view
    view.close()


def test_what_the_policy_refuses_is_not_offered(view: LaunchServer) -> None:
    assert view.gpu.options == (
        ("No GPU", "none"),
        ("GPU with 5 GB (1g.5gb, 1/7 of a GPU)", "1g.5gb"),
    )
    assert "1 of 2 free" in view.free.value
    assert "Whole" not in view.free.value


def test_another_policy_makes_another_wizard(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    view.gpu.value = "1g.5gb"
    assert view.count.layout.display == "none"
    lab.sizes = sizes(most={"1g.5gb": 2, "full": 1})
    model.load()
    assert [value for _, value in view.gpu.options] == ["none", "1g.5gb", "full"]
    assert view.gpu.value == "1g.5gb"
    assert view.count.max == 2, "as many as there are"
    view.count.value = 2
    assert model.count == 2
    view.gpu.value = "full"
    assert (view.count.max, model.count) == (1, 1)


def test_a_limit_that_is_reached_is_said_and_cannot_be_chosen(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    full = QuotaExceeded(
        "2 of 2 GPU slots in use.", "Stop one.", limit="max_gpu_slots", used=2, asked=1, allowed=2
    )
    lab.sizes = sizes({"1g.5gb": full})
    model.load()
    assert [value for _, value in view.gpu.options] == ["none"]
    assert "2 of 2 GPU slots in use. Stop one." in view.free.value


def test_what_is_to_be_waited_for_says_the_place(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.sizes = sizes(places={"1g.5gb": 3})
    model.load()
    view.gpu.value = "1g.5gb"
    assert "you would be number 3 in the queue" in view.hint.value
    view.wait.value = False
    assert "without waiting the server is not started" in view.hint.value
    lab.sizes = sizes(places={"1g.5gb": 1})
    model.load()
    view.wait.value = True
    assert "you would be the next" in view.hint.value


def test_how_long_one_waits_is_said_by_the_number_of_gpus(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    assert "Expected wait" not in view.free.value, "nobody has to wait"
    lab.sizes = sizes(
        most={"1g.5gb": 3, "full": 1}, waits={"1g.5gb": (0.0, 3600.0, 3600.0), "full": (7200.0,)}
    )
    model.load()
    assert [each.wait for each in model.offers] == [
        *("", "none for 1, about 1 hour for 2 or 3", "about 2 hours")
    ]
    assert '<th scope="col">Expected wait</th>' in view.free.value
    assert "<td>none for 1, about 1 hour for 2 or 3</td>" in view.free.value
    assert "<td>about 2 hours</td>" in view.free.value
    view.gpu.value = "1g.5gb"
    view.count.value = 2
    assert "Only 1 of this size is free: you would be the next" in view.hint.value


def test_what_one_may_have_is_asked_anew_when_a_gpu_is_taken(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    taken = tuple(each.model_copy(update={"state": "allocated"}) for each in SLOTS)
    lab.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="nvml", slots=taken)
    lab.sizes = sizes(places={"1g.5gb": 2}, waits={"1g.5gb": (7200.0,)})
    with lab.client() as client:
        model._read(model.read(client))
    assert "about 2 hours" in view.free.value
    view.gpu.value = "1g.5gb"
    assert "you would be number 2 in the queue" in view.hint.value


def test_a_server_is_started_and_its_place_followed(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.places = [
        m.Place(place=2, length=3, reason="All are in use.", gpu="a MIG slot", waited_seconds=4)
    ]
    seen: list[str] = []
    model.observe(lambda: seen.append(view.progress.text.value))
    view.gpu.value = "1g.5gb"
    view.image.value = MINE.reference
    view.start.click()
    sent = lab.body("startServer")
    assert (sent.name, sent.gpu, sent.gpu_count, sent.wait) == ("", "1g.5gb", 1, True)
    assert sent.image == "ds01-alice/thesis:latest"
    assert any("you are number 2 of 3. All are in use." in each for each in seen)
    assert any("Starting your server" in each for each in seen)
    assert "My server runs." in view.told.value
    assert 'href="https://hub.example.org/user/alice/"' in view.told.value
    assert view.start.disabled
    assert view.gpu.layout.display == view.start.layout.display == "none"
    assert "My server runs." in view.told.value
    assert view.fault.value == "", "it is said once"


def test_a_new_server_needs_a_name_that_none_has(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    view.server.value = NEW
    assert view.name.layout.display is None
    assert view.start.disabled
    view.name.value = "Thesis!"
    assert "cannot name a server" in view.fault.value
    view.name.value = "jupyter"
    assert not model.can_start
    view.name.value = "thesis"
    view.start.click()
    assert lab.body("startServer").name == "thesis"
    assert view.server.value == "thesis"
    assert view.name.layout.display == "none"


def test_no_more_servers_are_offered_than_the_hub_allows(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.servers["a"] = server("a")
    lab.answers["listServers"] = lambda asked: lab._list_servers(asked).model_copy(
        update={"named_limit": 1}
    )
    model.load()
    assert [value for _, value in view.server.options] == ["", "a"]
    model.mean(NEW)
    assert "as many servers as the hub allows" in model.fault


def test_a_server_that_was_there_before_is_proposed_as_it_was(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.servers["a"] = server(
        "a", state="stopped", image="ds01-alice/thesis:latest", gpu="1g.5gb", gpu_count=1
    )
    model.load()
    view.server.value = "a"
    assert (view.image.value, view.gpu.value) == (MINE.reference, "1g.5gb")


def test_a_start_is_broken_off(lab: FakeApi, model: LaunchServerModel, view: LaunchServer) -> None:
    def started(asked: Asked) -> list[tuple[str, m.Wire] | DS01Error]:
        lab.servers[asked.body.name] = server(asked.body.name, state="starting")
        place = m.Place(place=1, length=1, reason="", gpu="a MIG slot", waited_seconds=0)
        return [("place", place), Unavailable("The start was broken off.")]

    lab.answers["startServer"] = started

    def press() -> None:
        if model.is_starting and model.starting is not None and model.starting.place is not None:
            view.cancel.click()

    model.observe(press)
    view.start.click()
    assert lab.operations().count("stopServer") == 1
    assert "The start was broken off." in view.told.value
    assert view.problem.value == ""
    assert model.can_start


def test_a_start_that_fails_is_told(lab: FakeApi, view: LaunchServer) -> None:
    lab.refuses["startServer"] = Conflict("Your disk is full <100 GB>.", "Delete something.")
    view.start.click()
    assert "Your disk is full &lt;100 GB&gt;." in view.problem.value
    assert "Delete something." in view.problem.value
    assert not view.start.disabled


def test_a_server_that_runs_is_opened_or_stopped_after_a_question(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.servers[""] = server("", gpu_slots=("0:1",))
    model.load()
    assert 'href="https://hub.example.org/user/alice/"' in view.servers.value
    view.stop.click()
    assert "stopServer" not in lab.operations()
    assert view.stop.description == "Yes, stop it"
    view.stop.click()
    assert "stopServer" in lab.operations()
    assert "My server stopped." in view.told.value
    assert view.stop.layout.display == "none"


def test_a_start_that_waits_is_seen_by_another_wizard(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    place = m.Place(place=2, length=2, reason="", gpu="a MIG slot", waited_seconds=60)
    lab.servers[""] = server("", state="starting", place=place)
    model.load()
    assert "you are number 2 of 2" in view.servers.value
    assert view.stop.description == "Break its start off …"
    assert view.start.disabled


def test_what_one_may_have_is_asked_anew_when_a_server_ends_by_itself(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.servers[""] = server("", gpu_slots=("0:1",))
    model.load()
    asked_before = lab.operations().count("getServerOptions")
    with lab.client() as client:
        model._read(model.read(client))
        assert lab.operations().count("getServerOptions") == asked_before
        lab.servers[""] = server("", state="stopped", started_at=None)
        model._read(model.read(client))
    assert lab.operations().count("getServerOptions") > asked_before
    assert view.start.layout.display is None


def test_that_the_last_free_gpu_has_gone_is_seen(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    view.gpu.value = "1g.5gb"
    assert "the server starts at once" in view.hint.value
    taken = tuple(each.model_copy(update={"state": "allocated"}) for each in SLOTS)
    lab.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="nvml", slots=taken)
    with lab.client() as client:
        model._read(model.read(client))
    assert "you would be the next" in view.hint.value


def test_an_address_that_is_none_is_not_linked(
    lab: FakeApi, model: LaunchServerModel, view: LaunchServer
) -> None:
    lab.servers[""] = server("", url="javascript:alert(1)")
    model.load()
    assert "javascript" not in view.servers.value


def test_closing_leaves_the_start_under_way(lab: FakeApi, model: LaunchServerModel) -> None:
    view = LaunchServer(model=model)
    view.start.click()
    view.close()
    assert "stopServer" not in lab.operations()


def test_what_is_said_while_another_thread_draws_is_not_lost(view: LaunchServer) -> None:
    said = threading.Event()

    def say() -> None:
        said.set()
        view.gpu.value = "1g.5gb"

    with ONE_AT_A_TIME:
        view._drawing = True
        typing = threading.Thread(target=say)
        typing.start()
        assert said.wait(10)
        typing.join(0.05)
        view._drawing = False
    typing.join(10)
    assert view.model.gpu == "1g.5gb"
