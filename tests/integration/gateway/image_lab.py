"""The handlers of images on the real engine and the real wire, for people of one test alone."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.composition import Directories, Platform
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.gateway.docker.build.handler import Builds
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.commit import Commit
from ds01_spawner.gateway.docker.images.images import Images
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.pull import Pull
from ds01_spawner.gateway.docker.images.removal import ImageRemoval
from ds01_spawner.gateway.docker.lookups import lookups_of
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from ds01_spawner.gateway.wire.server import Server
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.policy.image_references import own_repository

POLICY = """
default_group: student
defaults:
  max_gpu_slots: 1
  max_cpus: 1
  memory: 64m
  memory_swap: 64m
  shm_size: 16m
  aggregate: {cpus: 1, memory: 128m, pids: 256}
groups:
  student: {priority: 10}
"""
GPUS = "source: simulated\nsimulated: {gpus: [{model: A100-40GB, count: 1}]}\n"
SECONDS = 120


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Person:
    """Somebody with a socket of their own, where they are who the test says.

    Attributes:
        user: Their name, which nobody else on this engine has.
        socket: Where their docker connects.
        folder: Theirs.
    """

    user: str
    socket: Path
    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def caller(self) -> Caller:
        return Caller(1001, os.getpid(), self.user, None)

    async def docker(
        self, *arguments: str, given: bytes = b"", program: str = "docker", **variables: str
    ) -> Done:
        """What the real program does at this person's socket."""
        return await asyncio.to_thread(self._run, [program, *arguments], given, variables)

    async def build(self, dockerfile: str, *arguments: str, **files: str) -> Done:
        """`docker build` of a Dockerfile and files."""
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        (folder / "Dockerfile").write_text(dockerfile)
        for name, content in files.items():
            (folder / name).write_text(content)
        return await self.docker("build", *arguments, str(folder))

    async def inspect(self, ref: str) -> dict[str, Any]:
        done = await self.docker("image", "inspect", ref)
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)[0]
        return found

    def interrupt(self) -> None:
        """Ctrl-C in every docker of theirs."""
        for process in self.running:
            process.send_signal(signal.SIGINT)

    def _run(self, command: list[str], given: bytes, variables: Mapping[str, str]) -> Done:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_BUILDKIT": "0",
            **variables,
        }
        with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, env=environment) as process:
            self.running.append(process)
            try:
                out, err = process.communicate(given, timeout=SECONDS)
            finally:
                process.kill()
                self.running.remove(process)
        return Done(process.returncode, out.decode(), err.decode())


@dataclass
class ImageLab:
    """One installation, two people.

    Attributes:
        folder: Its files.
        platform: The platform.
        builds: Builds.
        images: Finds images.
    """

    folder: Path
    platform: Platform
    builds: Builds
    images: OwnImages
    alice: Person
    bob: Person
    handlers: dict[str, Handler] = field(default_factory=dict)

    @property
    def events(self) -> list[dict[str, Any]]:
        path = self.platform.directories.events
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    async def event(self, action: str) -> dict[str, Any]:
        """The last one of this kind: it may be written when the client has gone already."""
        await eventually(lambda: any(each["action"] == action for each in self.events))
        found = [each for each in self.events if each["action"] == action]
        return found[-1]


async def eventually(check: Callable[[], object], seconds: float = 20.0) -> None:
    """Return when `check` is true."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(check):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        await asyncio.sleep(0.05)


def engine_docker(*arguments: str, check: bool = True, given: bytes = b"") -> str:
    """Output of docker past the gateway, as root."""
    done = subprocess.run(
        ["docker", "--host", f"unix://{DEFAULT_SOCKET}", *arguments],
        input=given,
        capture_output=True,
        check=False,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    assert done.returncode == 0 or not check, done.stderr.decode()
    return done.stdout.decode().strip()


@asynccontextmanager
async def image_lab(
    folder: Path, *images: str, pull_allowed: tuple[str, ...] = ()
) -> AsyncIterator[ImageLab]:
    """A lab whose catalogue has `images`; what people make in it is removed at the end."""
    config = folder / "config"
    config.mkdir()
    (config / "resource-limits.yaml").write_text(POLICY)
    (config / "gpu-config.yaml").write_text(GPUS)
    offered = {f"i{n}": {"reference": each, "title": each} for n, each in enumerate(images)}
    catalogue = {
        "default": "i0",
        "images": offered,
        "pull_allowed": list(pull_allowed),
        "build": {"base": images[0]},
    }
    (config / "images.yaml").write_text(json.dumps(catalogue))
    platform = Platform(Directories(config, folder, folder / "events.jsonl"), "gateway")
    threads = Threads()
    door = Door(platform, UnixEngineLink(DEFAULT_SOCKET), threads)
    lookups = lookups_of(door, platform.instance)
    owned, finder = lookups.containers, lookups.images
    pull = Pull(door, finder)
    builds = Builds(door, finder, lookups.networks, pull)
    end = secrets.token_hex(3)
    people = [Person(f"{name}{end}", folder / f"{name}.sock", folder) for name in ("alice", "bob")]
    alice, bob = people
    lab = ImageLab(folder, platform, builds, finder, alice, bob)
    groups = (Images(door, finder), ImageRemoval(door, finder, owned), Commit(door, owned, finder))
    for group in (*groups, pull, builds):
        lab.handlers.update(group.handlers())

    async def dispatch(endpoint: str | None, call: Call, reply: Reply) -> None:
        if endpoint in {"GET /_ping", "HEAD /_ping", "GET /version", "GET /info"}:
            await door.engine.relay(call, reply, call.method, endpoint.split()[1])
            return
        handler = lab.handlers.get(endpoint or "")
        if handler is None:
            raise NotFound(f"{endpoint} is not in this lab")
        await handler(call, reply)

    servers = [await _serving(each, dispatch) for each in people]
    try:
        yield lab
    finally:
        for server, task in servers:
            await server.close()
            await asyncio.wait([task])
        threads.close()
        await asyncio.to_thread(_remove, lab)
        platform.cgroups.take_down()
        platform.engine.close()


async def _serving(person: Person, dispatch: Any) -> tuple[Server, asyncio.Task[None]]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(person.socket))
    listener.listen(16)

    async def identify(_pid: int, _uid: int, _gid: int) -> Caller:
        return person.caller

    server = Server(listener, identify, dispatch)
    return server, asyncio.create_task(server.serve())


def _remove(lab: ImageLab) -> None:
    for person in (lab.alice, lab.bob):
        every = engine_docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        tags = [each for each in every if each.startswith(f"{own_repository(person.user)}/")]
        mark = f"label=ds01.image.owner={person.user}"
        marked = engine_docker("images", "-q", "--filter", mark, "--filter", "dangling=true")
        for each in [*tags, *marked.split()]:
            engine_docker("rmi", "-f", each, check=False)
        engine_docker("network", "rm", f"ds01-{person.user}", check=False)
