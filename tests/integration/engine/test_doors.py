"""The machine's doors on a copy of its files; nothing of the machine itself is changed."""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.doors import SOCKET, GroupsContract, NodesContract
from ds01_spawner.adapters.doors import FileNodes, GroupFiles, HttpSocket

FILES = {
    "group": "root:x:0:\ndocker:x:990:alice,bob\nlab:x:1000:\n",
    "gshadow": "root:*::\ndocker:!::alice,bob\nlab:!::\n",
    "passwd": "root:x:0:0::/root:/bin/sh\n"
    + "".join(
        f"{name}:x:{uid}:1000::/home/{name}:/bin/sh\n"
        for uid, name in enumerate(("alice", "bob", "carol"), 1001)
    )
    + "old:x:1009:990::/home/old:/bin/sh\n",
    "shadow": "".join(f"{name}:!:1::::::\n" for name in ("root", "alice", "bob", "carol", "old")),
}
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, perm, number)
    for tag, perm, number in (
        (0x01, 6, 2**32 - 1),
        (0x02, 6, 1000),
        (0x04, 6, 2**32 - 1),
        (0x10, 6, 2**32 - 1),
        (0x20, 6, 2**32 - 1),
    )
)


class TestGroupFiles(GroupsContract):
    @pytest.fixture
    def groups(self, tmp_path: Path) -> GroupFiles:
        (tmp_path / "etc").mkdir()
        for name, text in FILES.items():
            (tmp_path / "etc" / name).write_text(text)
        return GroupFiles(tmp_path)

    def test_who_has_it_as_the_primary_group_is_known(self, groups: GroupFiles) -> None:
        found = groups.members("docker")

        assert found is not None
        assert found.primary == ("old",)
        assert found.everybody == ("alice", "bob", "old")

    def test_both_files_are_changed(self, groups: GroupFiles, tmp_path: Path) -> None:
        groups.remove("alice", "docker")

        assert "docker:x:990:bob\n" in (tmp_path / "etc/group").read_text()
        assert "docker:!::bob\n" in (tmp_path / "etc/gshadow").read_text()


class TestFileNodes(NodesContract):
    @pytest.fixture
    def nodes(self, tmp_path: Path) -> Iterator[FileNodes]:
        place = tmp_path / SOCKET.removeprefix("/")
        place.parent.mkdir(parents=True)
        for folder in (place.parent, place.parent.parent):
            folder.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(place.parent)  # a socket's path is short
            try:
                listener.bind(place.name)
            finally:
                os.chdir(here)
            place.chmod(0o666)
            os.setxattr(place, "system.posix_acl_access", ACL)
            yield FileNodes(tmp_path)

    def test_a_folder_above_that_is_closed_closes_it(
        self, nodes: FileNodes, tmp_path: Path
    ) -> None:
        (tmp_path / "run/engine").chmod(0o700)

        (found,) = nodes.find(SOCKET)
        assert not found.reachable

    def test_a_link_to_it_is_the_same(self, nodes: FileNodes, tmp_path: Path) -> None:
        (tmp_path / "run/engine/link.sock").symlink_to("engine.sock")

        (found,) = nodes.find("/run/engine/*.sock")
        assert found.path == SOCKET

    def test_the_group_keeps_what_it_had_without_the_list(
        self, nodes: FileNodes, tmp_path: Path
    ) -> None:
        place = tmp_path / SOCKET.removeprefix("/")
        narrow = ACL.replace(
            struct.pack("<HHI", 4, 6, 2**32 - 1), struct.pack("<HHI", 4, 0, 2**32 - 1)
        )
        os.setxattr(place, "system.posix_acl_access", narrow)
        assert stat.S_IMODE(place.stat().st_mode) == 0o666

        nodes.close(SOCKET, to_group=False)

        assert stat.S_IMODE(place.stat().st_mode) == 0o604


def test_this_machines_own_groups_and_sockets_are_read() -> None:
    groups = GroupFiles()
    assert groups.members("root") is not None
    assert groups.members("no-such-group") is None
    (found,) = FileNodes().find("/run/docker.sock")
    assert (found.uid, found.mode & 0o002) == (0, 0)


def test_the_engines_socket_answers_and_a_missing_one_does_not(tmp_path: Path) -> None:
    assert HttpSocket("/run/docker.sock").answers()
    assert not HttpSocket(str(tmp_path / "docker.sock")).answers()
