"""What a request line asks for, parsed once; what could be read in two ways is refused."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.endpoints import ENDPOINTS, Endpoint
from ds01_spawner.gateway.wire.call import Query

OLDEST_MINOR: Final = 24
NEWEST_MINOR: Final = 99
MOST_PARAMETERS: Final = 500

_VERSION = re.compile(r"v1\.(0|[1-9][0-9]{0,3})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_WORDS = ("{id}", "{ref}")


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for.

    Attributes:
        version: Engine API version, such as `1.41`; empty when none was given.
        path: Canonical path without version, quoted as the engine is to get it.
        endpoint: The row of the table; `None` when there is none.
        parts: The variable parts of the path, decoded.
        pairs: Every parameter, decoded, in order.
    """

    version: str
    path: str
    endpoint: Endpoint | None
    parts: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]

    @property
    def query(self) -> Query:
        """The parameters that the endpoint declares."""
        declared = () if self.endpoint is None else self.endpoint.query.split()
        found: dict[str, list[str]] = {}
        for name, value in self.pairs:
            if name in declared:
                found.setdefault(name, []).append(value)
        return found


def parse_target(method: str, target: str) -> Target:
    """What a request's method and target ask for.

    Raises:
        InvalidRequest: It is not in a form that everybody reads in the same way, or of a version
            of the API that is not spoken here.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/") or "#" in target:
        raise InvalidRequest("The path of a request starts with / and has no #.")
    segments = path[1:].split("/")
    version = ""
    if segments[0].startswith("v1.") and len(segments) > 1:
        version = _version(segments.pop(0))
    slash_before_name = len(segments) > 2 and segments[:2] == ["containers", ""]  # noqa: PLR2004
    if slash_before_name:
        # A container's name in `docker inspect` starts with a slash, and clients ask for it so.
        del segments[1]
    decoded = [_segment(segment) for segment in segments]
    endpoint, parts = _match(method, decoded)
    if endpoint is None or (slash_before_name and "{id}" not in endpoint.path):
        _require(not slash_before_name, "The path of a request has no empty parts.")
        endpoint, parts = None, {}
    return Target(
        version=version,
        path=_canonical(endpoint, parts, decoded),
        endpoint=endpoint,
        parts=parts,
        pairs=_parameters(query),
    )


def quoted_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters as they are sent, from the question mark on; empty without any."""
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return f"?{text}" if text else ""


def flat(query: Query | None) -> list[tuple[str, str]]:
    """Parameters one by one."""
    return [(name, value) for name, values in (query or {}).items() for value in values]


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise InvalidRequest(otherwise)


def _version(segment: str) -> str:
    found = _VERSION.fullmatch(segment)
    if found is None or int(found[1]) > NEWEST_MINOR:
        raise InvalidRequest(f"{quote(segment)} is not an API version.")
    if int(found[1]) < OLDEST_MINOR:
        raise InvalidRequest(
            f"client version 1.{found[1]} is too old. Minimum supported API version is "
            f"1.{OLDEST_MINOR}, please upgrade your client to a newer version"
        )
    return f"1.{found[1]}"


def _decoded(text: str) -> str:
    _require(not _BAD_ESCAPE.search(text), "The request has a % without two digits after it.")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidRequest("The request is not written in UTF-8.") from exc


def _segment(text: str) -> str:
    value = _decoded(text)
    _require(not _CONTROL.search(value), "The path of a request has no control characters.")
    for part in value.split("/"):
        _require(part != "", "The path of a request has no empty parts.")
        _require(part not in {".", ".."}, "The path of a request has no . and no .. in it.")
    return value


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    written = [pair for pair in query.split("&") if pair]
    if len(written) > MOST_PARAMETERS:
        raise InvalidRequest(
            f"The request has {len(written)} parameters; at most {MOST_PARAMETERS} are read."
        )
    pairs = []
    for pair in written:
        name, _, value = pair.replace("+", " ").partition("=")
        pairs.append((_decoded(name), _decoded(value)))
        _require("\x00" not in pairs[-1][1], "The parameters of a request have no NUL in them.")
    return tuple(pairs)


def _by_method() -> dict[str, list[tuple[Endpoint, list[str]]]]:
    rows: dict[str, list[tuple[Endpoint, list[str]]]] = {}
    for endpoint in ENDPOINTS:
        template = endpoint.path[1:].split("/")
        rows.setdefault(endpoint.method, []).append((endpoint, template))
    for templates in rows.values():
        # What has a name of its own is never read as somebody's name.
        templates.sort(key=lambda row: sum(part in _WORDS for part in row[1]))
    return rows


_ROWS = _by_method()


def _match(method: str, segments: Sequence[str]) -> tuple[Endpoint | None, dict[str, str]]:
    for endpoint, template in _ROWS.get(method, ()):
        parts = _parts(template, segments)
        if parts is not None:
            return endpoint, parts
    return None, {}


def _parts(template: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """The variable parts, or `None` when the path is not of this form."""
    if "{ref}" in template:
        at = template.index("{ref}")
        after = len(segments) - (len(template) - at - 1)
        fixed = (template[:at], template[at + 1 :])
        if after <= at or fixed != (list(segments[:at]), list(segments[after:])):
            return None
        return {"ref": "/".join(segments[at:after])}
    if len(template) != len(segments):
        return None
    parts = {}
    for expected, segment in zip(template, segments, strict=True):
        if expected == "{id}" and "/" not in segment:
            parts["id"] = segment
        elif expected != segment:
            return None
    return parts


def _canonical(endpoint: Endpoint | None, parts: Mapping[str, str], segments: Sequence[str]) -> str:
    if endpoint is None:
        _require(
            not any("/" in segment for segment in segments),
            "An encoded slash is read only in the name of an image.",
        )
        return "".join(f"/{quote(segment, safe=':@')}" for segment in segments)
    path = endpoint.path
    for name, value in parts.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/:@"))
    return path
