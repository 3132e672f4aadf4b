"""`python -m ds01_spawner.adapters.storage FOLDER`: one JSON line asked, one answered.

It ends when whoever started it ends, and when nothing was asked for a while, so that it holds
neither memory nor people's folders.
"""

import ctypes
import errno
import json
import os
import platform
import queue
import resource
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.storage.homes import Homes, NotTheirs, remove_drafts
from ds01_spawner.adapters.storage.walk import CannotKeep, TooManyEntries

NICENESS = 19
IDLE_SECONDS = 180.0
MEMORY_BYTES = 2 * 1024**3
"""The last resort; `walk.MOST_KEPT` bounds what one folder may take."""

_KILLED_FIRST = "900"
_IDLE_IO = 3 << 13
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
"""https://man7.org/linux/man-pages/man2/ioprio_set.2.html: glibc has no function for it."""


def main(folder: Path) -> None:
    """Answer until standard input ends."""
    _give_way()
    remove_drafts(folder)
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    homes = Homes()
    while True:
        try:
            request = requests.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return
        answer = {"id": request["id"], **_answer(homes, request, folder)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answer(homes: Homes, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    path, kept, uid = request["path"], folder / request["kept"], request.get("uid")
    try:
        if request["ask"] == "place":
            return homes.place(path, kept, uid)
        return homes.walk(path, kept, request["seconds"], request["project"], uid)
    except CannotKeep as exc:
        return {"error": f"nothing can be written in {folder}: {exc}"}
    except NotTheirs as exc:
        return {"error": str(exc)}
    except OSError as exc:
        return {"error": exc.strerror or str(exc), "missing": exc.errno == errno.ENOENT}
    except TooManyEntries:
        return {"error": "one of its folders has too many entries"}
    except MemoryError:
        # At its limit an interpreter crawls, and answers nobody else either.
        os._exit(1)


def _receive(requests: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    # Not sys.exit: the walk may hang in a file system that does not answer.
    os._exit(0)


def _give_way() -> None:
    """Everything else on the machine comes first."""
    os.nice(NICENESS)
    with suppress(ValueError):  # it has less already
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with suppress(OSError):  # whoever started it is killed last: that is inherited
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(number, 1, 0, _IDLE_IO)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main(Path(sys.argv[1]))
