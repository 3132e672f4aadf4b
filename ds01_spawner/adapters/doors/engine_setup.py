"""How Docker's engine is set up: daemon.json, its command line, and what it says of itself.

https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.doors.files import HostFiles
from ds01_spawner.domain.door import EngineFacts
from ds01_spawner.domain.errors import Unavailable

FILE = "/etc/docker/daemon.json"
_PID_FILES = ("/run/docker.pid", "/var/run/docker.pid")
_HOST_OPTIONS = ("-H", "--host")


class DaemonFile:
    """The `EngineSetup` port.

    Args:
        info: What the engine says of itself, `GET /info`; may raise `Unavailable`.
        root: Folder that stands for `/`; with another one, no running engine is touched.
    """

    def __init__(self, info: Callable[[], Mapping[str, Any]], root: Path = Path("/")) -> None:
        self._info = info
        self._root = root
        self._files = HostFiles(root)

    def facts(self) -> EngineFacts:
        """How it is set up, as far as that can be read."""
        said: Mapping[str, Any] = {}
        with suppress(Unavailable):
            said = self._info()
        hosts = self.setting("hosts")
        told = [str(each) for each in hosts] if isinstance(hosts, list) else []
        told += tcp_options(self._command_line())
        live = said.get("LiveRestoreEnabled", self.setting("live-restore"))
        return EngineFacts(
            default_runtime=str(
                said.get("DefaultRuntime") or self.setting("default-runtime") or ""
            ),
            live_restore=live if isinstance(live, bool) else None,
            runc=str((said.get("RuncCommit") or {}).get("ID") or ""),
            tcp=tuple(dict.fromkeys(each for each in told if each.startswith("tcp:"))),
            file=FILE,
        )

    def setting(self, key: str) -> object:
        """What the file says for a key."""
        return self._settings().get(key)

    def change(self, key: str, value: object) -> None:
        """Let the file say `value`; the running engine reads it anew on SIGHUP."""
        settings = self._settings()
        if settings.get(key) == value:
            return
        if value is None:
            settings.pop(key, None)
        else:
            settings[key] = value
        self._files.write(FILE, json.dumps(settings, indent=4) + "\n" if settings else None)
        if (pid := self._pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    def _settings(self) -> dict[str, Any]:
        text = self._files.read(FILE)
        if text is None or not text.strip():
            return {}
        try:
            settings = json.loads(text)
        except ValueError as exc:
            raise Unavailable(f"{FILE} is not JSON: {exc}.", "Correct it first.") from exc
        if not isinstance(settings, dict):
            raise Unavailable(f"{FILE} is not a JSON object.", "Correct it first.")
        return settings

    def _pid(self) -> int | None:
        """The running engine's process, where this is about the machine itself."""
        if self._root != Path("/"):
            return None
        for file in _PID_FILES:
            with suppress(OSError, ValueError):
                pid = int(Path(file).read_text(encoding="ascii"))
                if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "dockerd":
                    return pid
        return None

    def _command_line(self) -> list[str]:
        pid = self._pid()
        if pid is None:
            return []
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return raw.decode(errors="replace").split("\0")


def tcp_options(arguments: list[str]) -> list[str]:
    """The TCP addresses among the options of dockerd."""
    found = []
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in _HOST_OPTIONS:
            found.append(value if equals else "".join(arguments[number + 1 : number + 2]))
        elif argument.startswith("-H") and not argument.startswith("-H="):
            found.append(argument.removeprefix("-H"))
    return [each for each in found if each.startswith("tcp:")]
