import io
import tarfile
import time
from pathlib import Path

import pytest

from ds01_spawner.adapters.container_files.unpacking import Refused, unpack


def extended(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, len(content)
    return entry.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length += len(str(length)) - len(str(len(rest)))
    return str(length).encode() + rest


def a_file(name: str = "a") -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = 1
    return entry.tobuf(tarfile.USTAR_FORMAT) + b"1" + bytes(511)


def put(folder: Path, *parts: bytes) -> None:
    unpack(str(folder), io.BytesIO(b"".join(parts) + bytes(1024)), keep_kinds=False)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    name = "d" * 90 + "/" + "\u00e9" * 60
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "me"}
    ) as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime = 3, 1_000_000_000.5
        archive.addfile(entry, io.BytesIO(b"abc"))
        archive.addfile(tarfile.TarInfo("last"))
    unpack(str(tmp_path), io.BytesIO(buffer.getvalue()), keep_kinds=False)
    assert (tmp_path / name).read_text() == "abc"
    assert (tmp_path / name).stat().st_mtime == 1_000_000_000.5
    assert (tmp_path / "last").exists()


def test_a_size_that_a_header_says_is_the_size(tmp_path: Path) -> None:
    put(tmp_path, extended(record(b"size", b"1") + record(b"path", b"named")), a_file(), a_file())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "named"]


@pytest.mark.parametrize(
    "header",
    [
        b"1" * 60_000,
        b"1" * 60_000 + b" hdrcharset",
        record(b"comment", b"1" * 60_000) * 2,
        b"12 path=name",
        b"9999999 path=name\n",
        b"0 =\n",
        b"3 \n",
    ],
)
def test_a_crafted_header_takes_no_time(tmp_path: Path, header: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Refused):
        put(tmp_path, *[extended(header)] * 100, a_file())
    assert time.process_time() - began < 1


def test_many_digits_are_not_searched(tmp_path: Path) -> None:
    """The library took 2 s for each of these."""
    began = time.process_time()
    put(tmp_path, *(extended(record(b"comment", b"1" * 60_000)) + a_file() for _ in range(50)))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "content",
    [
        extended(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")),
        extended(record(b"GNU.sparse.map", b"0,1")),
        extended(b"", tarfile.GNUTYPE_SPARSE),
    ],
)
def test_a_sparse_file_is_not_taken(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Refused, match="sparse"):
        put(tmp_path, content, a_file())


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_very_many_headers_of_one_entry_are_not_taken(tmp_path: Path, kind: bytes) -> None:
    content = b"name\0" if kind == tarfile.GNUTYPE_LONGNAME else record(b"path", b"name")
    with pytest.raises(Refused, match="too many headers"):
        put(tmp_path, *[extended(content, kind)] * 5000, a_file())
