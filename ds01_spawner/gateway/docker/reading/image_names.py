"""What a person calls an image, and what the engine calls it. Pure.

A person's `web:1` is `ds01-alice/web:1` in the engine. A word may also mean what everybody shares,
so it has candidates: one's own first.
"""

import re

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.policy.image_references import (
    canonical_reference,
    is_somebodys,
    own_repository,
    split_reference,
)

_ID = re.compile(r"(?:sha256:)?(?P<digits>[0-9a-f]{1,64})")
_FULL_ID = 64
_UNTAGGED = "<none>"


def engine_reference(text: str) -> str:
    """The one spelling of a reference that the engine is given.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        return canonical_reference(text)
    except ValueError as exc:
        raise InvalidRequest(f"invalid reference format: {exc}.") from exc


def own_reference(text: str, user: str) -> str:
    """The engine's reference for the image that a person makes under this name.

    `web` and `ds01-alice/web` become `ds01-alice/web:latest`; `registry.host/web:1` becomes
    `ds01-alice/registry.host/web:1`.

    Raises:
        InvalidRequest: It is no reference, has a digest, names a registry with a port, or is in
            somebody else's namespace.
    """
    reference = engine_reference(text)
    repository, rest = split_reference(reference)
    if "@" in rest:
        raise InvalidRequest(
            f"{shown(text)} has a digest, and an image that you make cannot be given one.",
            "Leave out what follows the @.",
        )
    namespace = f"{own_repository(user)}/"
    if repository.startswith(namespace):
        return reference
    if is_somebodys(repository):
        raise InvalidRequest(
            f"{shown(text)} is in somebody else's namespace.", "Leave out what precedes the slash."
        )
    if ":" in repository:
        raise InvalidRequest(
            f"{shown(text)} names a registry with a port, which cannot be part of your images' "
            f"names ({namespace}…).",
            "Leave out the registry: images are kept on this server only.",
        )
    return engine_reference(namespace + reference)


def candidates(text: str, user: str) -> tuple[str, ...]:
    """References that a person may mean, the likeliest first; empty for somebody else's.

    Raises:
        InvalidRequest: It is no reference.
    """
    reference = engine_reference(text)
    namespace = f"{own_repository(user)}/"
    if reference.startswith(namespace):
        return (reference,)
    if is_somebodys(reference):
        return ()
    try:
        mine = engine_reference(namespace + reference)
    except InvalidRequest:  # a registry with a port
        return (reference,)
    return (mine, reference)


def id_prefix(text: str) -> str | None:
    """The hexadecimal digits of what may be the beginning of an image's id, or `None`."""
    match = _ID.fullmatch(text)
    return match["digits"] if match else None


def is_full_id(text: str) -> bool:
    """Whether it is a whole id, with or without `sha256:`."""
    return len(id_prefix(text) or "") == _FULL_ID


def shown_image(reference: str, user: str) -> str:
    """What a person calls what the engine calls `reference`; shared ones and ids are unchanged."""
    return reference.removeprefix(f"{own_repository(user)}/")


def is_untagged(reference: str) -> bool:
    """Whether it is Docker's `<none>:<none>` or `<none>@<none>`."""
    return _UNTAGGED in reference
