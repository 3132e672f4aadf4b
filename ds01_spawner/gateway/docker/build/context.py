"""What a client sends to be built: a tar archive, kept on disk, with another Dockerfile put in.

Nothing of it is unpacked here. The Dockerfile that the engine reads has a name that nobody could
have put into the archive: should the engine read the archive otherwise than this module does, it
finds no Dockerfile at all, and not one that was never checked.
"""

import bz2
import gzip
import lzma
import os
import posixpath
import secrets
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.gateway.docker.build.tar_members import BLOCK, Member, members
from ds01_spawner.gateway.docker.dockerfile.ignore_file import is_ignored

LARGEST_CONTEXT = 4 * 1024**3
"""Bytes, packed or unpacked."""

LARGEST_TEXT = 1024**2
"""Of a Dockerfile, a .dockerignore, or a name in the archive."""

LEAST_FREE = 2 * 1024**3
"""Bytes that a context leaves free on the disk of the state folder."""

MOST_MEMBERS = 500_000
DEFAULT_DOCKERFILE = "Dockerfile"
_IGNORE_FILE = ".dockerignore"
_CHUNK = 1024**2
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)


@dataclass(frozen=True, slots=True)
class BuildContext:
    """An archive, read.

    Attributes:
        file: The plain archive, without a name on disk.
        kept: From where to where it is sent on.
        dockerfile: Content of the Dockerfile.
        name: What the engine's Dockerfile will be called.
    """

    file: IO[bytes]
    kept: tuple[tuple[int, int], ...]
    dockerfile: bytes
    name: str = field(default_factory=lambda: f".dockerfile.{secrets.token_hex(16)}")

    def chunks(
        self, dockerfile: str, added: Mapping[str, bytes] = MappingProxyType({})
    ) -> Iterator[bytes]:
        """The archive for the engine, with this Dockerfile and files of the server's own."""
        for start, end in self.kept:
            place = start
            while place < end:
                if self.file.closed:  # whoever waited for it has gone
                    return
                self.file.seek(place)
                chunk = self.file.read(min(_CHUNK, end - place))
                if not chunk:
                    raise Unavailable("The build's context was cut short on disk.", "Try again.")
                place += len(chunk)
                yield chunk
        for name, content in added.items():
            yield _member(name, content)
        # The engine takes what stands here out of the context: COPY finds what it would have found.
        yield _member(_IGNORE_FILE, f"{_IGNORE_FILE}\n{self.name}\n".encode())
        yield _member(self.name, dockerfile.encode("utf-8", "surrogateescape"))
        yield bytes(2 * BLOCK)


class Spool:
    """Bytes that a client sends, on disk; gone when closed, or when this process ends."""

    def __init__(self, folder: Path, largest: int = LARGEST_CONTEXT) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._largest = largest
        self._size = 0
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            InvalidRequest: They are too many.
            Unavailable: The disk is nearly full.
        """
        self._size += len(chunk)
        if self._size > self._largest:
            raise _too_large(self._largest)
        if self.file.closed:  # whoever sent it has gone
            return
        if shutil.disk_usage(self._folder).free < LEAST_FREE:
            raise Unavailable(
                "The server's disk is nearly full, so that nothing can be built.",
                "Ask the administrator to make room.",
            )
        self.file.write(chunk)

    def unpacked(self) -> None:
        """Put the plain archive in the place of a compressed one.

        Raises:
            InvalidRequest: It cannot be unpacked, or is too large.
            Unavailable: The disk is nearly full.
        """
        self.file.seek(0)
        start = self.file.read(max(len(magic) for magic, _kind in _MAGIC))
        self.file.seek(0)
        kind = next((kind for magic, kind in _MAGIC if start.startswith(magic)), None)
        if kind is None:
            return
        packed = self.file
        self.file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed below
        self._size = 0
        try:
            with _opened(packed, kind) as plain:
                while chunk := plain.read(_CHUNK):
                    self.write(chunk)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as exc:
            raise InvalidRequest(f"The build's context is no whole {kind} file: {exc}.") from exc
        finally:
            packed.close()

    def close(self) -> None:
        """Give the disk back."""
        self.file.close()


def read_context(spool: Spool, dockerfile: str) -> BuildContext:
    """The archive that was sent, and the Dockerfile in it.

    Args:
        spool: What was sent; unpacked here where it is compressed.
        dockerfile: The path that the client gives; empty for the usual one.

    Raises:
        InvalidRequest: It is no archive, or has no such Dockerfile, or a link instead of it.
        Unavailable: The disk is nearly full.
    """
    spool.unpacked()
    return _read(spool.file, _normal(dockerfile) or DEFAULT_DOCKERFILE)


@dataclass(slots=True)
class _Found:
    """The members of one name: the last one counts."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    content: bytes | None = None


def _read(file: IO[bytes], wanted: str) -> BuildContext:
    names = {wanted, _IGNORE_FILE} | ({"dockerfile"} if wanted == DEFAULT_DOCKERFILE else set())
    found: dict[str, _Found] = {}
    end = 0
    for count, member in enumerate(members(file), 1):
        if count > MOST_MEMBERS:
            raise InvalidRequest(
                f"The build's context has more than {MOST_MEMBERS} files.",
                "List what is not needed in .dockerignore.",
            )
        end = member.end
        name = _normal(member.name)
        if name in names:
            kept = found.setdefault(name, _Found())
            kept.ranges.append((member.start, member.end))
            kept.content = _content(file, member)
    # More members follow, so the last one's block is made whole.
    file.write(bytes(max(0, end - file.seek(0, os.SEEK_END))))
    if wanted not in found and wanted == DEFAULT_DOCKERFILE and "dockerfile" in found:
        wanted = "dockerfile"
    dockerfile = found.get(wanted)
    if dockerfile is None:
        raise InvalidRequest(f"Cannot locate specified Dockerfile: {wanted}")
    if dockerfile.content is None:
        raise InvalidRequest(
            f"The Dockerfile {wanted} is a link or no file, or larger than 1 MiB.",
            "Send it as a file.",
        )
    ignore = found.get(_IGNORE_FILE, _Found())
    left_out = [*ignore.ranges]
    if is_ignored(wanted, ignore.content or b""):
        left_out += dockerfile.ranges
    return BuildContext(file, tuple(_kept(left_out, end)), dockerfile.content)


def _content(file: IO[bytes], member: Member) -> bytes | None:
    if not member.is_file or member.size > LARGEST_TEXT:
        return None
    file.seek(member.content)
    return file.read(member.size)


def _kept(left_out: list[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    place = 0
    for start, stop in sorted(left_out):
        if start > place:
            yield place, start
        place = max(place, stop)
    if end > place:
        yield place, end


def _normal(name: str) -> str:
    """A path in the archive, as the engine sees it once it is unpacked."""
    return posixpath.normpath(f"/{name}").lstrip("/")


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(content), 0o600
    padding = bytes(-len(content) % BLOCK)
    return header.tobuf(tarfile.PAX_FORMAT) + content + padding


def _opened(packed: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        return gzip.open(packed)  # type: ignore[return-value]
    return bz2.open(packed) if kind == "bzip2" else lzma.open(packed)


def _too_large(largest: int) -> InvalidRequest:
    return InvalidRequest(
        f"The build's context is larger than {largest / 1024**3:.3g} GiB.",
        "List what is not needed in .dockerignore.",
    )
