"""Headers of a tar stream, read in bounded memory and time.

The standard library keeps extended headers of any size, and searches them with expressions that a
crafted one makes run for hours (CVE-2024-6232).
"""

import tarfile
from typing import Any, Self

LONGEST = 64 * 1024
"""Bytes of a header that says more of an entry: its name may have 4 KiB."""

_DIGITS = 6
_GLOBAL = tarfile.XGLTYPE
_PAX = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, _GLOBAL})
_EXTENSIONS = _PAX | {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_SPARSE = b"GNU.sparse."


class HeaderRefused(Exception):
    """A header is not taken; the text says why."""


class Entry(tarfile.TarInfo):
    """An entry of an archive."""

    def _proc_member(self, archive: Any) -> Self:
        if self.type in _EXTENSIONS and self.size > LONGEST:
            raise HeaderRefused("a name or a header in the archive is too long")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise HeaderRefused("the archive holds a sparse file")
        if self.type in _PAX:
            return self._proc_pax(archive)
        found: Self = super()._proc_member(archive)  # type: ignore[misc]
        return found

    def _proc_pax(self, archive: Any) -> Self:
        """As the library does it, but record by record: nothing is searched."""
        content = archive.fileobj.read(self._block(self.size))[: self.size]  # type: ignore[attr-defined]
        said = _records(content)
        following: Self = self.fromtarfile(archive)
        if self.type == _GLOBAL:  # a note of who made it; what it says of all entries is not needed
            return following
        following._apply_pax_info(said, archive.encoding, archive.errors)  # type: ignore[attr-defined]
        following.offset = self.offset
        if "size" in said:
            place = following.offset_data
            if following.isreg():
                place += following._block(following.size)  # type: ignore[attr-defined]
            archive.offset = place
        return following


def _records(content: bytes) -> dict[str, str]:
    said: dict[str, str] = {}
    place = 0
    while place < len(content):
        blank = content.find(b" ", place, place + _DIGITS)
        length = content[place:blank] if blank > 0 else b""
        if not length.isdigit() or not blank - place < int(length) <= len(content) - place:
            raise HeaderRefused("the archive cannot be read: a header in it is broken")
        end = place + int(length)
        key, equals, value = content[blank + 1 : end - 1].partition(b"=")
        if not equals or content[end - 1 : end] != b"\n":
            raise HeaderRefused("the archive cannot be read: a header in it is broken")
        if key.startswith(_SPARSE):
            raise HeaderRefused("the archive holds a sparse file")
        said[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        place = end
    return said
