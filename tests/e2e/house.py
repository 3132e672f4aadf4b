"""A hub and a gateway on the same files, and people who come through every door."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.client import Client, behind_hub, on_socket
from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.domain.errors import DS01Error
from e2e.hub import Hub, Person, bridge_address, docker, eventually
from integration.gateway.people import Done
from integration.gateway.people import Person as DockerPerson
from integration.ports import free_port
from integration.unix_people import CAROL, DORA, run_folder, unix_person

READY_SECONDS = 30.0
TINY = "ds01test/busybox:latest"
GROUPS = f"""  house:
    members: [{CAROL}]
    max_containers_per_user: 3
    max_gpu_slots: 2
    memory: 1g
    memory_swap: 1g
    shm_size: 64m
    gpu_hold_after_stop: 1s
    aggregate: {{cpus: 4, memory: 640m, pids: 2048}}
    policies: {{sigterm_grace: 2s}}
  restless:
    members: [{DORA}]
    idle_timeout: 20s
    policies:
      startup_grace: 0s
      idle_detection_window: 2
      min_warning_lead: 4s
      sigterm_grace: 5s
      cpu_idle_threshold: 50%
      network_idle_threshold: 1g
      high_demand_idle_reduction: 0%
"""


def furnish(config: Path) -> None:
    """Add the groups of the people with Unix accounts to a hub's settings."""
    limits = config / "resource-limits.yaml"
    limits.write_text(limits.read_text().replace("\ngroups:\n", f"\ngroups:\n{GROUPS}", 1))


@dataclass
class House:
    """One installation with all its doors.

    Attributes:
        hub: The hub; it knows the gateway as its service.
        run: Folder of the gateway's socket.
        gateway: What Python runs as the gateway.
    """

    hub: Hub
    run: Path
    gateway: tuple[str, ...] = ("-m", "ds01_spawner.gateway")

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def log(self) -> str:
        return (self.hub.state / "gateway.log").read_text()

    def start_gateway(self) -> None:
        """Start it; returns when it takes connections."""
        self.run.mkdir(exist_ok=True, mode=0o755)
        with (self.hub.state / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.gateway],
                env=self._environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        eventually(self._takes_connections, READY_SECONDS, what="the gateway takes connections")

    def _environment(self) -> dict[str, str]:
        hub = self.hub.variables
        address, port = hub["DS01_DEMO_HUB_ADDRESS"], hub["DS01_DEMO_HUB_PORT"]
        return {
            **os.environ,
            **{name: hub[name] for name in ("DS01_STATE_DIR", "DS01_CONFIG_DIR")},
            "DS01_RUN_DIR": str(self.run),
            "JUPYTERHUB_API_URL": f"http://{address}:{port}/hub/api",
            "JUPYTERHUB_API_TOKEN": hub["GATEWAY_TOKEN"],
            "JUPYTERHUB_SERVICE_URL": hub["GATEWAY_URL"],
        }

    def _takes_connections(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def kill_gateway(self) -> None:
        """`kill -9`: no goodbye to anybody."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def resident(self, name: str) -> "Resident":
        """Somebody with a Unix account of this name, whom the hub knows by the same name."""
        at_hub = self.hub.user(name)
        return Resident(self, at_hub, DockerPerson(unix_person(name), self.socket))

    def leave(self) -> None:
        """End the gateway and remove what was made through it."""
        self.hub.empty()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
        mark = f"label=ds01.instance={self.hub.instance}"
        for kind in ("volume", "network"):
            for each in docker(kind, "ls", "--quiet", "--filter", mark).split():
                docker(kind, "rm", each, check=False)
        hub = self.hub
        places = Directories(hub.config, hub.state, hub.state / "events.jsonl", run=self.run)
        open_platform(places, actor="e2e").isolation.take_down()
        for name in ("docker.sock", "docker.sock.lock"):
            (self.run / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Resident:
    """One person at every door.

    Attributes:
        house: Where.
        hub: In the hub.
        unix: With Docker clients, at the gateway's socket.
    """

    house: House
    hub: Person
    unix: DockerPerson

    @property
    def name(self) -> str:
        return self.unix.name

    @property
    def docker(self) -> Callable[..., str]:
        return self.unix.docker

    def run(self, name: str, *options: str) -> str:
        """`docker run -d` of something that sleeps; the container's id."""
        return self.docker("run", "-d", "--name", name, *options, TINY, "sleep", "3600")

    def compose(self, *arguments: str, file: str) -> Done:
        """How Debian's `docker-compose …` ends, in the project `shop`."""
        folder = Path(self.unix.account.home) / "shop"
        folder.mkdir(exist_ok=True)
        (folder / "docker-compose.yml").write_text(file)
        for each in (folder, folder / "docker-compose.yml"):
            shutil.chown(each, self.unix.account.uid, self.unix.account.gid)
        return self.unix.shell(f"cd {folder} && docker-compose --no-ansi {' '.join(arguments)}")

    def token(self) -> str:
        """A new token of theirs, made by the hub."""
        answer = self.house.hub.request("POST", f"/users/{self.name}/tokens", note="e2e")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def client(self) -> Client:
        """The API through the hub."""
        return behind_hub(self.house.hub.url, self.token())

    def refused_by_api(self, deed: Callable[[Client], object]) -> tuple[str, str]:
        """What both ways to the API say against it: through the hub, and on the socket."""
        with self.client() as client:
            through_hub = _said(client, deed)
        return through_hub, self.unix.run(lambda: _said(on_socket(self.unix.socket), deed))

    def names(self) -> dict[str, list[str]]:
        """The names of running containers, as each door lists them."""
        with self.client() as client:
            through_hub = _running(client)
        listed = self.house.hub.ds01(
            *("container", "list", "--user", self.name, "--json"),
            DS01_GATEWAY_SOCKET=str(self.unix.socket),
        )
        return {
            "api": through_hub,
            "socket": self.unix.run(lambda: _running(on_socket(self.unix.socket))),
            "docker": sorted(self.docker("ps", "--format", "{{.Names}}").split()),
            "cli": running_in(listed),
        }


def running_in(listed: str) -> list[str]:
    """Names of what runs, in the output of `ds01 container list --json`."""
    return sorted(
        each["name"] for each in json.loads(listed)["containers"] if each["state"] == "running"
    )


def _running(client: Client) -> list[str]:
    return sorted(each.name for each in client.containers().containers if each.state == "running")


def _said(client: Client, deed: Callable[[Client], object]) -> str:
    try:
        deed(client)
    except DS01Error as exc:
        return str(exc)
    return ""


@contextmanager
def open_house(
    new_hub: Callable[..., Hub],
    furnish: Callable[[Path], None] = furnish,
    gateway: tuple[str, ...] = House.gateway,
    **environment: str,
) -> Iterator[House]:
    """A house with its people; afterwards, what they made is gone."""
    with run_folder() as run:
        service = {
            "GATEWAY_TOKEN": secrets.token_hex(32),
            "GATEWAY_URL": f"http://{bridge_address()}:{free_port()}",
        }
        house = House(new_hub(furnish, **service, **environment), run, gateway)
        try:
            house.start_gateway()
            yield house
        finally:
            house.leave()
