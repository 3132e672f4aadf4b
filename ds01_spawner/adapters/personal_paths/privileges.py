"""From root to a person, for good."""

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_UMASK = 0o022


class StillPrivileged(Exception):
    """Something of root's is left in this process."""


def become(name: str, uid: int, gid: int) -> None:
    """Be the person in this process: all their groups, no capability, no way back.

    What starts this process must not be theirs to trace, so it can be neither traced nor dumped.
    It dies with whoever started it.

    Raises:
        OSError: The kernel or the name service does not answer.
        StillPrivileged: It is not so.
    """
    if uid == 0 or gid == 0:
        raise StillPrivileged(f"uid {uid} and gid {gid} are no person's")
    os.umask(_UMASK)
    os.initgroups(name, gid)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _check(uid, gid)


def _check(uid: int, gid: int) -> None:
    if os.getresuid() != (uid,) * 3 or os.getresgid() != (gid,) * 3:
        raise StillPrivileged("the ids are not the person's")
    told = dict(line.split(":\t", 1) for line in _status().splitlines() if ":\t" in line)
    for kind in ("CapPrm", "CapEff", "CapAmb"):
        if int(told[kind], 16):
            raise StillPrivileged(f"{kind} is {told[kind]}")
    if told["NoNewPrivs"] != "1":
        raise StillPrivileged("new privileges can be had")


def _status() -> str:
    return Path("/proc/thread-self/status").read_text(encoding="utf-8")


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
