"""Names of packages that people type, checked so that they can stand in a Dockerfile.

What passes holds no character that a shell or a Dockerfile could read as anything but text between
single quotes. What a person may not type here they may still write into a Dockerfile of their own.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

MOST_PACKAGES = 200
_LONGEST = 300
_SAFE = re.compile(r'[A-Za-z0-9 ._+<>=!~,;()\[\]*@:/#&?%"-]+')
_APT = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.+-]*[a-z0-9+])(?:=(?P<version>[A-Za-z0-9][A-Za-z0-9.+~:-]*))?"
)
_IMAGE = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LONGEST_IMAGE = 63
_SCHEMES = frozenset({"https", "git+https"})


def pip_package(text: str) -> str:
    """A requirement as pip reads it (PEP 508), as it was typed.

    Extras, markers and `name @ https://…` are kept. Addresses without a name, other schemes and
    addresses that hold a password are refused: what is in a Dockerfile is in the image's history.

    Raises:
        InvalidRequest: It is none.
    """
    wanted = text.strip(" ")
    if len(wanted) > _LONGEST:
        raise _no_package(text)
    try:
        requirement = Requirement(wanted)
    except InvalidRequirement as exc:
        raise _no_package(text) from exc
    if requirement.url:
        _check_address(text, requirement.url)
    spelled = str(requirement) if "'" in wanted else wanted
    if not _SAFE.fullmatch(spelled):
        raise _no_package(text)
    return spelled


def pip_packages(texts: Iterable[str]) -> tuple[str, ...]:
    """Requirements, each checked; of two for one package the last one counts.

    Raises:
        InvalidRequest: One is none, or they are too many.
    """
    by_name: dict[str, str] = {}
    for text in texts:
        spelled = pip_package(text)
        requirement = Requirement(spelled)
        marker = f";{requirement.marker}" if requirement.marker else ""
        by_name[canonicalize_name(requirement.name) + marker] = spelled
    _check_count(len(by_name), "pip")
    return tuple(by_name.values())


def pip_name(text: str) -> str:
    """The name of the package that a requirement is for, in pip's one spelling of it."""
    return canonicalize_name(Requirement(text).name)


def apt_package(text: str) -> str:
    """The name of a Debian package, with or without `=VERSION`.

    Raises:
        InvalidRequest: It is none; `name-`, which removes a package, is none either.
    """
    wanted = text.strip()
    if len(wanted) > _LONGEST or not _APT.fullmatch(wanted):
        raise InvalidRequest(
            f"{shown(text)} is not the name of an apt package.",
            "Give a name such as ffmpeg, or with its version: ffmpeg=7:5.1.6-0+deb12u1.",
        )
    return wanted


def apt_packages(texts: Iterable[str]) -> tuple[str, ...]:
    """Debian packages, each checked and each once, in their order.

    Raises:
        InvalidRequest: One is none, or they are too many.
    """
    by_name = {apt_package(text).partition("=")[0]: apt_package(text) for text in texts}
    _check_count(len(by_name), "apt")
    return tuple(by_name.values())


def image_name(text: str) -> str:
    """`text`, unchanged, when an image of one's own can be called so.

    Raises:
        InvalidRequest: It cannot.
    """
    if len(text) > _LONGEST_IMAGE or not _IMAGE.fullmatch(text):
        raise InvalidRequest(
            f"{shown(text)} cannot name an image.",
            f"Use 1 to {_LONGEST_IMAGE} lower-case letters and digits, with single dots, hyphens "
            "or underscores between them, such as thesis or my-first-image.",
        )
    return text


def _check_address(text: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        has_password = "@" in parts.netloc
    except ValueError as exc:
        raise _no_package(text) from exc
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise InvalidRequest(
            f"{shown(text)}: only https:// and git+https:// addresses are taken.",
            "Write NAME @ https://…/file.whl or NAME @ git+https://host/project@version.",
        )
    if has_password:
        raise InvalidRequest(
            f"The address of {shown(text.partition('@')[0].strip())} holds a name or password.",
            "Leave it out: everybody who may start the image could read it.",
        )


def _check_count(count: int, kind: str) -> None:
    if count > MOST_PACKAGES:
        raise InvalidRequest(
            f"{count} {kind} packages are more than the {MOST_PACKAGES} that an image may list.",
            "Put them into a requirements.txt.",
        )


def _no_package(text: str) -> InvalidRequest:
    bare = "://" in text and "@" not in text.partition("://")[0]
    return InvalidRequest(
        f"{shown(text)} is not a package that pip knows how to read.",
        "Write NAME @ ADDRESS for a package from an address."
        if bare
        else "Give a name, with or without a version: numpy, numpy==2.1.0, 'numpy>=1.26,<3'.",
    )
