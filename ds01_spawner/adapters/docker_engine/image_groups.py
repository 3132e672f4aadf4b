"""Whether an image would make its containers members of groups that nobody gave them.

The engine looks every group of a process up in the /etc/group of the container's own files, by name
before number: a line `2000:x:42:` there puts who is in group 2000 into the server's group 42, and
folders of the server that are mounted are open to that group then. To leave `GroupAdd` out is no
help: since Docker 20.10.18 the primary group is looked up so, too (CVE-2022-36109,
https://github.com/moby/moby/blob/v20.10.24/daemon/oci_linux.go#L172; GetAdditionalGroups of
https://github.com/opencontainers/runc/blob/v1.1.5/libcontainer/user/user.go). It looks at each
start and each `docker exec`, so nobody in the container may be able to change the file either.
"""

import io
import stat
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.domain.errors import Forbidden, NotFound

LARGEST_BYTES = 1024**2
_HEADER_BYTES = 16 * 1024
_REMEMBERED = 1024
_FILE = "/etc/group"
_WAY = ("/", "/etc")


class ImageGroups:
    """Looks into images, once into each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Mapping[str, str] | str] = OrderedDict()

    def check(self, image: Mapping[str, Any], reference: str) -> None:
        """Return when containers of an image are in the groups that they get, and no others.

        Args:
            image: The engine's inspect JSON of it.
            reference: What it is called, for the message.

        Raises:
            Forbidden: They could be in others.
            Unavailable: The engine does not answer.
        """
        found = self._of(image)
        if isinstance(found, str):
            problem = found
        else:
            wrong = [name for name, number in found.items() if name != number]
            problem = f"calls a group {wrong[0]}, which is a number" if wrong else ""
        if problem:
            raise Forbidden(
                f"No folder of the server can be mounted into a container of {reference}: its "
                f"{_FILE} {problem}, so that it could take the place of groups of this server.",
                "Use an image in which /, /etc and /etc/group are root's, and groups have names.",
            )

    def _of(self, image: Mapping[str, Any]) -> Mapping[str, str] | str:
        image_id = str(image["Id"])
        with self._lock:
            known = self._known.get(image_id)
        if known is None:
            known = self._look(image)
            with self._lock:
                self._known[image_id] = known
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return known

    def _look(self, image: Mapping[str, Any]) -> Mapping[str, str] | str:
        """Numbers that are names of groups, with what they stand for; or what is wrong."""
        marks = (image.get("Config") or {}).get("Labels") or {}
        body = {
            "Image": image["Id"],
            "Cmd": ["never"],
            "Labels": dict.fromkeys(marks, ""),
            "HostConfig": {"NetworkMode": "none"},
        }
        call = Call("POST", "/containers/create", "look into an image", kind="create", body=body)
        container = str(self._connection.json(call)["Id"])
        try:
            way = [self._read(container, path, _HEADER_BYTES) for path in _WAY]
            return numbered_groups(way, self._read(container, _FILE, 2 * LARGEST_BYTES))
        finally:
            self._connection.json(
                Call(
                    "DELETE",
                    f"/containers/{container}",
                    "end the look into an image",
                    kind="remove",
                    query={"force": 1, "v": 1},
                )
            )

    def _read(self, container: str, path: str, most: int) -> bytes:
        call = Call(
            "GET",
            f"/containers/{container}/archive?path={quote(path, safe='')}",
            "look into an image",
        )
        try:
            return self._connection.beginning(call, most)
        except NotFound:
            return b""


def numbered_groups(way: Collection[bytes], file: bytes) -> Mapping[str, str] | str:
    """Numbers that are names of groups, with the number each stands for; or what is wrong. Pure.

    Args:
        way: How archives begin of the folders that lead to the file; empty for what is not there.
        file: The archive of the file; empty where it is not there.
    """
    for archive in way:
        folder = _first(archive)[0]
        if folder is not None and not (folder.isdir() and _is_roots(folder)):
            return "is in a folder that is not root's alone"
    member, content = _first(file)
    if member is None:
        return {}
    if not (member.isreg() and _is_roots(member) and member.size <= LARGEST_BYTES):
        return "is no plain file of root's alone"
    if len(content) < member.size:
        return "cannot be read"
    groups: dict[str, str] = {}
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        name, *rest = line.strip().split(":")
        if name.isdigit():  # the first line of a name counts
            groups.setdefault(name, rest[1] if len(rest) > 1 else "0")
    return groups


def _first(archive: bytes) -> tuple[tarfile.TarInfo | None, bytes]:
    """The first member of an archive that may be cut off, and its content."""
    if not archive:
        return None, b""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r|") as opened:
        member = opened.next()
        if member is None or not member.isreg() or member.size > LARGEST_BYTES:
            return member, b""
        content = opened.extractfile(member)
        return member, b"" if content is None else content.read()


def _is_roots(member: tarfile.TarInfo) -> bool:
    return member.uid == 0 and not member.mode & (stat.S_IWGRP | stat.S_IWOTH)
