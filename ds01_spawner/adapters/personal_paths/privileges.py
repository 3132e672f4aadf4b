"""From root to a person, for good. Imports next to nothing: a process does it at its start."""

import ctypes
import os
import signal
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522
_UMASK = 0o022


class StillPrivileged(Exception):
    """Something of root's is left in this process."""


class _CapabilityHeader(ctypes.Structure):
    """https://man7.org/linux/man-pages/man2/capset.2.html."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def become(uid: int, gid: int, groups: Sequence[int], *, may_be_root: bool = False) -> None:
    """Be the person in this process: their groups, no capability, no way back.

    It runs the platform's code, so it is not theirs to trace or dump; it dies with whoever started
    it. No file is needed: the process may be in another root by now.

    Raises:
        OSError: The kernel refuses.
        StillPrivileged: It is not so.
    """
    if not may_be_root and (uid == 0 or gid == 0):
        raise StillPrivileged(f"uid {uid} and gid {gid} are no person's")
    os.umask(_UMASK)
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _drop_capabilities()  # the kernel does where the uid stops being 0
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getresuid() != (uid,) * 3 or os.getresgid() != (gid,) * 3:
        raise StillPrivileged("the ids are not the person's")
    if any(_capabilities()):
        raise StillPrivileged("capabilities are left")
    if _prctl(_PR_GET_NO_NEW_PRIVS, 0) != 1:
        raise StillPrivileged("new privileges can be had")


def _drop_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header, none = _CapabilityHeader(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(header), ctypes.byref(none)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _capabilities() -> tuple[int, ...]:
    """Effective and permitted; what may be inherited helps nobody who has no new privileges."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _CapabilityHeader(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(ctypes.byref(header), ctypes.byref(sets)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return (sets[0], sets[1], sets[3], sets[4])


def _prctl(option: int, value: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
