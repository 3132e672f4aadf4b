"""The files that a Dockerfile copies, from beside it."""

import json
from collections.abc import Iterable
from pathlib import Path

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.dockerfile import HOST_FOLDER
from ds01_spawner.recipes.dockerfile_reading import steps

MOST_FILES = 100
LARGEST = 200_000
_LEAST_WORDS = 2


def files_for(folder: Path, dockerfile: str) -> dict[str, str]:
    """Text of each file that the Dockerfile copies, by its path below the folder.

    What is not there is left out: the build says so, with the step.

    Raises:
        InvalidRequest: They are too many, too large, or no text.
    """
    root = folder.resolve()
    found: dict[str, str] = {}
    for source in _sources(dockerfile):
        for path in _matching(root, source):
            found[path.relative_to(root).as_posix()] = _text(path, root)
            if len(found) > MOST_FILES:
                raise _too_much(root, f"more than {MOST_FILES} files")
    return found


def _sources(dockerfile: str) -> Iterable[str]:
    for step in steps(dockerfile):
        words = step.text.split()
        if words[0].upper() not in {"COPY", "ADD"}:
            continue
        flags = [each for each in words[1:] if each.startswith("--")]
        if any(each.startswith("--from=") for each in flags):
            continue
        rest = step.text.split(maxsplit=1 + len(flags))[-1]
        try:
            listed = json.loads(rest)
        except ValueError:
            listed = rest.split()
        if isinstance(listed, list) and len(listed) >= _LEAST_WORDS:
            yield from (str(each) for each in listed[:-1])


def _matching(root: Path, source: str) -> Iterable[Path]:
    relative = source.removeprefix("./").strip("/")
    if relative.startswith(HOST_FOLDER) or ".." in Path(relative).parts:
        return
    found = sorted(root.glob(relative)) if relative not in {"", "."} else [root]
    for path in found:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for each in inside:
            if ".git" not in each.relative_to(root).parts and each.is_file():
                yield each


def _text(path: Path, root: Path) -> str:
    if not path.resolve().is_relative_to(root):
        raise InvalidRequest(f"{path} leads out of the project's folder.", "Copy the file there.")
    try:
        if path.stat().st_size > LARGEST:
            raise _too_much(root, f"{path.name} is larger than {LARGEST // 1000} kB")
        return path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise _too_much(root, f"{path.name} is no text") from exc
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc.strerror}.") from exc


def _too_much(root: Path, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"The Dockerfile copies what is too much for this way: {what}.",
        f"Build it on the server with docker build -t NAME {root}; data belongs into the "
        "workspace, not into an image.",
    )
