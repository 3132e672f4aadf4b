"""One command as a person: read from standard input, a socket; answered there, with what it opened.

Everything is imported before this process is the person: they may not read where it lies.
"""

import errno
import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.personal_paths.exchange import LONGEST_MESSAGE
from ds01_spawner.adapters.personal_paths.privileges import become

_MODE = 0o755


def main() -> None:
    """Receive, become the person, answer."""
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as channel:
        data, descriptors, _, _ = socket.recv_fds(channel, LONGEST_MESSAGE, 1)
        if not data:  # the gateway has ended
            return
        command = json.loads(data)
        groups = os.getgrouplist(command["name"], command["gid"])
        become(command["uid"], command["gid"], groups)
        try:
            answer, opened = _COMMANDS[command["ask"]](command, descriptors)
        except OSError as exc:
            what = exc.filename if isinstance(exc.filename, str) else command["path"]
            answer, opened = {"errno": exc.errno or errno.EIO, "what": what}, []
        with suppress(BrokenPipeError):  # whoever asked was killed
            socket.send_fds(channel, [json.dumps(answer).encode()], opened)


def _open(command: Mapping[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
    path = command["path"]
    try:
        opened = _opened(path)
    except FileNotFoundError:
        if not command["create_missing"]:
            raise
        Path(path).mkdir(_MODE, parents=True, exist_ok=True)
        opened = _opened(path)
    found = os.fstat(opened)
    if not found.st_nlink:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    searched = os.X_OK if stat.S_ISDIR(found.st_mode) else 0
    link = f"/proc/self/fd/{opened}"
    if (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)) and not os.access(
        link, os.R_OK | searched
    ):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return {
        "type": stat.S_IFMT(found.st_mode),
        "writable": os.access(link, os.W_OK | searched),
    }, [opened]


def _opened(path: str) -> int:
    """What the path leads to; asked for as a folder first, which is what makes autofs mount it."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
    except NotADirectoryError:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _mount_point(
    command: Mapping[str, Any], descriptors: list[int]
) -> tuple[dict[str, Any], list[int]]:
    """Go down step by step, through no link, and make what is missing."""
    here = descriptors[0]
    *folders, last = [part for part in command["path"].split("/") if part not in {"", "."}]
    if ".." in {*folders, last}:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), command["path"])
    for folder in folders:
        here = _folder_in(here, folder)
    if command["is_folder"]:
        _folder_in(here, last)
        return {}, []
    with suppress(FileExistsError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(last, flags, 0o644, dir_fd=here))
    if not stat.S_ISREG(os.stat(last, dir_fd=here, follow_symlinks=False).st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), last)
    return {}, []


def _folder_in(parent: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, _MODE, dir_fd=parent)
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=parent)


_COMMANDS: Mapping[
    str, Callable[[Mapping[str, Any], list[int]], tuple[dict[str, Any], list[int]]]
] = {"open": _open, "mount_point": _mount_point}


if __name__ == "__main__":
    main()
    os._exit(0)  # the answer is out, and somebody waits for this end
