"""The API behind a real hub: its tokens, scopes, log-in and cookies."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from ds01_spawner.client import Client, behind_hub
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import Unauthenticated
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.api.hub_service import hub_application
from fakes.api_lab import ApiLab, api_lab_beside
from integration.gateway.gateway_process import eventually
from integration.ports import free_port

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[3]
PEOPLE = ("alice", "mia", "boss")


@dataclass(frozen=True)
class RealHub:
    """A hub, and the API as its service."""

    url: str
    token: str
    lab: ApiLab

    def token_of(self, user: str, *scopes: str) -> str:
        """A new token of somebody's: with everything that they may, or with some scopes."""
        answer = requests.post(
            f"{self.url}/hub/api/users/{user}/tokens",
            json={"scopes": list(scopes)} if scopes else {},
            headers={"Authorization": f"token {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def client(self, user: str, *scopes: str) -> Client:
        """The client of somebody with a new token."""
        return behind_hub(self.url, self.token_of(user, *scopes))

    def browser(self, user: str) -> requests.Session:
        """A browser in which somebody has logged in, to hub and service."""
        session = requests.Session()
        session.trust_env = False
        page = session.get(f"{self.url}/hub/login", timeout=30)
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf is not None
        session.post(
            f"{self.url}/hub/login",
            data={"username": user, "password": "x", "_xsrf": xsrf[1]},
            timeout=30,
        )
        target = "/services/ds01/api/me"
        back = session.get(
            f"{self.url}/services/ds01/login",
            params={"next": target},
            headers={"Sec-Fetch-Mode": "navigate"},
            timeout=30,
        )
        assert back.url.endswith(target), (back.url, back.text)
        return session


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    state = tmp_path_factory.mktemp("hub")
    ports = {name: free_port() for name in ("HUB_PORT", "HUB_API_PORT", "HUB_PROXY_PORT", "API")}
    token, of_tests = secrets.token_hex(16), secrets.token_hex(16)
    environment = {
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{ports['HUB_API_PORT']}/hub/api",
    }

    def application(lab: ApiLab) -> Any:
        return hub_application(lab.served, environment, b"c" * 32)

    with api_lab_beside(state, make=application, port=ports["API"]) as lab:
        log = (state / "hub.log").open("wb")
        process = subprocess.Popen(
            [
                Path(sys.executable).parent / "jupyterhub",
                "--config",
                Path(__file__).with_name("hub_config.py"),
            ],
            cwd=state,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HUB_UNDER_TEST": str(ROOT / "hub_config/jupyterhub_config.py"),
                "HUB_STATE": str(state),
                "HUB_TEST_TOKEN": of_tests,
                "GATEWAY_TOKEN": token,
                "GATEWAY_URL": f"http://127.0.0.1:{ports['API']}",
                **{name: str(port) for name, port in ports.items()},
            },
        )
        found = RealHub(f"http://127.0.0.1:{ports['HUB_PORT']}", of_tests, lab)
        try:
            _wait(found, process, state / "hub.log")
            for user in PEOPLE:
                _add(found, user)
            yield found
        finally:
            process.terminate()
            process.wait(30)
            log.close()


def _wait(hub: RealHub, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if requests.get(f"{hub.url}/services/ds01/api/openapi.json", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)


def _add(hub: RealHub, user: str) -> None:
    answer = requests.post(
        f"{hub.url}/hub/api/users/{user}",
        headers={"Authorization": f"token {hub.token}"},
        timeout=30,
    )
    assert answer.status_code in {201, 409}, answer.text


@pytest.mark.parametrize(
    ("user", "role"), [("alice", "student"), ("mia", "manager"), ("boss", "admin")]
)
def test_a_token_has_the_role_of_its_owner(hub: RealHub, user: str, role: str) -> None:
    with hub.client(user) as client:
        me = client.me()
    assert (me.user, me.role, me.interface) == (user, role, "hub")


def test_a_token_for_this_service_alone_is_a_students_whoever_it_belongs_to(hub: RealHub) -> None:
    with hub.client("boss", "access:services!service=ds01") as client:
        assert client.me().role is m.Role.STUDENT
        with pytest.raises(Forbidden, match="administrators"):
            client.stop("x", user="alice")


def test_a_token_for_something_else_opens_nothing(hub: RealHub) -> None:
    with (
        hub.client("alice", "read:users:name!user=alice") as client,
        pytest.raises(Forbidden, match="not for this service"),
    ):
        client.me()


def test_no_token_opens_nothing(hub: RealHub) -> None:
    with behind_hub(hub.url, "wrong") as client, pytest.raises(Unauthenticated):
        client.me()


@pytest.mark.parametrize(
    ("user", "role"), [("alice", "student"), ("mia", "manager"), ("boss", "admin")]
)
def test_a_browser_logs_in_and_has_the_role_of_the_person(
    hub: RealHub, user: str, role: str
) -> None:
    with hub.browser(user) as browser:
        told = browser.get(
            f"{hub.url}/services/ds01/api/me", headers={"Sec-Fetch-Mode": "navigate"}, timeout=30
        )
        assert (told.status_code, told.json()["role"]) == (200, role)


def test_a_page_of_the_service_may_act_and_a_page_of_somebody_else_may_not(hub: RealHub) -> None:
    hub.lab.container("alice")
    url = f"{hub.url}/services/ds01/api/containers/run/stop"
    with hub.browser("alice") as browser:
        forged = browser.post(url, headers={"Sec-Fetch-Mode": "cors"}, timeout=30)
        assert forged.status_code == 401, forged.text
        guessed = browser.post(url, headers={"X-XSRFToken": "guess"}, timeout=30)
        assert guessed.status_code == 401
        assert hub.lab.lab.container("alice", "run").state.is_live  # type: ignore[union-attr]
        cookies = {each.path: each.value for each in browser.cookies if each.name == "_xsrf"}
        xsrf = str(cookies["/services/ds01/"])
        done = browser.post(
            url, headers={"X-XSRFToken": xsrf, "Sec-Fetch-Mode": "cors"}, timeout=60
        )
        assert (done.status_code, done.json()["state"]) == (200, "exited"), done.text


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/services/ds01/\\evil", "/hub/"]
)
def test_nobody_is_sent_elsewhere_after_the_log_in(hub: RealHub, target: str) -> None:
    with hub.browser("alice") as browser:
        answer = browser.get(
            f"{hub.url}/services/ds01/login",
            params={"next": target},
            headers={"Sec-Fetch-Mode": "navigate"},
            allow_redirects=False,
            timeout=30,
        )
        assert (answer.status_code, answer.headers["Location"]) == (302, "/services/ds01/")


def test_the_log_is_searched_through_the_hub(hub: RealHub) -> None:
    hub.lab.lab.audit.write("a.b", user="alice", resource="x", interface="hub")
    with hub.client("alice") as client:
        assert next(client.events(action="a.*")).resource == "x"
        for queue in client.follow_queue():
            assert queue.tickets == ()
            break


def test_who_goes_away_from_the_hub_leaves_the_queue_and_no_container(hub: RealHub) -> None:
    lab = hub.lab.lab
    lab.accounts.people["alice"] = UnixAccount("alice", 1001, 1001, "/home/alice")
    hub.lab.waiting("zoe")

    class EnoughError(Exception):
        pass

    def leave(_place: m.Place) -> None:
        raise EnoughError

    wanted = m.CreateRequest(name="far", gpu="mig", wait="5m")
    with hub.client("alice") as client, pytest.raises(EnoughError):
        client.create(wanted, on_place=leave)
    eventually(lambda: "alice" not in {each.user for each in lab.admission.current().tickets})
    assert not [each for each in lab.engine.containers() if each.name == "far._.alice"]
