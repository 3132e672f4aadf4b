"""References of images: one spelling for each, whose they are, and patterns of repositories. Pure.

https://pkg.go.dev/github.com/distribution/reference
"""

import hashlib
import re

from ds01_spawner.domain.names import user_slug

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = r"[A-Za-z0-9.-]+(?::\d+)?"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_COMPONENT = re.compile(_PART, re.ASCII)
_REGISTRY_HOST = re.compile(_REGISTRY, re.ASCII)
_OWN_PREFIX = "ds01-"
_LONGEST_REFERENCE = 512
_PUBLIC = "docker.io"
_PUBLIC_SPELLINGS = (f"{_PUBLIC}/", f"index.{_PUBLIC}/")
_OFFICIAL = "library/"
_ANY = "*"
_MIN_COMPONENTS = 2
_DIGEST_LENGTH = 24
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


def canonical_reference(text: str) -> str:
    """`text` with its tag, and without the registry that everybody means.

    `docker.io/library/python` and `python:latest` become the same.

    Raises:
        ValueError: It is not an image reference.
    """
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST_REFERENCE else None
    if match is None:
        shown = text if len(text) <= _LONGEST_REFERENCE else f"{text[:_LONGEST_REFERENCE]}…"
        raise ValueError(f"{shown!r} is not an image reference such as ds01/starter:latest")
    repository = match["repository"]
    for spelling in _PUBLIC_SPELLINGS:
        repository = repository.removeprefix(spelling)
    repository = repository.removeprefix(_OFFICIAL)
    digest = match["digest"] or ""
    tag = match["tag"] or ("" if digest else "latest")
    return f"{repository}{tag and ':'}{tag}{digest}"


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and the rest (`:tag`, `@digest` or both) of a reference that is one."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return reference, ""
    repository = match["repository"]
    return repository, reference[len(repository) :]


def own_repository(user: str) -> str:
    """The namespace of a person's own images: `ds01-alice`. Nobody else's starts with it."""
    name = f"{_OWN_PREFIX}{user_slug(user)}"
    if _COMPONENT.fullmatch(name):
        return name
    # `a_-b` is a login name and no component of a reference. No slug ends like this: after its
    # only dot a slug has 16 digits.
    return f"{_OWN_PREFIX}user.{hashlib.sha256(user.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def is_somebodys(reference: str) -> bool:
    """Whether a canonical reference is in a person's own namespace, whoever that is."""
    return reference.startswith(_OWN_PREFIX) and "/" in reference


def is_image_id(text: str) -> bool:
    """Whether it is an engine's full id of an image, not a name."""
    return _IMAGE_ID.fullmatch(text) is not None


def full_repository(reference: str) -> str:
    """The repository of a canonical reference with its registry: `docker.io/library/python`."""
    repository, _rest = split_reference(reference)
    first, slash, _others = repository.partition("/")
    if slash and (set(first) & set(".:") or first == "localhost"):
        return repository
    return f"{_PUBLIC}/{repository if slash else _OFFICIAL + repository}"


def check_pattern(text: str) -> str:
    """`text`, unchanged, when it is a pattern of repositories such as `docker.io/library/*`.

    Raises:
        ValueError: It is not.
    """
    expected = (
        "expected a registry and a repository, in which * stands for one whole component, such as "
        "docker.io/library/* or ghcr.io/lab/tool"
    )
    registry, *components = text.split("/")
    is_host = _REGISTRY_HOST.fullmatch(registry) is not None and (
        bool(set(registry) & set(".:")) or registry == "localhost"
    )
    if not is_host or len(components) < _MIN_COMPONENTS - 1:
        raise ValueError(f"{expected}; found {text!r}")
    if not all(each == _ANY or _COMPONENT.fullmatch(each) for each in components):
        raise ValueError(f"{expected}; found {text!r}")
    return text


def matches(pattern: str, reference: str) -> bool:
    """Whether the repository of a canonical reference is one that the pattern means."""
    wanted, found = pattern.split("/"), full_repository(reference).split("/")
    return len(wanted) == len(found) and all(
        part in {_ANY, actual} for part, actual in zip(wanted, found, strict=True)
    )


def without_namespace(text: str, user: str) -> str:
    """A sentence in which a person's own images are called what the person calls them."""
    namespace = f"{own_repository(user)}/"
    return text.replace(f"docker.io/{namespace}", "").replace(namespace, "")
