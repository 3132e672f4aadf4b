"""The `MachineLook` port on the kernel, systemd and HTTP."""

import ctypes
import ctypes.util
import os
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.health import Answer, DiskFacts, FileFacts, UnitFacts

_SYSTEMD = Path("/run/systemd/system")
_PATH = "/usr/bin:/bin"
_SHOWN = "Id,LoadState,ActiveState,UnitFileState"
_STA_UNSYNC = 0x0040
_TIMEX_BYTES = 512
"""struct timex has 208 bytes (adjtimex(2)); more does no harm."""

_STATUS_OFFSET = 40
"""Of `int status` in it, on 64-bit Linux: modes and padding, offset, freq, maxerror, esterror."""


class KernelMachineLook:
    """Looks, and changes nothing.

    Args:
        seconds: Deadline of one question.
        systemd: What exists where systemd runs the machine.
    """

    def __init__(self, seconds: float = 3.0, systemd: Path = _SYSTEMD) -> None:
        self._seconds = seconds
        self._systemd = systemd

    def disk(self, path: str) -> DiskFacts | None:
        """The file system that a folder is on."""
        try:
            found, status = os.statvfs(path), Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise Unavailable(f"The disk of {path} cannot be looked at: {exc.strerror}.") from exc
        return DiskFacts(
            free_bytes=found.f_bavail * found.f_frsize,
            size_bytes=found.f_blocks * found.f_frsize,
            free_inodes=found.f_favail,
            inodes=found.f_files,
            read_only=bool(found.f_flag & os.ST_RDONLY),
            device=status.st_dev,
        )

    def file(self, path: str) -> FileFacts | None:
        """Who may open a file, a folder or a socket."""
        try:
            found = Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise Unavailable(f"{path} cannot be looked at: {exc.strerror}.") from exc
        written = datetime.fromtimestamp(found.st_mtime, UTC)
        return FileFacts(stat.S_IMODE(found.st_mode), found.st_uid, found.st_size, written)

    def matching(self, folder: str, pattern: str) -> Sequence[str]:
        """Paths in a folder that match."""
        try:
            return tuple(sorted(str(each) for each in Path(folder).glob(pattern)))
        except OSError:
            return ()

    def clock_is_kept(self) -> bool | None:
        """Whether the kernel's clock is synchronised (adjtimex(2))."""
        name = ctypes.util.find_library("c")
        try:
            libc = ctypes.CDLL(name, use_errno=True)
            timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: it only reads
            if libc.adjtimex(timex) < 0:
                return None
        except (OSError, AttributeError):
            return None
        raw = timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4]
        return not int.from_bytes(raw, "little") & _STA_UNSYNC

    def units(self, names: Sequence[str]) -> Mapping[str, UnitFacts] | None:
        """Those of these services that are installed."""
        program = shutil.which("systemctl", path=_PATH)
        if program is None or not self.runs_systemd():
            return None
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program and our own names
                [program, "show", f"--property={_SHOWN}", *names],
                capture_output=True,
                text=True,
                check=False,
                timeout=self._seconds,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"systemctl does not answer: {exc}.") from exc
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise Unavailable(f"systemctl does not answer: {said}.")
        return units_of(done.stdout)

    def runs_systemd(self) -> bool:
        """Whether systemd runs this machine (sd_booted(3))."""
        return self._systemd.is_dir()

    def ask(self, url: str) -> Answer | None:
        """What a web address answers to GET."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        connection = (
            HTTPSConnection(host, parts.port, timeout=self._seconds)
            if secure
            else HTTPConnection(host, parts.port, timeout=self._seconds)
        )
        try:
            connection.request("GET", parts.path or "/", headers={"Connection": "close"})
            ends = _certificate_ends(connection.sock) if secure else None
            return Answer(connection.getresponse().status, ends)
        except ssl.SSLCertVerificationError as exc:
            raise Unavailable(
                f"The certificate of {parts.netloc} is not valid: {exc.verify_message}."
            ) from exc
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


def units_of(text: str) -> Mapping[str, UnitFacts]:
    """What `systemctl show` says of the services that are installed. Pure."""
    found = {}
    for block in text.strip().split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines())
        if facts.get("LoadState") != "loaded":
            continue
        state = facts.get("UnitFileState", "")
        enabled = None if not state else state.startswith(("enabled", "static", "indirect"))
        found[facts["Id"]] = UnitFacts(facts.get("ActiveState", ""), enabled)
    return found


def _certificate_ends(line: socket.socket | ssl.SSLSocket) -> datetime | None:
    told = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
    ends = (told or {}).get("notAfter")
    if not isinstance(ends, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
