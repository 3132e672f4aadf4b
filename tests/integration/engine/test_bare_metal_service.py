"""Grants outside of containers, with the real lifecycle service and the real command.

Each process has a /dev of the test's own, in a mount namespace. There is no engine: access ends
without one.
"""

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.doors.bare_metal import LEASE_SECONDS
from integration.unix_people import ALICE, BOB, unix_person

CARD, CONTROL, CONFIG = "nvidia0", "nvidiactl", "nvidia-caps/nvidia-cap1"
SETTINGS = {
    "resource-limits.yaml": "defaults: {}\n",
    "gpu-config.yaml": "{source: simulated, simulated: {gpus: [{model: A100-40GB}]}}\n",
}
PLAIN = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}
IN_OWN_DEV = 'mount --bind "$0" /dev && exec "$@"'
OPEN = "import os, sys; os.open(sys.argv[1], os.O_RDWR)"
PASS_SECONDS = 0.5
LATE = timedelta(seconds=10)
"""A look is due every half second; this machine may be busy."""


def eventually(check: Callable[[], object], seconds: float = 30.0, *, what: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or check}"
        time.sleep(0.05)


@dataclass
class Machine:
    """A machine with GPU nodes, its platform's files, and the lifecycle service.

    Attributes:
        folder: Where everything is.
    """

    folder: Path
    _services: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for each in ("config", "state", "dev", "dev/nvidia-caps"):
            (self.folder / each).mkdir(mode=0o755)
        for name, text in SETTINGS.items():
            (self.folder / "config" / name).write_text(text)
        for name, (major, minor) in PLAIN.items():
            self._make(name, 0o666, os.makedev(major, minor))
        self.make_nodes(CARD, CONTROL)
        self._make(CONFIG, 0o400)

    def _make(self, name: str, mode: int, device: int = os.makedev(1, 3)) -> None:
        path = self.node(name)
        os.mknod(path, stat.S_IFCHR | mode, device)
        path.chmod(mode)

    def make_nodes(self, *names: str) -> None:
        """Nodes as the driver makes them when it is loaded, in place of those that were."""
        for name in names:
            self.node(name).unlink(missing_ok=True)
            self._make(name, 0o660)

    def break_policy(self) -> None:
        (self.folder / "config" / "resource-limits.yaml").write_text("defaults: [\n")

    def node(self, name: str) -> Path:
        return self.folder / "dev" / name

    def _command(self, *arguments: str) -> list[str]:
        own_dev = ("unshare", "--mount", "sh", "-c", IN_OWN_DEV, str(self.folder / "dev"))
        return [*own_dev, sys.executable, "-m", *arguments]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DS01_CONFIG_DIR": str(self.folder / "config"),
            "DS01_STATE_DIR": str(self.folder / "state"),
            "DS01_RUN_DIR": str(self.folder / "run"),
            "DS01_ENGINE_SOCKET": str(self.folder / "no-engine.sock"),
            "DS01_CULLER_PASS_SECONDS": str(PASS_SECONDS),
        }

    def start_service(self) -> subprocess.Popen[bytes]:
        with (self.folder / "culler.log").open("ab") as log:
            service = subprocess.Popen(
                self._command("ds01_spawner.culler"),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._services.append(service)
        eventually((self.folder / "state" / "instance-id").exists, what="the service has begun")
        return service

    def admin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """How `ds01 admin bare-metal …` ends."""
        return subprocess.run(
            self._command("ds01_cli.main", "admin", "bare-metal", *arguments),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def grant(self, user: UnixAccount, seconds: int) -> dict[str, Any]:
        """Grant access; as soon as the service is there."""
        said: list[str] = []

        def is_granted() -> bool:
            given = ("grant", user.name, "--for", f"{seconds}s", "--reason", "a test", "--json")
            done = self.admin(*given)
            said.append(done.stdout)
            assert done.returncode == 0 or "lifecycle service" in done.stderr, done.stderr
            return done.returncode == 0

        eventually(is_granted, 60, what="the service is there")
        return dict(json.loads(said[-1]))

    def lets_in(self, user: UnixAccount, name: str = CARD) -> bool:
        """Whether a process of that person's opens a node."""
        done = subprocess.run(
            ["python3", "-I", "-c", OPEN, self.node(name)],
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
        return done.returncode == 0

    def events(self, user: UnixAccount, action: str = "") -> list[dict[str, Any]]:
        lines = (self.folder / "state" / "events.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [
            each
            for each in found
            if each["user"] == user.name and each["action"].startswith(f"bare_metal.{action}")
        ]

    def end(self) -> None:
        for each in self._services:
            each.kill()
            each.wait()


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Not in pytest's own folder: each run of pytest that begins closes that to everybody else."""
    with tempfile.TemporaryDirectory(prefix="ds01-test-") as folder:
        Path(folder).chmod(0o711)
        made = Machine(Path(folder))
        yield made
        made.end()


@pytest.fixture(scope="module")
def alice() -> UnixAccount:
    return unix_person(ALICE)


@pytest.fixture(scope="module")
def bob() -> UnixAccount:
    return unix_person(BOB)


def until(granted: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(granted["until"])


def test_the_service_ends_a_grant_by_itself(
    machine: Machine, alice: UnixAccount, bob: UnixAccount
) -> None:
    machine.start_service()
    assert not machine.lets_in(alice)

    granted = machine.grant(alice, 12)
    assert machine.lets_in(alice)
    assert machine.lets_in(alice, CONTROL)
    assert not machine.lets_in(alice, CONFIG)
    assert not machine.lets_in(bob)

    eventually(lambda: not machine.lets_in(alice), 60, what="access has ended")
    eventually(lambda: machine.events(alice, "expire"), what="it is written down")
    assert not machine.lets_in(alice, CONTROL)
    first, *_, last = machine.events(alice)
    assert (first["action"], last["action"]) == ("bare_metal.grant", "bare_metal.expire")
    assert (first["interface"], first["reason"]) == ("cli", "a test")
    assert last["interface"] == "culler"
    assert until(granted) <= datetime.fromisoformat(last["ts"]) < until(granted) + LATE
    assert json.loads(machine.admin("list", "--json").stdout)["grants"] == []


def test_a_service_that_was_killed_ends_what_is_over_when_it_is_started_again_without_a_policy(
    machine: Machine, alice: UnixAccount
) -> None:
    first = machine.start_service()
    granted = machine.grant(alice, 8)
    first.kill()
    first.wait()
    eventually(lambda: datetime.now(until(granted).tzinfo) > until(granted) + timedelta(seconds=2))
    assert machine.lets_in(alice), "nobody ended it: or this test shows nothing"
    machine.make_nodes(CARD)
    machine.break_policy()

    machine.start_service()
    eventually(lambda: not machine.lets_in(alice, CONTROL), LEASE_SECONDS + 15)
    eventually(lambda: machine.events(alice, "expire"))
    assert not machine.lets_in(alice, CARD)
    assert not machine.events(alice, "reopen"), "the new node was never opened"
    assert len(machine.events(alice, "expire")) == 1


def test_a_driver_that_is_loaded_anew_opens_to_whose_grant_lasts_and_to_nobody_else(
    machine: Machine, alice: UnixAccount, bob: UnixAccount
) -> None:
    machine.start_service()
    machine.grant(bob, 3600)
    machine.grant(alice, 15)
    machine.make_nodes(CARD, CONTROL)
    eventually(lambda: machine.lets_in(alice), what="it is opened again")
    eventually(lambda: machine.lets_in(bob))
    eventually(lambda: machine.events(alice, "expire"), 60)

    machine.make_nodes(CARD, CONTROL)
    eventually(lambda: machine.lets_in(bob), what="a look at the new nodes was made")
    machine.make_nodes(CARD, CONTROL)
    eventually(lambda: machine.lets_in(bob), what="and another")
    assert not machine.lets_in(alice)
    assert not machine.lets_in(alice, CONTROL)
    (opened, *_) = machine.events(alice, "reopen")
    assert set(opened["details"]["nodes"]) <= {f"/dev/{CARD}", f"/dev/{CONTROL}"}
