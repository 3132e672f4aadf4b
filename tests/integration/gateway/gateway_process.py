"""A real gateway process with files of its own, before this machine's engine."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.composition import Directories, Platform, open_platform
from integration.unix_people import ALICE, BOB, run_folder

READY_SECONDS = 90.0
ADMIN_GROUP = "ds01-test-admin"
POLICY = f"""
default_group: student
defaults:
  max_gpu_slots: 4
  max_gpu_slots_per_container: 2
  max_gpu_equivalents: 4.0
  max_cpus: 2
  memory: 512m
  memory_swap: 512m
  shm_size: 64m
  pids_limit: 256
  max_containers_per_user: 30
  gpu_hold_after_stop: 15m
  container_hold_after_stop: 30m
  aggregate: {{cpus: 2, memory: 1g, pids: 512}}
groups:
  student: {{priority: 10, members: [{ALICE}]}}
  researcher: {{priority: 60, members: [{BOB}], allow_full_gpu: true, memory: 1g}}
"""
GPUS = """
source: simulated
simulated:
  seed: {seed}
  gpus:
    - {{model: A100-40GB, mig: [2g.10gb, 2g.10gb, 1g.5gb, 1g.5gb, 1g.5gb]}}
    - {{model: A100-40GB, mig: [1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb]}}
    - {{model: A100-40GB, count: 1}}
"""

T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 60.0, *, what: str = "") -> T:
    """What `check` returns once it is true; fails when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or check}: {found}"
        time.sleep(0.05)


def engine_docker(*arguments: str, check: bool = True) -> str:
    """Output of `docker` past the gateway, as root."""
    done = subprocess.run(
        ["docker", "--host", f"unix://{DEFAULT_SOCKET}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


@dataclass
class Gateway:
    """One installation's gateway.

    Attributes:
        state: Folder of ledger, events and settings.
        run: Folder of its socket and what it stages.
        images: Images that everybody may use.
        policy: The text of its `resource-limits.yaml`.
        environment: Variables that differ from those of other gateways.
    """

    state: Path
    run: Path
    images: tuple[str, ...]
    policy: str = POLICY
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.config.mkdir(parents=True)
        (self.config / "resource-limits.yaml").write_text(self.policy)
        (self.config / "gpu-config.yaml").write_text(GPUS.format(seed=secrets.token_hex(4)))
        offered = {
            f"image{number}": {"reference": reference, "title": f"Image {number}"}
            for number, reference in enumerate(self.images)
        }
        # JSON is YAML.
        (self.config / "images.yaml").write_text(
            json.dumps({"default": "image0", "images": offered})
        )

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def instance(self) -> str:
        return (self.state / "instance-id").read_text().strip()

    @property
    def log(self) -> str:
        return (self.state / "gateway.log").read_text()

    @cached_property
    def platform(self) -> Platform:
        """The platform of this installation, beside its gateway."""
        events = self.state / "events.jsonl"
        return open_platform(
            Directories(self.config, self.state, events, run=self.run), actor="test"
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        self.run.mkdir(exist_ok=True, mode=0o755)
        with (self.state / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ds01_spawner.gateway"],
                env={
                    **os.environ,
                    "DS01_CONFIG_DIR": str(self.config),
                    "DS01_STATE_DIR": str(self.state),
                    "DS01_RUN_DIR": str(self.run),
                    "DS01_GATEWAY_SOCKET": str(self.socket),
                    "DS01_GATEWAY_ADMIN_GROUP": ADMIN_GROUP,
                    **self.environment,
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        eventually(self._takes_connections, READY_SECONDS, what="the gateway takes connections")

    def _takes_connections(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def kill(self) -> None:
        """`kill -9`: no goodbye to anybody."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it; the containers stay."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def events(self, action: str, user: str | None = None) -> list[dict[str, Any]]:
        """The log's events of one action, oldest first."""
        path = self.state / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else ()
        found = [json.loads(line) for line in lines]
        return [
            event for event in found if event["action"] == action and user in {None, event["user"]}
        ]

    def remove_containers(self) -> None:
        """Remove what this gateway made, one by one: Docker 20.10 deadlocks on many at once."""
        if not (self.state / "instance-id").exists():
            return
        mark = f"label=ds01.instance={self.instance}"
        for each in engine_docker("ps", "-aq", "--no-trunc", "--filter", mark).split():
            engine_docker("rm", "-f", "-v", each, check=False)

    def remove_rest(self) -> None:
        """Remove volumes and networks that were made through it, its rules for packets, cgroups."""
        if not (self.state / "instance-id").exists():
            return
        mark = f"label=ds01.instance={self.instance}"
        for volume in engine_docker("volume", "ls", "-q", "--filter", mark).split():
            engine_docker("volume", "rm", volume, check=False)
        for network in engine_docker("network", "ls", "-q", "--filter", mark).split():
            if not engine_docker("ps", "-aq", "--filter", f"network={network}"):
                engine_docker("network", "rm", network, check=False)
        self.platform.isolation.take_down()
        self.platform.cgroups.take_down()


@contextmanager
def running_gateway(state: Path, *images: str, **settings: Any) -> Iterator[Gateway]:
    """A gateway that runs; afterwards, it and everything that was made through it is gone."""
    with run_folder() as run:
        gateway = Gateway(state, run, images, **settings)
        try:
            gateway.start()
            yield gateway
            gateway.remove_containers()
        finally:
            gateway.stop()
            gateway.remove_containers()
            gateway.remove_rest()
            gateway.socket.unlink(missing_ok=True)
            (run / "docker.sock.lock").unlink(missing_ok=True)
