import os
import socket

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from ds01_cli.frame import no_api
from ds01_cli.ssh import by_websocket
from ds01_spawner.client import places
from ds01_spawner.client.places import Place, hub_place
from ds01_spawner.domain.errors import Unavailable

HUB = "https://hub.example.org"
LOGGED_IN = hub_place(HUB, "secret", places.LOGIN)
BY_VARIABLE = hub_place(HUB, "secret")
IN_A_SERVER = Place(places.API_VARIABLE, "http://10.0.0.1:9000/", token="secret")


def refused(place: Place, status: int) -> str:
    return str(by_websocket._refused(place, Response(status, "", Headers(), b"<html>")))


@pytest.mark.parametrize(
    ("place", "status", "said", "next_step"),
    [
        (LOGGED_IN, 401, f"The hub {HUB}/ does not accept your token", f"ds01 login {HUB}/"),
        (BY_VARIABLE, 401, "does not accept your token", f"{HUB}/hub/token and set DS01_TOKEN"),
        (IN_A_SERVER, 401, "The gateway at http://10.0.0.1:9000/", "Restart your JupyterLab"),
        (LOGGED_IN, 503, "answers, but its gateway does not", "tell your administrator"),
        (LOGGED_IN, 404, f"The hub {HUB}/ answers 404: there is no DS01", "up to /hub"),
        (LOGGED_IN, 101, "does not pass websockets on", "Is there a proxy?"),
    ],
)
def test_a_tunnel_that_is_refused_is_told_as_other_commands_tell_it(
    place: Place, status: int, said: str, next_step: str
) -> None:
    text = refused(place, status)
    assert said in text
    assert next_step in text
    assert "secret" not in text


def test_one_that_takes_long_to_answer_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()
    monkeypatch.setattr(by_websocket, "_connected", lambda _place: here)
    monkeypatch.setattr(by_websocket, "_ANSWER_SECONDS", 0.05)
    with here, there, pytest.raises(Unavailable, match="does not answer in time"):
        by_websocket.opened(LOGGED_IN, "thesis")


@pytest.mark.parametrize(
    ("uid", "path", "next_step"),
    [
        (0, "/run/ds01/docker.sock", "systemctl status ds01-gateway; journalctl"),
        (1001, "/run/ds01/docker.sock", "tell your administrator: systemctl status ds01-gateway."),
        (0, "/run/ds01-demo-8123/docker.sock", "script/demo --port 8123"),
        (1001, "/run/ds01-demo-8123/docker.sock", "administrator: script/demo --port 8123."),
        (0, "/run/ds01-demo-/x/docker.sock", "systemctl status ds01-gateway; journalctl"),
    ],
)
def test_what_helps_a_gateway_depends_on_what_runs_it(
    uid: int, path: str, next_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert next_step in no_api.silent(path).next_step
