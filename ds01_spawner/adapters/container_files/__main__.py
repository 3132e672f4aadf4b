"""One command on standard input, a line of JSON, and for a copy into the container the archive.

On standard output a line of JSON, then for a copy out of it the archive, or a second line when all
is written. Everything is imported before the container's files are where ours were.
"""

import json
import os
import resource
import stat
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, BinaryIO

from ds01_spawner.adapters.container_files.assembling import assemble
from ds01_spawner.adapters.container_files.entering import NotThatContainer, enter
from ds01_spawner.adapters.container_files.joining import Paused, Uncounted
from ds01_spawner.adapters.container_files.packing import check_readable, pack
from ds01_spawner.adapters.container_files.places import absolute_path, place_of, told
from ds01_spawner.adapters.container_files.unpacking import Refused, unpack

LONGEST_COMMAND = 1 << 16
MEMORY_BYTES = 256 * 1024**2
"""An archive may have headers of any length; it began in nobody's cgroup."""

CPU_SECONDS = 1800
"""Enough for 300 GB; then the kernel ends it."""

_NICENESS = 10
_NOT_A_FOLDER = 20


def main(source: BinaryIO, out: BinaryIO) -> None:
    """Receive, enter, do."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    os.nice(_NICENESS)
    command = json.loads(source.readline(LONGEST_COMMAND))
    try:
        _go_in(command)
        _COMMANDS[command["ask"]](command, source, out)
    except NotThatContainer:
        _say(out, {"gone": True})
    except Paused:
        _say(out, {"refused": "the container is paused; unpause it, then copy again"})
    except Uncounted:
        _say(out, {"uncounted": True})
    except Refused as exc:
        _say(out, {"refused": str(exc)})
    except MemoryError:
        _say(out, {"refused": "a name or a header in the archive is too long"})
    except BrokenPipeError:
        os._exit(1)
    except OSError as exc:
        what = exc.filename if isinstance(exc.filename, str) else command["path"]
        _say(out, {"errno": exc.errno, "what": what})


def _go_in(command: Mapping[str, Any]) -> None:
    if command["layers"]:
        assemble(
            command["layers"],
            command["volumes"],
            command["user"],
            command["image_user"],
            writable=command["ask"] == "put",
        )
    else:
        enter(
            *(command["pid"], command["container"], command["user"]),
            writes=command["ask"] == "put",
        )


def _stat(command: Mapping[str, Any], _: BinaryIO, out: BinaryIO) -> None:
    _say(out, {"stat": told(place_of(command["path"]))})


def _get(command: Mapping[str, Any], _: BinaryIO, out: BinaryIO) -> None:
    place = place_of(command["path"])
    head = {"stat": told(place)}
    check_readable(place)
    _say(out, head)
    try:
        pack(place, out)
    except OSError:  # the head is out: an archive that ends early is all that can be said
        os._exit(1)
    out.flush()


def _put(command: Mapping[str, Any], source: BinaryIO, out: BinaryIO) -> None:
    folder = os.path.realpath(absolute_path(command["path"]))
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError(_NOT_A_FOLDER, os.strerror(_NOT_A_FOLDER), folder)
    _say(out, {"ready": True})
    unpack(folder, source, keep_kinds=command["keep_kinds"])
    _say(out, {"done": True})


def _say(out: BinaryIO, answer: Mapping[str, Any]) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def _report(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """A failure without its lines: they would be looked for in the container."""
    line = traceback.tb_lineno if traceback else 0
    sys.stderr.write(f"container files: {kind.__name__}: {error} (line {line})\n")
    sys.stderr.flush()
    os._exit(1)


_COMMANDS: Mapping[str, Callable[[Mapping[str, Any], BinaryIO, BinaryIO], None]] = {
    "stat": _stat,
    "get": _get,
    "put": _put,
}


if __name__ == "__main__":
    sys.excepthook = _report
    main(sys.stdin.buffer, sys.stdout.buffer)
    # At an orderly end, the other thread would load a library that is now the container's.
    os._exit(0)
