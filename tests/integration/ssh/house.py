"""A gateway, a real hub in front of it, and people with the real OpenSSH client."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from integration.gateway.gateway_process import POLICY, Gateway, eventually, running_gateway
from integration.gateway.people import Done, Person
from integration.gateway.terminal import Terminal
from integration.ports import free_port
from integration.unix_people import ALICE, BOB, CAROL, as_person, unix_person

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
HUB_CONFIG = ROOT / "tests/integration/gateway/hub_config.py"
SSH_IMAGE = os.environ.get("DS01_TEST_SSH_IMAGE", "ds01/starter:latest")
BASE_IMAGE = "ds01/base:bookworm"
HUB_SECONDS = 180
HOUSE_POLICY = f"""{POLICY}
users:
  {BOB}: {{policies: {{start_on_connect: false}}}}
  {CAROL}: {{allow_image_user: true}}
"""


@dataclass
class House:
    """One installation.

    Attributes:
        gateway: Its gateway.
        state: The hub's folder.
        ports: Of hub and service.
        token: The service's.
    """

    gateway: Gateway
    state: Path
    ports: Mapping[str, int]
    token: str
    of_tests: str = field(default_factory=lambda: secrets.token_hex(16))
    _hub: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['HUB_PORT']}"

    def start_hub(self) -> None:
        """Start it; returns when it has found the service."""
        with (self.state / "hub.log").open("ab") as log:
            self._hub = subprocess.Popen(
                [BIN / "jupyterhub", "--config", HUB_CONFIG],
                cwd=self.state,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={
                    **os.environ,
                    "PATH": f"{BIN}:{os.environ['PATH']}",
                    "HUB_UNDER_TEST": str(ROOT / "hub_config/jupyterhub_config.py"),
                    "HUB_STATE": str(self.state),
                    "HUB_TEST_TOKEN": self.of_tests,
                    "GATEWAY_TOKEN": self.token,
                    "GATEWAY_URL": f"http://127.0.0.1:{self.ports['API']}",
                    **{name: str(port) for name, port in self.ports.items()},
                },
            )
        eventually(self._answers, HUB_SECONDS, what="the hub answers")

    def stop_hub(self) -> None:
        """End it, and its proxy."""
        assert self._hub is not None
        self._hub.terminate()
        try:
            self._hub.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._hub.pid, signal.SIGKILL)
            self._hub.wait()
            raise

    def _answers(self) -> bool:
        assert self._hub is not None
        assert self._hub.poll() is None, (self.state / "hub.log").read_text()[-3000:]
        try:
            found = requests.get(f"{self.url}/services/ds01/api/openapi.json", timeout=5)
        except requests.RequestException:
            return False
        return found.ok

    def ask_hub(self, method: str, path: str, body: object = None) -> requests.Response:
        """What the hub answers an administrator."""
        return requests.request(
            method,
            f"{self.url}/hub/api{path}",
            json=body,
            headers={"Authorization": f"token {self.of_tests}"},
            timeout=60,
        )

    def token_of(self, user: str, seconds: int | None = None) -> str:
        """A new token of somebody's."""
        self.ask_hub("POST", f"/users/{user}")
        body = {} if seconds is None else {"expires_in": seconds}
        answer = self.ask_hub("POST", f"/users/{user}/tokens", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@dataclass(frozen=True)
class Seat:
    """Somebody at a keyboard, with `ds01`, `ssh` and a folder of their own.

    Attributes:
        person: Who.
        folder: In their home: settings, keys, programs.
        variables: That say where the API is.
    """

    person: Person
    folder: Path
    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/bin:/usr/local/bin:/usr/bin:/bin",
            "DS01_USER_CONFIG_DIR": str(self.folder / "settings"),
            **self.variables,
        }

    @property
    def config(self) -> str:
        return str(self.folder / "settings/ssh_config")

    def shell(self, script: str, **variables: str) -> Done:
        """How a script ends; `$F` are the options that `ssh` and its kind need."""
        return self.person.shell(
            script, {**self.environment, "F": f"-F {self.config}", **variables}
        )

    def ssh(self, host: str, command: str = "true", options: str = "") -> Done:
        """How a command in a container ends."""
        return self.shell(f'ssh $F {options} {host} "$C"', C=command)

    def popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`ssh …`, begun, with pipes."""
        account = self.person.account
        return subprocess.Popen(
            ["ssh", "-F", self.config, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=account.uid,
            group=account.gid,
            extra_groups=os.getgrouplist(account.name, account.gid),
            cwd=account.home,
            env={**self.person.environment, **self.environment},
        )

    def terminal(self, *arguments: str) -> Terminal:
        """`ssh …` on a terminal."""
        return Terminal(
            self.person,
            *("-F", self.config, *arguments),
            program="ssh",
            environment=self.environment,
        )

    def refused(self, host: str) -> str:
        """The one line that says why there is no connection; `ssh` adds two of its own."""
        done = self.ssh(host)
        assert done.code == 255, done
        lines = [
            line
            for line in done.err.splitlines()
            if not line.startswith(("kex_exchange_identification", "Connection closed by"))
        ]
        assert len(lines) == 1, done.err
        assert lines[0].startswith("ds01: "), done.err
        return lines[0].removeprefix("ds01: ")


def seat(person: Person, folder: Path, variables: Mapping[str, str]) -> Seat:
    """A seat with `ds01` in reach."""
    python = sys.executable
    if as_person(person.account, f"test -x {python} && echo yes || echo no") == "no":
        python = "/usr/bin/python3"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    program = (
        f'#!/bin/sh\nPYTHONPATH={ROOT}:{ROOT}/cli:{packages} exec {python} -m ds01_cli.main "$@"\n'
    )
    found = Seat(person, folder, variables)
    (folder / "bin").mkdir()
    (folder / "bin/ds01").write_text(program)
    (folder / "bin/ds01").chmod(0o755)
    return found


@contextmanager
def ssh_house(state: Path, *images: str) -> Iterator[House]:
    """A house with gateway and hub; afterwards both are gone."""
    names = ("HUB_PORT", "HUB_API_PORT", "HUB_PROXY_PORT", "API")
    ports, token = {name: free_port() for name in names}, secrets.token_hex(16)
    of_hub = {
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{ports['HUB_API_PORT']}/hub/api",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{ports['API']}",
    }
    for name in (ALICE, BOB, CAROL):
        unix_person(name)
    hub_state = state / "hub"
    hub_state.mkdir()
    with running_gateway(
        state / "gateway", *images, policy=HOUSE_POLICY, environment=of_hub
    ) as gateway:
        house = House(gateway, hub_state, ports, token)
        try:
            house.start_hub()
            yield house
        finally:
            house.stop_hub()
