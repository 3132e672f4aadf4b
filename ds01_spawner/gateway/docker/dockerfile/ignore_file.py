"""What a `.dockerignore` means for one path. Pure, and quick whatever it says.

https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

import posixpath
from fnmatch import fnmatchcase

from ds01_spawner.domain.errors import InvalidRequest

MOST_PATTERNS = 5000
_ANY_DEPTH = "**"
_LONGEST_PATH = 1024


def is_ignored(path: str, content: bytes) -> bool:
    """Whether the last pattern that means `path`, or a folder above it, leaves it out.

    Raises:
        InvalidRequest: There are too many patterns, or the path is very long.
    """
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    if len(patterns) > MOST_PATTERNS or len(path) > _LONGEST_PATH:
        raise InvalidRequest(
            f"The .dockerignore has {len(patterns)} patterns; {MOST_PATTERNS} are allowed, and a "
            f"path of the Dockerfile of {_LONGEST_PATH} characters."
        )
    names = path.split("/")
    ignored = False
    for pattern in patterns:
        keeps = pattern.startswith("!")
        if ignored is keeps and _means(pattern.removeprefix("!").strip(), names):
            ignored = not keeps
    return ignored


def _means(pattern: str, names: list[str]) -> bool:
    """Whether a pattern means these names, or the first few of them: a folder."""
    parts = posixpath.normpath(f"/{pattern}").lstrip("/").replace("[^", "[!").split("/")
    # places[n]: whether the parts so far can stand for the first n names.
    places = [True] + [False] * len(names)
    for part in parts:
        if part == _ANY_DEPTH:
            first = places.index(True) if True in places else len(places)
            places = [number >= first for number in range(len(places))]
        else:
            places = [False] + [
                before and fnmatchcase(name, part)
                for before, name in zip(places, names, strict=False)
            ]
    return any(places[1:])
