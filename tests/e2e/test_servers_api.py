"""Servers through the API: the hub starts them, the platform decides, a place is told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, NotFound, QuotaExceeded, Refused
from e2e.full_house import FullHouse
from e2e.house import House, Resident
from e2e.hub import eventually
from integration.unix_people import CAROL, DORA

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def carol(house: House) -> Iterator[Resident]:
    """Somebody who may have three servers and two GPUs."""
    resident = house.resident(CAROL)
    yield resident
    for name in ("", "thesis"):
        if resident.hub.server(name):
            resident.hub.stop(name)


def test_a_server_is_started_seen_and_stopped(carol: Resident) -> None:
    steps: list[str] = []
    wanted = m.ServerRequest(name="thesis", gpu="mig", project="p")
    with carol.client() as client:
        made = client.start_server(wanted, on_step=lambda step: steps.append(step.name))
        assert (made.name, made.state, made.gpu, made.project) == ("thesis", "running", "mig", "p")
        assert list(made.gpu_slots) == [carol.hub.slot("thesis")]
        assert made.url.endswith(f"/user/{carol.name}/thesis/")
        assert steps[-1] in {"start", "answer", "ready"}
        assert carol.hub.answers("thesis")
        with pytest.raises(Conflict, match="runs already"):
            client.start_server(wanted)
        assert _states(client) == {"": "stopped", "thesis": "running"}
        assert client.stop_server("thesis").state in {"stopping", "stopped"}
        eventually(lambda: _states(client)["thesis"] == "stopped")
    (started,) = carol.house.hub.events("server.start", carol.name)[-1:]
    assert started["details"]["gpu"] == "mig"


def _states(client: Client) -> dict[str, str]:
    """Of the servers of these tests: the same person has others in other tests."""
    every = client.servers().servers
    return {each.name: each.state for each in every if each.name in {"", "thesis"}}


def test_a_refusal_is_the_platforms_sentence(carol: Resident) -> None:
    with carol.client() as client:
        with pytest.raises(QuotaExceeded, match="3 GPU") as refused:
            client.start_server(m.ServerRequest(gpu="mig", gpu_count=3))
        assert (refused.value.asked, refused.value.allowed) == (3, 1)
        with pytest.raises(Refused, match="nothing-of-that-name"):
            client.start_server(m.ServerRequest(image="nothing-of-that-name"))
        assert {each.state for each in client.servers().servers} == {"stopped"}


def test_who_waits_is_told_the_place_goes_away_and_cancels(carol: Resident) -> None:
    hub = carol.house.hub
    FullHouse(hub).fill()
    places: list[m.Place] = []

    class EnoughError(Exception):
        pass

    def leave(place: m.Place) -> None:
        places.append(place)
        raise EnoughError

    with carol.client() as client, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.start_server, m.ServerRequest(gpu="mig"), on_place=leave)
        with pytest.raises(EnoughError):
            asking.result(60)
        assert (places[0].place, places[0].length) == (1, 1)
        waiting = client.servers().servers[0]
        assert (waiting.state, waiting.place and waiting.place.place) == ("starting", 1)
        with pytest.raises(Conflict, match="with other options"):
            client.start_server(m.ServerRequest(gpu="none"))
        again = pool.submit(client.start_server, m.ServerRequest(gpu="mig"), on_place=leave)
        with pytest.raises(EnoughError):
            again.result(60)
        assert places[1].place == 1
        assert places[1].waited_seconds > 0
        assert client.stop_server().state in {"stopping", "stopped"}
        assert client.queue().tickets == ()


def test_somebody_elses_servers_are_not_there(carol: Resident, house: House) -> None:
    dora = house.resident(DORA)
    carol.hub.start("thesis")
    with dora.client() as client:
        assert [each.name for each in client.servers().servers] == [""]
        with pytest.raises(NotFound):
            client.stop_server("thesis")
    assert carol.hub.is_ready("thesis")
