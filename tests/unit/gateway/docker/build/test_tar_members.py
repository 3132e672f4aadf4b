import io
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.build.tar_members import BLOCK, LONGEST_EXTENSION, members

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=150)


def written(entries: list[tuple[str, int]], form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tree:
        for name, size in entries:
            entry = tarfile.TarInfo(name)
            entry.size = size
            tree.addfile(entry, io.BytesIO(bytes(size)))
    return buffer.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.integers(0, 2000)), max_size=6),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_members_are_those_that_were_written(entries: list[tuple[str, int]], form: int) -> None:
    content = written(entries, form)
    found = list(members(io.BytesIO(content)))
    assert [(each.name, each.size, each.is_file) for each in found] == [
        (name, size, True) for name, size in entries
    ]
    assert [each.start for each in found[1:]] == [each.end for each in found[:-1]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_archives_end_soon_and_say_so(data: st.DataObject) -> None:
    content = bytearray(written([("Dockerfile", 10), ("x" * 120, 600)], tarfile.PAX_FORMAT))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = list(members(io.BytesIO(bytes(content))))
    except InvalidRequest:
        return
    assert all(0 <= each.start < each.content <= each.end <= len(content) for each in found)


def header(name: str = "x", kind: bytes = b"0", size: int = 0, **more: bytes) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT)[:BLOCK])
    block[156:157] = kind
    if "field" in more:
        block[124:136] = more["field"]
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_links_have_no_content_whatever_they_say() -> None:
    content = header("a", b"1", 512) + header("b") + bytes(1024)
    assert [each.name for each in members(io.BytesIO(content))] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (header(kind=b"S"), "sparse"),
        (header(field=b"\xff" * 12), "too large"),
        (header(field=b"-00000000001"), "number"),
        (header(field=b"99999999999\0"), "number"),
        (header(kind=b"x", size=LONGEST_EXTENSION + 1), "too long"),
        (header(kind=b"L", size=512) + b"a" * 512 + bytes(1024), "within a member"),
        (header(kind=b"x", size=512) + b"9" * 512 + header() + bytes(1024), "broken"),
        (header(kind=b"x", size=512) + b"99 path=x\n".ljust(512, b" ") + header(), "broken"),
        (header()[:300], "cut short"),
        (header(size=600) + bytes(512), "cut short"),
        (header()[:148] + b"0000000\0" + header()[156:], "broken"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        list(members(io.BytesIO(content)))


def test_a_crafted_header_takes_no_time() -> None:
    began = time.monotonic()
    for filler in (b"1", b"1 a=", b"hdrcharset=", b"10 a=b\n" * 2):
        text = (filler * LONGEST_EXTENSION)[:LONGEST_EXTENSION]
        content = header(kind=b"x", size=LONGEST_EXTENSION) + text + header() + bytes(1024)
        with pytest.raises(InvalidRequest):
            list(members(io.BytesIO(content)))
    assert time.monotonic() - began < 2
