"""Lines of a stream that comes in parts."""

import logging
from collections.abc import Iterator

_log = logging.getLogger(__name__)


class Lines:
    """Puts lines together. One that is too long is left out: it is one of many people's.

    Args:
        longest: Bytes of a line.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._held = bytearray()
        self._skips = False

    def of(self, part: bytes) -> Iterator[bytes]:
        """Lines that end within the next part; none that are empty."""
        *ended, begun = part.split(b"\n")
        for piece in ended:
            self._take(piece)
            line, skips = bytes(self._held), self._skips
            self._held.clear()
            self._skips = False
            if not skips and line.strip():
                yield line
        self._take(begun)

    def _take(self, piece: bytes) -> None:
        if self._skips:
            return
        self._held += piece
        if len(self._held) > self._longest:
            _log.warning("a line of more than %s bytes from the engine is left out", self._longest)
            self._held.clear()
            self._skips = True
