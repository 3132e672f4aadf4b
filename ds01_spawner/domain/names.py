"""Names that Docker, systemd and the file system accept, made from names that people have.

People's names carry dots, `@`, capitals and Unicode. Every derived name is injective: two people
never share a container, a volume or a cgroup.
"""

import base64
import hashlib
import re
import unicodedata
from functools import lru_cache

from ds01_spawner.domain.errors import InvalidRequest

SEPARATOR = "._."
"""Between a container's own name and its owner's, as in `jupyter._.alice`."""

DEFAULT_SERVER = "jupyter"
"""What the container of a person's unnamed hub server is called."""

MAX_USER_LENGTH = 255
_SHOWN = 80
_DIGEST = 16
"""Hex digits: with 8, a person who may choose a name finds another's slug in minutes."""

_SLUG_LENGTH = 40
_PLAIN_USER = re.compile(r"^[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?\Z")
_PLAIN_CGROUP = re.compile(r"^[a-z0-9_]{1,40}\Z")
_CGROUP_TOP = "ds01"
_CGROUP_FILES = frozenset({"tasks", "notify_on_release", "release_agent"})
NO_GROUP = "no.group"
"""The cgroup level of people without a group; no slug has this form."""

_BRIDGE = "ds01-"

_NAME = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?\Z")
_DOCKER_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_PROJECT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")


def shown(value: object) -> str:
    """What somebody sent, quoted for a message and cut: it may be a megabyte, or end a line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def check_user(user: str) -> str:
    """`user`, unchanged.

    Raises:
        InvalidRequest: It is empty, too long, or holds control characters or a slash.
    """
    if not user or len(user) > MAX_USER_LENGTH:
        raise InvalidRequest(
            f"A user name has 1 to {MAX_USER_LENGTH} characters; this one has {len(user)}."
        )
    if "/" in user or any(unicodedata.category(char).startswith("C") for char in user):
        raise InvalidRequest(f"The user name {shown(user)} holds a slash or a control character.")
    return user


def check_name(name: str) -> str:
    """`name`, unchanged, when it can name a container.

    Raises:
        InvalidRequest: It is not 1 to 48 of `a-z`, `0-9` and inner hyphens.
    """
    if not _NAME.match(name):
        raise InvalidRequest(
            f"{shown(name)} cannot name a container.",
            "Use 1 to 48 lower-case letters, digits and inner hyphens, such as thesis-run.",
        )
    return name


def check_docker_name(name: str) -> str:
    """`name`, unchanged, when a Docker client may give it to a container, a network or a volume.

    Wider than `check_name`: Compose calls things `web_db_1`.

    Raises:
        InvalidRequest: It is not 1 to 128 of letters, digits, `_`, `.` and `-`, or it holds the
            separator before the owner's name.
    """
    if not _DOCKER_NAME.match(name) or SEPARATOR in f"{name}.":
        raise InvalidRequest(
            f"{shown(name)} cannot name anything here.",
            "Use 1 to 128 letters, digits, dots, hyphens and underscores, beginning with a letter "
            f"or digit, without {SEPARATOR!r}.",
        )
    return name


def check_project(project: str) -> str:
    """`project`, unchanged, when it can name a project.

    Raises:
        InvalidRequest: It is not 1 to 63 of letters, digits, `_`, `.` and `-`.
    """
    if not _PROJECT.match(project):
        raise InvalidRequest(
            f"{shown(project)} cannot name a project.",
            "Use 1 to 63 letters, digits, dots, hyphens and underscores, such as thesis-2026.",
        )
    return project


@lru_cache(maxsize=1024)
def user_slug(user: str) -> str:
    """A part of Docker names that stands for `user` alone.

    A plain name (lower-case letters, digits, inner `-` and `_`, at most 40) is kept. Any other
    becomes its safe letters, a dot and sixteen hex digits of its SHA-256; a plain name has no dot,
    so no two people share a slug.
    """
    return user if _PLAIN_USER.match(user) else _hashed(user, "-")


def cgroup_slug(name: str) -> str:
    """A part of a cgroup path or slice name that stands for `name` alone.

    Like `user_slug`, but without hyphens: systemd reads `a-b.slice` as `b` inside `a`
    (https://www.freedesktop.org/software/systemd/man/latest/systemd.slice.html). The kernel's own
    files without a dot (cgroup v1) are no slug either.
    """
    plain = _PLAIN_CGROUP.match(name) and name not in _CGROUP_FILES
    return name if plain else _hashed(name, "_")


def cgroup_slugs(group: str | None, user: str) -> tuple[str, str]:
    """The two levels, group and person, of a person's cgroup."""
    return NO_GROUP if group is None else cgroup_slug(group), cgroup_slug(user)


def cgroup_top(instance: str, *, is_main: bool) -> str:
    """The cgroup that those of all people of an installation lie in; without a hyphen.

    The main installation's has the plain name; each other has one of its own, so that no two bound
    the same person in the same place.
    """
    return _CGROUP_TOP if is_main else f"{_CGROUP_TOP}_{cgroup_slug(instance)}"


def container_name(name: str, user: str) -> str:
    """The engine's name for a person's container: `jupyter._.alice`."""
    return f"{name}{SEPARATOR}{user_slug(user)}"


def home_volume(user: str) -> str:
    """The named volume that is the home of somebody without a Unix account."""
    return f"ds01-home-{user_slug(user)}"


def network_name(user: str) -> str:
    """The bridge network that only this person's containers join."""
    return f"ds01-{user_slug(user)}"


def bridge_tag(instance: str) -> str:
    """Three characters that tell the bridges of one installation from those of another."""
    return _letters(instance, 3)


def bridge_prefix(instance: str) -> str:
    """What the names of all network interfaces of an installation's bridges begin with."""
    return f"{_BRIDGE}{bridge_tag(instance)}"


def bridge_name(network: str, instance: str, attempt: int = 0) -> str:
    """The network interface of a person's network: `ds01-` and ten characters.

    The kernel takes 15. Packet filters recognise everybody's bridges by the beginning, so that a
    network is fenced in before its first container starts (docs/isolation.md).

    Args:
        network: The engine's name of the network.
        instance: Id of the installation.
        attempt: Counts names that turned out to be taken.
    """
    salted = network if not attempt else f"{network} {attempt}"
    return f"{bridge_prefix(instance)}{_letters(salted, 7)}"


def _letters(text: str, count: int) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:count]


def _hashed(name: str, filler: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    safe = re.sub(r"[^a-z0-9]+", filler, ascii_name).strip(filler)[:_SLUG_LENGTH].strip(filler)
    return f"{safe or 'user'}.{digest}"
