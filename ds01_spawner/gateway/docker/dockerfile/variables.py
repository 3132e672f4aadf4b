"""Build arguments in a word of a Dockerfile, as the builder puts them in. Pure.

https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

import re
from collections.abc import Mapping

from ds01_spawner.gateway.docker.dockerfile.parsing import fault

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST = 16
_LONGEST = 4096


def expanded(line: int, word: str, values: Mapping[str, str], escape: str) -> str:
    """`word` with variables put in and quotes taken off.

    Knows `$V`, `${V}`, `${V:-default}` and `${V:+other}`; one that is not set is empty.

    Raises:
        InvalidRequest: It cannot be understood.
    """
    reader = _Reader(line, word, values, escape)
    return reader.read_until("")


class _Reader:
    def __init__(self, line: int, word: str, values: Mapping[str, str], escape: str) -> None:
        self._line = line
        self._word = word
        self._values = values
        self._escape = escape
        self._place = 0
        self._depth = 0

    def read_until(self, end: str) -> str:
        """Everything up to the character `end`, or to the end of the word."""
        self._depth += 1
        if self._depth > _MOST:
            raise self._fault()
        text = ""
        while self._place < len(self._word):
            if len(text) > _LONGEST:
                raise fault(self._line, f"a word of more than {_LONGEST} characters is too long.")
            each = self._take()
            if each == end:
                break
            if each == "'":
                text += self._literal()
            elif each == '"':
                text += self.read_until('"')
            elif each == self._escape:
                text += self._take()
            elif each == "$":
                text += self._variable()
            else:
                text += each
        else:
            if end:
                raise self._fault()
        self._depth -= 1
        return text

    def _literal(self) -> str:
        end = self._word.find("'", self._place)
        if end < 0:
            raise self._fault()
        text = self._word[self._place : end]
        self._place = end + 1
        return text

    def _variable(self) -> str:
        braced = self._word[self._place : self._place + 1] == "{"
        if braced:
            self._place += 1
        match = _NAME.match(self._word, self._place)
        if match is None:
            raise self._fault()
        self._place = match.end()
        value = self._values.get(match[0], "")
        if not braced:
            return value
        after = self._take()
        if after == "}":
            return value
        modifier = after + self._take()
        other = self.read_until("}")
        if modifier == ":-":
            return value or other
        if modifier == ":+":
            return other if value else ""
        raise self._fault()

    def _take(self) -> str:
        if self._place >= len(self._word):
            raise self._fault()
        each = self._word[self._place]
        self._place += 1
        return each

    def _fault(self) -> Exception:
        return fault(self._line, f"{self._word!r:.80} cannot be understood.")
