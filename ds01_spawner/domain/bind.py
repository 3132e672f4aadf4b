"""Folders and files of the host that a person has in a container, and the label that says so.

The engine mounts a staged copy of each (`ports.BindStage`), whose path tells nothing, so the label
keeps what its owner called it and where that led.
"""

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

MOST_BINDS = 64
"""In one container; each is a mount of the host's."""

LONGEST_PATH = 4095
"""Bytes; the kernel takes no longer one (PATH_MAX)."""

STAGE_FOLDER = "binds"
"""The last folder of every stage's own path, above keys."""

_VERSION = 1
_KEY = re.compile(r"^[0-9a-f]{32}\Z")
_STAGED = re.compile(rf"/{STAGE_FOLDER}/(?P<key>[0-9a-f]{{32}})/(?P<index>0|[1-9]\d?)\Z")


@dataclass(frozen=True, slots=True)
class Bind:
    """One folder or file of the host in a container.

    Attributes:
        source: Absolute host path, as its owner named it.
        target: Absolute path inside.
        read_only: Whether its owner asked for it to be, or could not write there at creation.
        create_missing: Whether a folder that is missing is made, as Docker's `-v` does.
        real_path: Where `source` led at creation; empty before.
    """

    source: str
    target: str
    read_only: bool = False
    create_missing: bool = False
    real_path: str = ""


@dataclass(frozen=True, slots=True)
class BindSet:
    """The binds of one container.

    Attributes:
        key: Names their stage: 32 hex digits, chosen at creation.
        binds: In the order in which they are staged.
        others: Where else in the container the engine mounts or makes something.
    """

    key: str
    binds: tuple[Bind, ...]
    others: tuple[str, ...] = ()


def is_key(text: str) -> bool:
    """Whether `text` can name a stage."""
    return _KEY.match(text) is not None


def check_binds(binds: Sequence[Bind]) -> None:
    """Return when these can be asked for.

    Raises:
        InvalidRequest: They are too many, or a path is relative, too long or no path.
    """
    if len(binds) > MOST_BINDS:
        raise InvalidRequest(
            f"{len(binds)} folders of the host are asked for; a container has at most {MOST_BINDS}."
        )
    for bind in binds:
        for path in (bind.source, bind.target):
            _check_path(path)
        if posixpath.normpath(bind.target).strip("/") in {"", "."}:
            raise InvalidRequest("Nothing can be mounted at / of a container.")


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise InvalidRequest(f"{shown(path)} is not an absolute path.", "Begin it with /.")
    try:
        length = len(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        length = LONGEST_PATH + 1
    if "\0" in path or length > LONGEST_PATH:
        raise InvalidRequest(f"{shown(path)} is not a path.")


def binds_label(wanted: BindSet) -> str:
    """The value of label `ds01.binds`."""
    entries = [
        {
            "source": bind.source,
            "target": bind.target,
            "read_only": bind.read_only,
            "create": bind.create_missing,
            "path": bind.real_path,
        }
        for bind in wanted.binds
    ]
    told = {"version": _VERSION, "key": wanted.key, "binds": entries, "others": wanted.others}
    return json.dumps(told)


def binds_of(marks: Mapping[str, str]) -> BindSet | None:
    """The binds that a container's labels tell of; `None` without, or where they make no sense.

    An image can bring this label along: it counts only together with `staged_key`.
    """
    if labels.BINDS not in marks:
        return None
    try:
        told = json.loads(marks[labels.BINDS])
        key, entries, others = told["key"], told["binds"], tuple(told["others"])
        binds = tuple(_bind(entry) for entry in entries)
        if told["version"] != _VERSION or not is_key(key):
            return None
        if not all(isinstance(other, str) for other in others):
            return None
        check_binds(binds)
    except (ValueError, KeyError, TypeError, RecursionError, InvalidRequest):
        return None
    return BindSet(key, binds, others)


def _bind(entry: Mapping[str, Any]) -> Bind:
    texts = [entry[name] for name in ("source", "target", "path")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    return Bind(
        source=texts[0],
        target=texts[1],
        read_only=entry["read_only"] is True,
        create_missing=entry["create"] is True,
        real_path=texts[2],
    )


def staged_place(source: str) -> tuple[str, int] | None:
    """Key and index of a mount whose source is in a stage; `None` for any other."""
    match = _STAGED.search(source) if STAGE_FOLDER in source else None
    return (match["key"], int(match["index"])) if match else None


def staged_bind(wanted: BindSet | None, source: str) -> Bind | None:
    """The bind that the engine shows as a mount from `source`; `None` for anything else."""
    place = staged_place(source) if wanted is not None else None
    if wanted is None or place is None or place[0] != wanted.key:
        return None
    return wanted.binds[place[1]] if place[1] < len(wanted.binds) else None


def staged_key(sources: Sequence[str]) -> str:
    """The key of the stage that mounts come from; empty without one, or with several."""
    keys = {place[0] for place in map(staged_place, sources) if place is not None}
    return keys.pop() if len(keys) == 1 else ""


def as_owner_named(mount: Mount, wanted: BindSet | None) -> Mount:
    """`mount` with the owner's own path instead of the staged one; others unchanged."""
    bind = staged_bind(wanted, mount.source) if mount.kind == "bind" else None
    if bind is None:
        return mount
    return replace(
        mount,
        source=bind.real_path or bind.source,
        read_only=mount.read_only or bind.read_only,
    )
