from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.gateway.wire.framing import Framing, InChunks, OfLength, UntilEnd
from ds01_spawner.gateway.wire.head import Malformed


def fed(framing: Framing, *pieces: bytes) -> tuple[bytes, bytes]:
    """The body, and what came after it."""
    body = b""
    for at, piece in enumerate(pieces):
        body += b"".join(framing.feed(piece))
        if framing.done:
            return body, framing.surplus + b"".join(pieces[at + 1 :])
    return body, b""


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts})
    edges = [0, *places, len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    after=st.binary(max_size=20),
    cuts=st.lists(st.integers(0, 300), max_size=12),
)
def test_a_chunked_body_is_the_same_however_it_is_cut(
    chunks: list[bytes], after: bytes, cuts: list[int]
) -> None:
    data = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"

    assert fed(InChunks(), *in_pieces(data + after, cuts)) == (b"".join(chunks), after)


@given(length=st.integers(0, 60), data=st.binary(max_size=90), cuts=st.lists(st.integers(0, 90)))
def test_a_body_of_known_length_ends_there(length: int, data: bytes, cuts: list[int]) -> None:
    framing = OfLength(length)
    if length == 0:
        assert framing.done
        return

    body, after = fed(framing, *in_pieces(data, cuts))

    assert body == data[:length]
    assert framing.done is (len(data) >= length)
    assert after == data[length:]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1 \r\n",
        b" 1\r\n",
        b"1;name=value\r\n",
        b"1\n",
        b"123456789\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"1\r\naX",
        b"0\r\nTrailer: x\r\n\r\n",
        b"0\r\nX",
        b"0\n\n",
    ],
)
@pytest.mark.parametrize("cut", [1, 2, 3, 100])
def test_what_is_not_framed_as_it_should_be_is_refused(data: bytes, cut: int) -> None:
    with pytest.raises(Malformed):
        fed(InChunks(), data[:cut], data[cut:])


def test_a_body_of_many_small_chunks_is_given_in_few_parts() -> None:
    framing = InChunks()

    parts = framing.feed(b"1\r\nx\r\n" * 5000)

    assert b"".join(parts) == b"x" * 5000
    assert len(parts) < 100


@pytest.mark.parametrize("framing", [InChunks(), OfLength(3)])
def test_a_body_that_breaks_off_is_not_complete(framing: Framing) -> None:
    framing.feed(b"1\r")

    assert not framing.eof()


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    framing = UntilEnd()

    assert fed(framing, b"a", b"b") == (b"ab", b"")
    assert framing.eof()
