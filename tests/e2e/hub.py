"""A real hub on the real engine, with files, ports and people of its own."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from ds01_spawner.composition import Directories, Platform, open_platform
from ds01_spawner.domain import labels, names
from ds01_spawner.operations.allocation.gpu_status import gpu_status_json, read_gpu_status
from integration.engine_proxy import EngineProxy
from integration.ports import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
READY_SECONDS = 60.0
INTERVAL_SECONDS = 0.1
MOST_SECONDS = 0.5

T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 30.0, *, what: str = "") -> T:
    """What `check` returns once it is true; fails when it is not within `seconds`.

    The longer it takes, the less often it is asked: each time costs the hub what it costs us.
    """
    begin = time.monotonic()
    while True:
        found = check()
        if found:
            return found
        waited = time.monotonic() - begin
        assert waited < seconds, f"not within {seconds:.0f} s: {what or check}: {found}"
        time.sleep(min(max(INTERVAL_SECONDS, waited / 20), MOST_SECONDS))


def docker(*arguments: str, check: bool = True) -> str:
    """Output of the `docker` program."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


@dataclass
class Hub:
    """One installation: its folder, its hub process, its engine proxy.

    Attributes:
        state: Folder of ledger, events and database; `config` is in it.
        proxy: Stands between hub and engine, to fail on demand.
        prefix: What the names of this run's people begin with.
        port: Where people reach it.
        environment: Variables that differ from those of other hubs.
        variables: All that its process has.
    """

    state: Path
    proxy: EngineProxy
    prefix: str = field(default_factory=lambda: f"e2e{secrets.token_hex(3)}")
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._token = secrets.token_hex(16)
        self.people_token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ending = False
        self._people: list[str] = []
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"token {self._token}"
        self.password = secrets.token_hex(8)
        (self.state / "token").write_text(self._token)
        (self.state / "password").write_text(self.password)
        (self.state / "people").write_text(f"{self.prefix}-admin")
        self.variables = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "DS01_DEMO": str(self.state),
            "DS01_STATE_DIR": str(self.state),
            "DS01_CONFIG_DIR": str(self.config),
            "DS01_ENGINE_SOCKET": str(self.proxy.socket_path),
            "DS01_DEMO_PORT": str(self.port),
            "DS01_DEMO_HUB_ADDRESS": bridge_address(),
            "DS01_DEMO_HUB_PORT": str(free_port()),
            "DS01_DEMO_PROXY_PORT": str(free_port()),
            "DS01_E2E_DEMO_CONFIG": str(ROOT / "hub_config/demo_config.py"),
            "PEOPLE_TOKEN": self.people_token,
            "DS01_CULLER_PASS_SECONDS": "1",
            "DS01_CULLER_GRACE_SECONDS": "2",
            **self.environment,
        }

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.state / "hub.log").read_text()

    @property
    def instance(self) -> str:
        return (self.state / "instance-id").read_text().strip()

    @cached_property
    def platform(self) -> Platform:
        """The platform of this installation, past the proxy."""
        return open_platform(
            Directories(self.config, self.state, self.state / "events.jsonl"), actor="e2e"
        )

    def start(self) -> None:
        """Start the hub; returns when it answers."""
        self._is_ending = False
        with (self.state / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(
                [BIN / "jupyterhub", "--config", Path(__file__).with_name("e2e_config.py")],
                env=self.variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        eventually(self._answers, READY_SECONDS, what="the hub answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        try:
            return self._session.get(f"{self.url}/hub/health", timeout=2).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """`kill -9`: no goodbye to anybody."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def begin_to_end(self) -> None:
        """Tell the hub to end, and do not wait; once, as it takes a second word for a hurry."""
        if self._process is not None and not self._is_ending:
            self._is_ending = True
            self._process.terminate()

    def stop(self) -> None:
        """End hub, proxy and services; the containers stay."""
        self.begin_to_end()
        if self._process is not None and self._process.poll() is None:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self, program: str = "") -> list[int]:
        """Proxy and services of this hub, whose command line holds `program`."""
        mark = f"DS01_DEMO={self.state}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_text()
            except OSError:
                continue
            mine = mark in environment and int(folder.name) != os.getpid()
            if mine and program in command:
                found.append(int(folder.name))
        return found

    def request(
        self, method: str, path: str, *, timeout: float = 60.0, **body: Any
    ) -> requests.Response:
        """One call of the hub's REST API."""
        return self._session.request(
            method, f"{self.url}/hub/api{path}", json=body or None, timeout=timeout
        )

    def person(self, name: str) -> "Person":
        """A new user `PREFIX-name` of the hub."""
        return self.user(f"{self.prefix}-{name}")

    def user(self, name: str) -> "Person":
        """A new user of exactly this name."""
        answer = self.request("POST", f"/users/{quote(name, safe='')}")
        assert answer.status_code in {201, 409}, answer.text
        self._people.append(name)
        return Person(self, name)

    def events(self, action: str, user: str | None = None) -> list[dict[str, Any]]:
        """The audit log's events of one action."""
        return [
            event
            for event in self.everything()
            if event["action"] == action and (user is None or event["user"] == user)
        ]

    def everything(self) -> list[dict[str, Any]]:
        """The audit log."""
        log = self.state / "events.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def containers(self, *, everything: bool = True) -> list[str]:
        """Ids of this installation's containers."""
        which = ["--all"] if everything else []
        mine = f"label={labels.INSTANCE}={self.instance}"
        return docker("ps", *which, "--quiet", "--no-trunc", "--filter", mine).split()

    def slots(self) -> dict[str, dict[str, Any]]:
        """`ds01 gpu status --json`, by slot; not what another installation simulates."""
        return _by_slot(json.loads(self.ds01("gpu", "status", "--json")))

    def look(self) -> dict[str, dict[str, Any]]:
        """`slots`, without the program: to be asked again and again."""
        found = read_gpu_status(self.platform.admission, self.platform.gpu_config)
        return _by_slot(gpu_status_json(found))

    def ds01(self, *arguments: str, **variables: str) -> str:
        """Output of the real `ds01` program on this installation."""
        done = subprocess.run(
            [BIN / "ds01", *arguments],
            env={**self.variables, "DS01_ENGINE_SOCKET": "/var/run/docker.sock", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def empty(self) -> None:
        """Remove this installation's containers, one at a time, and what the ledger promises."""
        for container in self.containers():
            docker("rm", "--force", "--volumes", container, check=False)
        with self.platform.ledger.transaction() as transaction:
            transaction.remove_reservations([each.id for each in transaction.reservations()])

    def clean(self) -> None:
        """Remove this installation's containers, homes, networks, images and cgroups."""
        if not (self.state / "instance-id").exists():
            return
        self.empty()
        people = sorted(set(self._people))
        docker("volume", "rm", *map(names.home_volume, people), check=False)
        docker("network", "rm", *map(names.network_name, people), check=False)
        self._remove_images()
        self.platform.cgroups.take_down()

    def _remove_images(self) -> None:
        """What this run's people have built, and the layers of it that the engine keeps."""
        of_somebody = docker("images", "--quiet", "--filter", f"label={labels.IMAGE_OWNER}")
        owner_label = json.dumps(labels.IMAGE_OWNER)
        told = f'{{{{index .Config.Labels {owner_label}}}}} {{{{join .RepoTags " "}}}}'
        owned = docker("image", "inspect", "--format", told, *of_somebody.split(), check=False)
        for owner, *tags in map(str.split, owned.splitlines()):
            if owner.startswith(self.prefix):
                docker("image", "rm", *tags, check=False)
                its = f"label={labels.IMAGE_OWNER}={owner}"
                docker("image", "prune", "--force", "--filter", its)


@dataclass(frozen=True)
class Person:
    """A user of the hub."""

    hub: Hub
    name: str

    def path(self, server: str = "") -> str:
        return f"/users/{quote(self.name, safe='')}/" + (
            f"servers/{server}" if server else "server"
        )

    def ask(self, server: str = "", **options: Any) -> requests.Response:
        """Ask for a server; the hub's answer comes after 10 s at the latest."""
        return self.hub.request("POST", self.path(server), user_options=options)

    def start(self, server: str = "", **options: Any) -> str:
        """Start a server; the id of its container."""
        answer = self.ask(server, **options)
        assert answer.status_code in {201, 202}, answer.text
        return self.ready(server)

    def start_patiently(self, server: str = "", **options: Any) -> str:
        """`start`, unless it runs; asks again while the platform cannot decide."""
        if not self.is_ready(server):
            eventually(lambda: self.ask(server, **options).status_code in {201, 202})
        return self.ready(server)

    def ready(self, server: str = "", seconds: float = 60.0) -> str:
        """Wait until a server is ready; the id of its container."""
        eventually(lambda: self.is_ready(server), seconds, what=f"{self.name}'s server is ready")
        return self.container_id(server)

    def stop(self, server: str = "", *, remove: bool = False) -> None:
        answer = self.hub.request(
            "DELETE", self.path(server), **({"remove": True} if remove else {})
        )
        assert answer.status_code in {202, 204}, answer.text
        eventually(lambda: not self.server(server), 30, what=f"{self.name}'s server stops")

    def server(self, server: str = "") -> Mapping[str, Any]:
        """The hub's view of a server that runs, starts or stops; empty when it does not."""
        found = self.model()["servers"].get(server, {})
        return {} if found.get("stopped") else found

    def model(self) -> dict[str, Any]:
        """The hub's view of the person."""
        found: dict[str, Any] = self.hub.request("GET", self.path().rpartition("/")[0]).json()
        return found

    def is_ready(self, server: str = "") -> bool:
        return bool(self.server(server).get("ready"))

    def container(self, server: str = "") -> str:
        return names.container_name(server or names.DEFAULT_SERVER, self.name)

    def container_id(self, server: str = "") -> str:
        return str(self.inspect(server)["Id"])

    def inspect(self, server: str = "") -> dict[str, Any]:
        """`docker inspect` of the container; empty when there is none."""
        found = docker("inspect", "--type=container", self.container(server), check=False)
        return json.loads(found)[0] if found not in {"", "[]"} else {}

    def slot(self, server: str = "") -> str:
        return str(self.inspect(server)["Config"]["Labels"].get(labels.GPU_SLOTS, ""))

    def progress(self, server: str = "") -> Iterator[dict[str, Any]]:
        """The spawn's progress events, until it is ready or has failed."""
        url = f"{self.hub.url}/hub/api{self.path(server)}/progress"
        with self.hub._session.get(url, stream=True, timeout=60) as answer:
            for line in answer.iter_lines(decode_unicode=True):
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def answers(self, server: str = "", *, timeout: float = 5.0) -> bool:
        """Whether the server itself answers through the hub's proxy."""
        person = quote(self.name, safe="@~")  # as the hub escapes names in its routes
        place = f"{self.hub.url}/user/{person}/{server + '/' if server else ''}api"
        try:
            answer = self.hub._session.get(place, timeout=timeout, allow_redirects=False)
        except requests.RequestException:
            return False
        return answer.status_code == 200 and "version" in answer.json()


def _by_slot(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["slot"]: entry for entry in status["slots"] if entry["profile"] is not None}


def bridge_address() -> str:
    """This machine as containers see it."""
    found = docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    return str(json.loads(found)[0].get("Gateway", "172.17.0.1"))
