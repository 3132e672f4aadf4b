"""A gateway with somebody before it and many containers behind it, for its benchmark."""

import grp
import http.client
import json
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway_ways import ENGINE, connected

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.person import UnixAccount
from integration.gateway.gateway_process import Gateway

PERSON, OTHERS = "ds01-bench", "ds01-bench-others"
OWN, EVERYBODY = 50, 200
_UID = "47101"
POLICY = f"""
defaults:
  max_cpus: 2
  memory: 512m
  memory_swap: 512m
  shm_size: 64m
  pids_limit: 256
  max_containers_per_user: {EVERYBODY}
  aggregate: {{cpus: 2, memory: 1g, pids: 2048}}
groups:
  student: {{priority: 10, members: [{PERSON}]}}
"""


def person() -> UnixAccount:
    """Somebody with an account of their own: limits and network are a person's, not a gateway's."""
    try:
        pwd.getpwnam(PERSON)
    except KeyError:
        command = ["useradd", "--uid", _UID, "--user-group", "--create-home", PERSON]
        subprocess.run(command, check=True)
    account = UnixAccounts().lookup(PERSON)
    assert account is not None
    return account


@dataclass(frozen=True)
class Way:
    """A socket, as the benchmark's person uses it; they may ask the engine only here.

    Attributes:
        name: What the table calls it.
        path: The socket.
        account: The person.
        settings: What `docker run` is told, so that its container is the gateway's.
    """

    name: str
    path: Path
    account: UnixAccount
    settings: tuple[str, ...] = field(default=(), compare=False)

    @contextmanager
    def as_person(self) -> Iterator[None]:
        """Whoever connects now is the person, in the kernel's eyes."""
        groups = os.getgroups()
        os.setgroups([grp.getgrnam("docker").gr_gid])
        os.seteuid(self.account.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setgroups(groups)

    def connect(self) -> socket.socket:
        """A connection of the person's."""
        with self.as_person():
            return connected(self.path)

    def docker(self, *arguments: str, give: Path | None = None) -> float:
        """Seconds of one command of the docker program."""
        account = self.account
        with (give or Path(os.devnull)).open("rb") as source:
            began = time.perf_counter()
            subprocess.run(
                ["docker", "--host", f"unix://{self.path}", *arguments],
                user=account.uid,
                group=account.gid,
                extra_groups=[grp.getgrnam("docker").gr_gid],
                env={"HOME": account.home, "PATH": os.defpath},
                cwd=account.home,
                stdin=source,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            return time.perf_counter() - began


class _Connection(http.client.HTTPConnection):
    """Over a Unix socket; made again where the other side has closed it."""

    def __init__(self, way: Way) -> None:
        super().__init__("docker")
        self._way = way

    def connect(self) -> None:
        self.sock = self._way.connect()


class KeptAlive:
    """A client that asks again and again on one connection."""

    def __init__(self, way: Way) -> None:
        self._connection = _Connection(way)

    def seconds(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> float:
        """How long a question takes, its answer read."""
        return self.ask(method, target, body)[0]

    def ask(
        self, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> tuple[float, Any]:
        """How long a question takes, and its answer."""
        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        began = time.perf_counter()
        self._connection.request(method, f"/v1.41{target}", content, headers)
        response = self._connection.getresponse()
        data = response.read()
        seconds = time.perf_counter() - began
        if response.status >= 400:
            raise RuntimeError(f"{method} {target}: {response.status} {data!r}")
        return seconds, json.loads(data) if data else None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextmanager
def crowd(gateway: Gateway, image: str) -> Iterator[None]:
    """Containers that run and do nothing, `OWN` of `EVERYBODY` the person's."""
    engine = gateway.platform.engine
    made: list[str] = []
    try:
        for number in range(EVERYBODY):
            owner = PERSON if number % (EVERYBODY // OWN) == 0 else OTHERS
            spec = _sleeper(gateway, image, owner, f"sleeper-{number}")
            made.append(spec.name)
            engine.start(engine.create(spec))
        yield
    finally:
        for name in made:  # one by one: Docker 20.10 deadlocks when many go at once
            engine.remove(name)


def _sleeper(gateway: Gateway, image: str, owner: str, name: str) -> ContainerSpec:
    marks = labels.ContainerLabels(
        user=owner,
        name=name,
        interface=Interface.DOCKER,
        instance=gateway.instance,
        image=image,
        created_at=datetime.now(UTC),
        cgroup_parent="",
        priority=10,
    )
    return ContainerSpec(
        name=container_name(name, owner),
        image=image,
        labels=marks.to_labels(),
        cgroup_parent="",
        network="none",
        command=("sleep", "7200"),
    )


def inspected(container: str) -> dict[str, Any]:
    """What the engine says of a container."""
    told = subprocess.run(
        ["docker", "--host", f"unix://{ENGINE}", "container", "inspect", container],
        capture_output=True,
        check=True,
    ).stdout
    return dict(json.loads(told)[0])


def settings_of(container: Mapping[str, Any]) -> tuple[str, ...]:
    """Options by which `docker run` makes a container like this one, without its labels."""
    config, host = container["Config"], container["HostConfig"]
    told = {
        "--user": [config["User"]],
        "--env": config["Env"],
        "--network": [host["NetworkMode"]],
        "--network-alias": _aliases(container),
        "--cgroup-parent": [host["CgroupParent"]],
        "--cgroupns": [host["CgroupnsMode"]],
        "--ipc": [host["IpcMode"]],
        "--cap-drop": host["CapDrop"] or (),
        "--security-opt": host["SecurityOpt"] or (),
        "--group-add": host["GroupAdd"] or (),
        "--oom-score-adj": [host["OomScoreAdj"]],
        "--cpu-period": [host["CpuPeriod"]],
        "--cpu-quota": [host["CpuQuota"]],
        "--memory": [host["Memory"]],
        "--memory-swap": [host["MemorySwap"]],
        "--pids-limit": [host["PidsLimit"]],
        "--shm-size": [host["ShmSize"]],
        "--log-opt": [f"{name}={value}" for name, value in host["LogConfig"]["Config"].items()],
        "--mount": [_mount(mount) for mount in host.get("Mounts") or ()],
    }
    return tuple(
        f"{name}={value}" for name, values in told.items() for value in values if value != ""
    )


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Where the settings of two containers are not the same."""
    return {
        name: (one["HostConfig"][name], other["HostConfig"].get(name))
        for name in one["HostConfig"]
        if (one["HostConfig"][name] or None) != (other["HostConfig"].get(name) or None)
    }


def _aliases(container: Mapping[str, Any]) -> Sequence[str]:
    own = container["Id"][:12]
    networks = container["NetworkSettings"]["Networks"].values()
    return [alias for each in networks for alias in each["Aliases"] or () if alias != own]


def _mount(mount: Mapping[str, Any]) -> str:
    ending = ",readonly" if mount.get("ReadOnly") else ""
    propagation = mount.get("BindOptions", {}).get("Propagation", "rprivate")
    place = f"type={mount['Type']},source={mount['Source']},target={mount['Target']}"
    return f"{place},bind-propagation={propagation}{ending}"
