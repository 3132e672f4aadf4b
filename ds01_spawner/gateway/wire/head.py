"""The head of an HTTP/1.1 message, read strictly.

Two readers of one connection must agree where a message ends (RFC 9112, section 11.2), so whatever
servers are known to read differently is an error here: bare line feeds, folded lines, lengths given
twice or beside a transfer coding.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ds01_spawner.domain.errors import InvalidRequest

MOST_HEAD_BYTES: Final = 64 * 1024
MOST_HEADERS: Final = 100
END: Final = b"\r\n\r\n"

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(r"[0-9]{1,18}")

Headers = Sequence[tuple[str, str]]


class Malformed(InvalidRequest):
    """What came cannot be read, nor where it ends: the connection cannot be used any more."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request up to its body.

    Attributes:
        method: Upper case.
        target: As it was written.
        headers: By lower-case name, in order.
        length: Bytes of the body; `None` when it comes in chunks.
        keep_alive: Whether another request may follow.
        chunks_understood: Whether the client reads chunks (HTTP/1.1).
        upgrade: The protocol that the client wants to speak instead (`tcp`), or empty.
    """

    method: str
    target: str
    headers: Headers
    length: int | None
    keep_alive: bool
    chunks_understood: bool
    upgrade: str = ""

    def first(self, name: str) -> str:
        """The first header of a name; empty without one."""
        return first(self.headers, name)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The engine's answer up to its body.

    Attributes:
        status: HTTP status.
        headers: By lower-case name, in order.
        length: Bytes of the body, as for an answer to anything but `HEAD`; `None` when unknown.
        chunked: Whether it comes in chunks.
    """

    status: int
    headers: Headers
    length: int | None
    chunked: bool

    @property
    def has_body(self) -> bool:
        """Whether a body follows, unless the question was `HEAD`."""
        nothing = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        return self.status not in nothing and (self.chunked or self.length != 0)


def first(headers: Headers, name: str) -> str:
    """The first header of a lower-case name; empty without one."""
    return next((value for key, value in headers if key == name), "")


def parse_request_head(text: bytes) -> RequestHead:
    """A request's head, without the empty line that ends it.

    Raises:
        Malformed: It is not one, or its end could be read in two ways.
    """
    lines = _lines(text)
    found = _REQUEST_LINE.fullmatch(lines[0])
    if found is None:
        raise Malformed("The first line of the request is not HTTP/1.1's METHOD /PATH HTTP/1.1.")
    headers = _headers(lines[1:])
    is_new = found[3] == "1"
    tokens = _tokens(headers, "connection")
    chunked = _is_chunked(headers)
    if chunked and not is_new:
        raise Malformed("A request of HTTP/1.0 does not come in chunks.")
    if first(headers, "expect").lower() not in {"", "100-continue"}:
        raise Malformed("The only thing that a request may expect is 100-continue.")
    length = _length(headers, chunked=chunked)
    return RequestHead(
        method=found[1],
        target=found[2],
        headers=headers,
        length=None if chunked else length or 0,
        keep_alive="close" not in tokens and (is_new or "keep-alive" in tokens),
        chunks_understood=is_new,
        upgrade=first(headers, "upgrade") if "upgrade" in tokens else "",
    )


def parse_response_head(text: bytes) -> ResponseHead:
    """An answer's head, without the empty line that ends it.

    Raises:
        Malformed: It is not one.
    """
    lines = _lines(text)
    found = _STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise Malformed("The first line of the answer is not HTTP/1.1's.")
    headers = _headers(lines[1:])
    chunked = _is_chunked(headers)
    return ResponseHead(int(found[1]), headers, _length(headers, chunked=chunked), chunked)


def written(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A head as it is sent.

    Raises:
        ValueError: Something in it would end a line.
    """
    lines = [first_line, *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line or "\x00" in line for line in lines):
        raise ValueError("a line of an HTTP head has a line's end in it")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")


def status_line(status: int) -> str:
    """The first line of an answer."""
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP/1.1 {status} Status"


def _lines(text: bytes) -> list[str]:
    lines = text.decode("latin-1").split("\r\n")
    if len(lines) > MOST_HEADERS + 1:
        raise Malformed(f"The request has {len(lines) - 1} headers; at most {MOST_HEADERS}.")
    return lines


def _headers(lines: Sequence[str]) -> Headers:
    headers = []
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise Malformed("A header is not written as NAME: VALUE on one line.")
        headers.append((found[1].lower(), found[2].rstrip(" \t")))
    return tuple(headers)


def _tokens(headers: Headers, name: str) -> set[str]:
    values = (value for key, value in headers if key == name)
    return {token.strip().lower() for value in values for token in value.split(",")}


def _is_chunked(headers: Headers) -> bool:
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if not codings:
        return False
    if [coding.lower() for coding in codings] != ["chunked"]:
        raise Malformed("The only transfer coding that is read is chunked, given once.")
    return True


def _length(headers: Headers, *, chunked: bool) -> int | None:
    lengths = [value for name, value in headers if name == "content-length"]
    if not lengths:
        return None
    if chunked or len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise Malformed("The length of the body is given once, as one number, or by its chunks.")
    return int(lengths[0])
