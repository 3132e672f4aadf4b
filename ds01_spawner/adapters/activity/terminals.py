"""Writing to the terminals that a process has open, which belong to somebody who is not trusted.

Whoever owns the process decides what its file descriptors are and what they are called. So
nothing is opened before it is certain what it is: the link's text is read, which asks no file
system; a descriptor that opens nothing (`O_PATH`) is taken; the kernel says on which mount it
lies. Only a device on a devpts mount is opened, and neither opening nor writing ever waits.
"""

import os
import re
import stat
import unicodedata

from ds01_spawner.adapters.activity.kernel_text import read_kernel

_INPUT_OUTPUT_ERROR = (0, 1, 2)
_NAME = re.compile(r"/(?:.*/)?(?:[0-9]+|console)")
_SLAVES = range(136, 144)
"""Majors of Unix 98 pseudo-terminals: https://docs.kernel.org/admin-guide/devices.html"""
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def payload_of(text: str) -> bytes:
    """What a terminal is sent: a bell, then the lines on their own, without control characters."""
    lines = text.replace("\r\n", "\n").split("\n")
    safe = (
        "".join(
            " " if letter == "\t" else letter
            for letter in line
            if letter == "\t" or unicodedata.category(letter) not in _UNSAFE
        )
        for line in lines
    )
    shown = "\r\n".join(safe).rstrip()
    return f"\a\r\n{shown}\r\n".encode()


def write_to_terminals_of(process: int, payload: bytes, seen: set[tuple[int, int]]) -> int:
    """How many terminals of a process took it; those in `seen` are left out, others added to it.

    Args:
        process: Descriptor of its folder in /proc.
        payload: What to write; a terminal that has no room for all of it shows the beginning.
        seen: Device of the file system and of the terminal, for each terminal.
    """
    written = 0
    names = set()
    for number in _INPUT_OUTPUT_ERROR:
        try:
            name = os.readlink(f"fd/{number}", dir_fd=process)
            if name in names or not _NAME.fullmatch(name):
                continue
            names.add(name)
            written += _write(process, number, payload, seen)
        except (OSError, ValueError):
            continue  # gone, closed, locked, full
    return written


def _write(process: int, number: int, payload: bytes, seen: set[tuple[int, int]]) -> int:
    place = os.open(f"fd/{number}", os.O_PATH | os.O_CLOEXEC, dir_fd=process)
    try:
        if _mount_of(place) not in _devpts_mounts(process):
            return 0
        found = os.fstat(place)  # after the mount is known: other file systems may never answer
        key = (found.st_dev, found.st_rdev)
        if not stat.S_ISCHR(found.st_mode) or os.major(found.st_rdev) not in _SLAVES or key in seen:
            return 0
        seen.add(key)
        terminal = os.open(
            f"/proc/self/fd/{place}", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        try:
            return 1 if os.write(terminal, payload) else 0
        finally:
            os.close(terminal)
    finally:
        os.close(place)


def _mount_of(descriptor: int) -> int | None:
    for line in read_kernel(f"/proc/self/fdinfo/{descriptor}").splitlines():
        if line.startswith(b"mnt_id:"):
            return int(line.split()[1])
    return None


def _devpts_mounts(process: int) -> frozenset[int]:
    """Of the mounts that the process sees, those of pseudo-terminals.

    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    lines = read_kernel("mountinfo", dir_fd=process).splitlines()
    return frozenset(
        int(line.split(maxsplit=1)[0])
        for line in lines
        if line.partition(b" - ")[2].startswith(b"devpts ")
    )
