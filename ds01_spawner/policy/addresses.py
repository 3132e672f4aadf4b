"""Files of people's addresses, a line `user: address` each, edited so that comments stay. Pure."""

import json
import re
from collections.abc import Mapping

from ds01_spawner.domain.errors import InvalidRequest, PolicyError
from ds01_spawner.policy.document import found, read_document
from ds01_spawner.policy.notifications import is_address, is_blank, parse_addresses

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*(?:@[A-Za-z0-9._-]+)?")
"""What YAML reads as it stands there, without quotes."""


def with_address(text: str, path: str, user: str, address: str) -> str:
    """The text of a file of addresses with that of `user`; comments and order stay.

    Raises:
        PolicyError: The file is not valid.
        InvalidRequest: It is not one address, or the file is written so that a line of it cannot
            be replaced.
    """
    if not is_address(address):
        raise InvalidRequest(f"{found(address)} is not one address.", "Such as alice@uni.example.")
    before = parse_addresses(text, path)
    if before.get(user) == address:
        return text
    line = f"{_scalar(user)}: {_scalar(address)}"
    return _checked_addresses(
        _line_replaced(text, path, user, line), path, {**before, user: address}
    )


def without_address(text: str, path: str, user: str) -> str:
    """The text of a file of addresses without that of `user`; comments and order stay.

    Raises:
        PolicyError: The file is not valid.
        InvalidRequest: The file is written so that a line of it cannot be removed.
    """
    before = parse_addresses(text, path)
    if user not in before:
        return text
    kept = {name: each for name, each in before.items() if name != user}
    return _checked_addresses(_line_replaced(text, path, user, None), path, kept)


def _line_replaced(text: str, path: str, user: str, line: str | None) -> str:
    place = None if is_blank(text) else read_document(text, path).lines.get((user,))
    lines = text.splitlines()
    if place is not None:
        lines[place - 1 : place] = [] if line is None else [line]
    elif line is not None:
        lines.append(line)
    return "".join(f"{each}\n" for each in lines)


def _checked_addresses(text: str, path: str, wanted: Mapping[str, str]) -> str:
    try:
        understood: Mapping[str, str] | None = parse_addresses(text, path)
    except PolicyError:
        understood = None
    if understood != wanted:
        raise InvalidRequest(
            f"{path} is not written with a line `user: address` for each person.",
            "Write it so, or edit it by hand.",
        )
    return text


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() != "null"
    return text if plain else json.dumps(text, ensure_ascii=False)
