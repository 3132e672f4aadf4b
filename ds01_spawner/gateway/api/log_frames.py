"""A container's output as text, as it comes. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

import codecs

_HEADER = 8
_STDOUT, _STDERR = 1, 2


class LogFrames:
    """Takes the frames off that say which of two outputs a text is of, and decodes it.

    Args:
        tty: Whether it is a terminal's: then there are none.
    """

    def __init__(self, *, tty: bool) -> None:
        self._tty = tty
        self._buffer = bytearray()
        self._left = 0
        new = codecs.getincrementaldecoder("utf-8")
        # Each has its own, or a character of one would be torn by the other.
        self._decoders = {_STDOUT: new("replace"), _STDERR: new("replace")}
        self._stream = _STDOUT

    def text(self, part: bytes) -> str:
        """What a further part of the stream says."""
        if self._tty:
            return self._decoders[_STDOUT].decode(part)
        self._buffer += part
        found: list[str] = []
        while self._buffer:
            if not self._left:
                if len(self._buffer) < _HEADER:
                    break
                self._stream = _STDERR if self._buffer[0] == _STDERR else _STDOUT
                self._left = int.from_bytes(self._buffer[4:_HEADER], "big")
                del self._buffer[:_HEADER]
                continue
            content = bytes(self._buffer[: self._left])
            del self._buffer[: len(content)]
            self._left -= len(content)
            found.append(self._decoders[self._stream].decode(content))
        return "".join(found)
