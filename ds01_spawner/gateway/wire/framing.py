"""Where a body ends, for each way that HTTP/1.1 has to say so."""

import re
from typing import Final, Protocol

from ds01_spawner.gateway.wire.head import Malformed

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LONGEST_SIZE: Final = 8
_MOST_PARTS: Final = 64
_CRLF: Final = b"\r\n"


class Framing(Protocol):
    """Takes what was received, and tells the body from what frames it.

    Attributes:
        done: Whether the body has ended.
        surplus: What was received after its end.
    """

    done: bool
    surplus: bytes

    def feed(self, data: bytes) -> list[memoryview]:
        """The parts of `data` that are the body; perhaps none.

        Raises:
            Malformed: It is not framed as it should be.
        """
        ...

    def eof(self) -> bool:
        """Whether the body may end where the connection does."""
        ...


class OfLength:
    """A body of known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.surplus = b""

    def feed(self, data: bytes) -> list[memoryview]:
        """See `Framing`."""
        body = memoryview(data)[: self._left]
        self.surplus = data[len(body) :]
        self._left -= len(body)
        self.done = self._left == 0
        return [body] if body else []

    def eof(self) -> bool:
        """See `Framing`."""
        return self.done


class UntilEnd:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.done = False
        self.surplus = b""

    def feed(self, data: bytes) -> list[memoryview]:
        """See `Framing`."""
        return [memoryview(data)]

    def eof(self) -> bool:
        """See `Framing`."""
        self.done = True
        return True


class InChunks:
    """A body in chunks, without extensions and trailers (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self.done = False
        self.surplus = b""
        self._held = b""
        self._left = 0
        self._ending = False

    def feed(self, data: bytes) -> list[memoryview]:
        """See `Framing`."""
        if self._held:
            data, self._held = self._held + data, b""
        view = memoryview(data)
        parts: list[memoryview] = []
        at, end = 0, len(data)
        while at < end and not self.done:
            if self._left:
                taken = min(self._left, end - at)
                parts.append(view[at : at + taken])
                at += taken
                self._left -= taken
                self._ending = self._left == 0
                continue
            after = self._after_ending(data, at) if self._ending else self._after_size(data, at)
            if after == at:
                self._held = data[at:]
                break
            at = after
        if self.done:
            self.surplus = data[at:]
        return parts if len(parts) <= _MOST_PARTS else [memoryview(b"".join(parts))]

    def eof(self) -> bool:
        """See `Framing`."""
        return self.done

    def _after_ending(self, data: bytes, at: int) -> int:
        """Behind the line's end that follows a chunk; `at` when more must come first."""
        ending = data[at : at + 2]
        if not _CRLF.startswith(ending):
            raise Malformed("A chunk of the body is not followed by a line's end.")
        if len(ending) < len(_CRLF):
            return at
        self._ending = False
        return at + 2

    def _after_size(self, data: bytes, at: int) -> int:
        """Behind the line with a chunk's size; `at` when more must come first."""
        line_end = data.find(_CRLF, at, at + _LONGEST_SIZE + 2)
        if line_end < 0:
            rest = data[at : at + _LONGEST_SIZE + 2].removesuffix(b"\r")
            if rest and not _SIZE.fullmatch(rest):
                raise Malformed("The size of a chunk is not a number.")
            return at
        if not _SIZE.fullmatch(data, at, line_end):
            raise Malformed("The size of a chunk is not a number.")
        size = int(data[at:line_end], 16)
        if size:
            self._left = size
            return line_end + 2
        last = data[line_end + 2 : line_end + 4]
        if not _CRLF.startswith(last):
            raise Malformed("Headers after the body are not read.")
        if len(last) < len(_CRLF):
            return at
        self.done = True
        return line_end + 4
