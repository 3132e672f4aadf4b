"""The fake that commands are tested with answers as the gateway would, through the real client."""

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, NoCapacity, NotFound
from fakes.api_app import FakeApi

PLACE = m.Place(place=2, length=3, reason="All are in use.", gpu="a MIG slot", waited_seconds=4.0)


def test_a_container_is_made_waited_for_stopped_and_removed() -> None:
    api = FakeApi(places=[PLACE])
    seen: list[m.Place] = []
    with api.client() as client:
        made = client.create(m.CreateRequest(name="thesis", gpu="mig"), on_place=seen.append)
        assert (made.name, made.state, made.gpu_slots) == ("thesis", "running", ("0:0",))
        assert seen == [PLACE]
        assert client.pause("thesis").state == "paused"
        assert client.unpause("thesis").state == "running"
        with pytest.raises(Conflict, match="runs"):
            client.remove("thesis")
        assert client.remove("thesis", force=True).name == "thesis"
        with pytest.raises(NotFound):
            client.container("thesis")
    assert api.body("createContainer").gpu == "mig"
    assert api.operations()[0] == "createContainer"


def test_what_is_refused_is_raised_also_in_the_middle_of_a_stream() -> None:
    api = FakeApi()
    api.answers["createContainer"] = lambda _asked: [("place", PLACE), NoCapacity("None is free.")]
    api.refuses["planContainer"] = Conflict("Taken.")
    with api.client() as client:
        with pytest.raises(NoCapacity, match="None is free"):
            client.create(m.CreateRequest())
        with pytest.raises(Conflict, match="Taken"):
            client.plan(m.CreateRequest())


def test_commands_run_and_images_are_built_nowhere() -> None:
    api = FakeApi(outputs={"python": (((1, b"hi\n"),), 3)})
    api.has("thesis")
    with api.client() as client:
        with client.exec("thesis", ["python", "-c", "…"]) as session:
            assert session.read() == (1, b"hi\n")
            assert session.read() is None
            assert session.exit_code() == 3
        client.build(m.BuildRequest(name="mine", dockerfile="FROM x", recipe="r"))
        *_, end = client.follow_build("b1")
    assert isinstance(end, m.Build)
    assert end.name == "ds01-alice/mine:latest"
    assert api.ran[0][1].command == ("python", "-c", "…")


def test_servers_are_started_waited_for_seen_and_stopped() -> None:
    api = FakeApi(places=[PLACE])
    places: list[m.Place] = []
    steps: list[m.Step] = []
    wanted = m.ServerRequest(name="thesis", gpu="mig")
    with api.client() as client:
        made = client.start_server(wanted, on_place=places.append, on_step=steps.append)
        assert (made.state, made.gpu_slots, places) == ("running", ("0:0",), [PLACE])
        assert [each.name for each in steps] == ["start"]
        with pytest.raises(Conflict, match="runs already"):
            client.start_server(wanted)
        assert [each.name for each in client.servers().servers] == ["thesis"]
        assert client.stop_server("thesis").state == "stopped"
        with pytest.raises(NotFound):
            client.stop_server()
    assert api.asked[-1].parts == {"name": "jupyter"}
