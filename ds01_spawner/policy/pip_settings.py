"""What of pip's settings builds may be given: addresses, and nothing that is secret. Pure.

Whatever a step of a build is given, its author can print. So no build is given a password that its
own author did not bring: docs/decisions/010-no-passwords-in-builds.md.
"""

import configparser
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf")
"""Where the server's pip reads its settings; the weaker first."""

ADDRESSES = ("index-url", "extra-index-url", "proxy")
KEYS = (*ADDRESSES, "trusted-host", "timeout")
_PLAIN = re.compile(
    r"(?:(?:https?|socks[45]h?)://)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/+-]*)?"
)
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?:\d{1,5}|\*))?")
_SECONDS = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_WORDS = {"trusted-host": _HOST, "timeout": _SECONDS}


@dataclass(frozen=True, slots=True)
class PipSettings:
    """Settings in pip's words.

    Attributes:
        settings: For builds.
        withheld: Names of those that were cut, or left out, since they hold a password or what may
            be one.
    """

    settings: Mapping[str, str]
    withheld: tuple[str, ...] = ()


def pip_settings(files: Iterable[str], environment: Mapping[str, str]) -> PipSettings:
    """The settings of a server's pip, for builds of its people.

    Args:
        files: Text of its files, the weakest first; what is no such file says nothing.
        environment: Variables; those of pip win.
    """
    said: dict[str, str] = {}
    for text in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            continue
        if parser.has_section("global"):
            said |= parser["global"]
    for name in KEYS:
        value = environment.get(f"PIP_{name.replace('-', '_').upper()}")
        if value:
            said[name] = value
    return _without_passwords({name: said[name] for name in KEYS if said.get(name)})


def _without_passwords(said: Mapping[str, str]) -> PipSettings:
    settings: dict[str, str] = {}
    withheld: list[str] = []
    for name, value in said.items():
        # Folders of the server are not in the build.
        given = [each for each in value.split() if not each.startswith(("file:", "/"))]
        if _is_broken(name, given):
            withheld.append(name)
            continue
        plain = [_stripped(each) if name in ADDRESSES else each for each in given]
        kept = [each for each in plain if _WORDS.get(name, _PLAIN).fullmatch(each)]
        if kept != given:
            withheld.append(name)
        if kept:
            settings[name] = " ".join(kept)
    return PipSettings(settings, tuple(withheld))


def _is_broken(name: str, words: Sequence[str]) -> bool:
    """Whether a space may stand in a password: then a part of it would look like a host."""
    if name == "extra-index-url":
        return not all("://" in each for each in words)
    if name == "trusted-host":
        return any("@" in each for each in words)
    return len(words) > 1


def _stripped(address: str) -> str:
    """An address without who asks."""
    scheme, slashes, rest = address.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
