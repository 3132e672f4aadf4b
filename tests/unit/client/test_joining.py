from collections.abc import Callable

import httpx
import pytest

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import Unreachable
from ds01_spawner.domain.errors import Unavailable
from fakes.api_app import server

Answer = Callable[[], httpx.Response]
STEP = ("step", m.Step(name="limits", text="Checking your limits"))
END = ("end", server("thesis"))
WANTED = m.ServerRequest(name="thesis")


def stream(*events: tuple[str, m.Wire]) -> Answer:
    text = "".join(f"event: {name}\ndata: {value.model_dump_json()}\n\n" for name, value in events)
    return lambda: httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def away() -> httpx.Response:
    raise httpx.ConnectError("refused")


def known(*servers: m.Server) -> Answer:
    found = m.Servers(named_limit=1, servers=servers).model_dump_json()
    return lambda: httpx.Response(200, text=found, headers={"Content-Type": "application/json"})


class Api:
    """Answers in turn; whatever is asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        return self._answers.pop(0)()

    def start(self) -> tuple[m.Server, list[str]]:
        """What came of a start, and what was told meanwhile."""
        steps: list[str] = []
        http = httpx.Client(base_url="http://api/", transport=httpx.MockTransport(self))
        with Client(http, sleep=lambda _seconds: None) as client:
            return client.start_server(WANTED, on_step=lambda step: steps.append(step.name)), steps


STARTING = server("thesis", state="starting", started_at=None)
STOPPED = server("thesis", state="stopped", started_at=None)


def test_a_start_is_joined_again_when_the_line_breaks() -> None:
    api = Api(stream(STEP), away, away, known(STARTING), stream(STEP, END))
    made, steps = api.start()
    assert (made.state, steps) == ("running", ["limits", "limits"])
    assert api.asked == ["POST", "GET", "GET", "GET", "POST"]


def test_a_server_that_is_ready_meanwhile_is_the_end() -> None:
    made, _ = Api(stream(STEP), known(server("thesis"))).start()
    assert made.state == "running"


@pytest.mark.parametrize("there", [(), (STOPPED,)], ids=["gone", "stopped"])
def test_a_start_that_ended_meanwhile_is_not_begun_anew(there: tuple[m.Server, ...]) -> None:
    api = Api(stream(STEP), known(*there))
    with pytest.raises(Unavailable, match="broke off before"):
        api.start()
    assert api.asked == ["POST", "GET"]


def test_who_hears_nothing_does_not_ask_for_ever() -> None:
    with pytest.raises(Unreachable):
        Api(away).start()
    with pytest.raises(Unavailable, match="broke off before"):
        Api(stream(STEP), known(STARTING), stream()).start()
    with pytest.raises(Unreachable):
        Api(stream(STEP), *(away for _ in range(20))).start()
