"""What a new Unix account may be called. Pure; see docs/people.md."""

import re
import unicodedata

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

LONGEST = 32
"""What utmp(5) holds, and useradd(8) takes."""

_LONGEST_FULL_NAME = 200
_NAME = re.compile(r"[a-z](?:[a-z0-9._-]*[a-z0-9_-])?")
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l"}
)


def check_login_name(name: str) -> str:
    """`name`, unchanged, when a new account may be called so.

    Raises:
        InvalidRequest: It may not; one that may is proposed where there is one near.
    """
    if len(name) <= LONGEST and _NAME.fullmatch(name) and ".." not in name:
        return name
    near = proposed(name)
    hint = f" Such as {near}." if near and near != name else ""
    raise InvalidRequest(
        f"{shown(name)} cannot name a Unix account.",
        f"Use 1 to {LONGEST} lower-case letters a-z, digits, dots, hyphens and underscores,"
        f" beginning with a letter.{hint}",
    )


def proposed(name: str) -> str:
    """A name that an account may have, near to `name`; empty where there is none.

    Umlauts are written out: `Müller` becomes `mueller`.
    """
    text = unicodedata.normalize("NFC", name).lower().translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^a-z0-9._-]+", ".", plain.strip())
    near = re.sub(r"\.{2,}", ".", joined).lstrip("0123456789._-")[:LONGEST].rstrip(".-")
    return near if _NAME.fullmatch(near) else ""


def check_full_name(text: str) -> str:
    """A person's full name as an account holds it: trimmed, one space between words.

    Raises:
        InvalidRequest: It cannot stand in the list of accounts.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > _LONGEST_FULL_NAME:
        raise InvalidRequest(f"A full name has {_LONGEST_FULL_NAME} characters at most.")
    bad = next((each for each in name if each in ":,=#" or _is_control(each)), None)
    if bad is not None:
        raise InvalidRequest(f"The full name {shown(name)} holds {bad!r}, which it cannot.")
    return name


def same_full_name(one: str, other: str) -> bool:
    """Whether two full names are the same but for capitals and spaces."""
    first, second = (" ".join(unicodedata.normalize("NFC", each).split()) for each in (one, other))
    return first.casefold() == second.casefold()


def _is_control(char: str) -> bool:
    return unicodedata.category(char).startswith("C")
