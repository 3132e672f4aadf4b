"""People who type `ds01`, on a terminal or in scripts."""

import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.gateway.people import Done, Person
from integration.gateway.terminal import Terminal, _children

SECONDS = 60.0
_SYSTEM = "/usr/bin/python3"


def _open_to_people(path: str) -> bool:
    """Whether everybody may run a program, wherever links lead."""
    real = Path(path).resolve()
    return all(each.stat().st_mode & 0o001 for each in (real, *real.parents))


def _is_ours(path: str) -> bool:
    return any((Path(path) / each).is_dir() for each in ("ds01_cli", "ds01_spawner"))


PYTHON = sys.executable if _open_to_people(sys.executable) else _SYSTEM
"""A Python in root's own home is of no use to anybody else: then the system's, of one version."""
PROGRAM = (PYTHON, "-m", "ds01_cli.main")
PATHS = os.pathsep.join(each for each in sys.path if "site-packages" in each or _is_ours(each))


class Screen(Terminal):
    """A terminal with `ds01 …` in it."""

    @property
    def is_raw(self) -> bool:
        """Whether keys are given as they are pressed."""
        local: int = termios.tcgetattr(self._master)[3]
        return not local & termios.ICANON

    def terminate(self) -> None:
        """`kill` what runs in it."""
        for each in _children(self.process.pid) or [self.process.pid]:
            os.kill(each, signal.SIGTERM)


@dataclass(frozen=True)
class Typist:
    """Somebody with a Unix account, on the server.

    Attributes:
        person: They.
        variables: What says where the API is; the gateway's socket where nothing does.
    """

    person: Person
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.person.name

    def named(self, name: str) -> str:
        """`name`, with this run's mark."""
        return self.person.named(name)

    @property
    def _settings(self) -> dict[str, str]:
        return {
            **self.person.environment,
            **(self.variables or {"DS01_GATEWAY_SOCKET": str(self.person.socket)}),
            "LANG": "C.UTF-8",
            "PYTHONPATH": PATHS if PYTHON == _SYSTEM else "",
        }

    def tries(self, *words: str, stdin: bytes | None = None, seconds: float = SECONDS) -> Done:
        """How `ds01 …` ends, piped."""
        done = subprocess.run(
            [*PROGRAM, *words],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            check=False,
            timeout=seconds,
            **self._as_person(),
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def types(self, *words: str, stdin: bytes | None = None) -> str:
        """What `ds01 …`, which must be done, prints."""
        done = self.tries(*words, stdin=stdin)
        assert done.code == 0, f"ds01 {' '.join(words)}: {done.err or done.out}"
        return done.out

    def told(self, *words: str) -> Any:
        """What `ds01 … --json` prints."""
        return json.loads(self.types(*words, "--json"))

    def begins(self, *words: str) -> subprocess.Popen[str]:
        """`ds01 …`, begun, with pipes."""
        return subprocess.Popen(
            [*PROGRAM, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self._as_person(),
        )

    @contextmanager
    def terminal(self, *words: str) -> Iterator[Screen]:
        """A terminal with `ds01 …` in it."""
        shown = Screen(
            self.person,
            *PROGRAM[1:],
            *words,
            program=PROGRAM[0],
            environment=self._settings,
        )
        try:
            yield shown
        finally:
            shown.close()

    def _as_person(self) -> dict[str, Any]:
        account = self.person.account
        return {
            "user": account.uid,
            "group": account.gid,
            "extra_groups": os.getgrouplist(account.name, account.gid),
            "cwd": account.home,
            "env": self._settings,
        }
