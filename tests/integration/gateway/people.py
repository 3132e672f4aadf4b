"""People at a gateway's socket, with the real docker program and everything else that they have."""

import json
import multiprocessing
import os
import secrets
import subprocess
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from docker import DockerClient

from ds01_spawner.domain.person import UnixAccount

T = TypeVar("T")

SECONDS = 120
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True)
class Person:
    """Somebody with a Unix account, before a gateway's socket.

    Attributes:
        account: Their account.
        socket: The gateway's socket.
        mark: Ends the names that they give, so that two runs of the tests share none.
    """

    account: UnixAccount
    socket: Path
    mark: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def named(self, name: str) -> str:
        """`name`, with this run's mark."""
        return f"{name}-{self.mark}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": self.account.home,
            "USER": self.name,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "DOCKER_HOST": self.host,
        }

    def try_docker(
        self,
        *arguments: str,
        stdin: str | None = None,
        seconds: float = SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """How `docker …` ends, run as that person."""
        done = subprocess.run(
            ["docker", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            **self._as_person(environment),
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def docker(
        self,
        *arguments: str,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """The output of `docker …`, which must succeed."""
        done = self.try_docker(*arguments, stdin=stdin, environment=environment)
        assert done.code == 0, f"docker {' '.join(arguments)}: {done.err or done.out}"
        return done.out.strip()

    def refused(
        self,
        *arguments: str,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """What `docker …`, which must fail, says."""
        done = self.try_docker(*arguments, stdin=stdin, environment=environment)
        assert done.code != 0, f"docker {' '.join(arguments)}: {done.out}"
        return done.err.strip()

    def popen(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """`docker …`, begun, with pipes."""
        return subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self._as_person(environment),
        )

    def shell(self, script: str, environment: Mapping[str, str] | None = None) -> Done:
        """How a shell script ends, run as that person, with docker in reach."""
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS,
            **self._as_person(environment),
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, deed: Callable[[], T]) -> T:
        """What `deed` returns, called in a process of that person's: raw sockets, docker-py."""
        here, there = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_as_somebody, args=(self.account, deed, there))
        process.start()
        there.close()
        try:
            assert here.poll(SECONDS), "no answer"
            is_fine, told = here.recv()
        finally:
            process.join(5)
            process.kill()
            here.close()
        assert is_fine, told
        return told  # type: ignore[no-any-return]

    def client(self) -> DockerClient:
        """A docker-py client; only within `run`, so that the kernel says who it is."""
        return DockerClient(base_url=self.host, version="auto", timeout=60)

    def inspect(self, name: str) -> dict[str, Any]:
        """What `docker inspect` tells them."""
        return dict(json.loads(self.docker("container", "inspect", name))[0])

    def _as_person(self, environment: Mapping[str, str] | None) -> dict[str, Any]:
        account = self.account
        return {
            "user": account.uid,
            "group": account.gid,
            "extra_groups": os.getgrouplist(account.name, account.gid),
            "cwd": account.home,
            "env": {**self.environment, **(environment or {})},
        }


def _as_somebody(account: UnixAccount, deed: Callable[[], Any], told: Connection) -> None:
    os.setgroups(os.getgrouplist(account.name, account.gid))
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.chdir(account.home)
    os.environ["HOME"] = account.home
    try:
        told.send((True, deed()))
    except BaseException:  # noqa: BLE001 - told to the test
        told.send((False, traceback.format_exc()))
