import tarfile

import pytest

from ds01_spawner.adapters.docker_engine.image_groups import LARGEST_BYTES, numbered_groups

PLAIN = b"root:x:0:\nstaff:x:50:alice\n"


def member(kind: bytes = tarfile.REGTYPE, *, uid: int = 0, mode: int = 0o644, **more: int) -> bytes:
    return packed(b"", kind, uid=uid, mode=mode, **more)


def packed(
    content: bytes,
    kind: bytes = tarfile.REGTYPE,
    *,
    uid: int = 0,
    mode: int = 0o644,
    size: int = -1,
) -> bytes:
    entry = tarfile.TarInfo("group")
    entry.type, entry.uid, entry.mode = kind, uid, mode
    entry.size = len(content) if size < 0 else size
    return entry.tobuf() + content + bytes(-len(content) % 512) + bytes(1024)


WAY = (member(tarfile.DIRTYPE, mode=0o755), member(tarfile.DIRTYPE, mode=0o755))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PLAIN, {}),
        (b"2000:x:42:\n", {"2000": "42"}),
        (b"2000:x:2000:\n", {"2000": "2000"}),
        (b"x:x:1:\n \xc2\xa02000:x:42:\r\n", {"2000": "42"}),
        (b"2000:x:42:\n2000:x:2000:\n", {"2000": "42"}),
        (b"2000\n2001:x\n", {"2000": "0", "2001": "0"}),
        (b"2000:x:nonsense:", {"2000": "nonsense"}),
        (b"\xff\xfe:x:1:\n", {}),
        (b"", {}),
    ],
)
def test_numbers_that_are_names_are_found(content: bytes, found: dict[str, str]) -> None:
    assert numbered_groups(WAY, packed(content)) == found


def test_without_the_file_a_number_is_a_number() -> None:
    assert numbered_groups(WAY, b"") == {}
    assert numbered_groups((WAY[0], b""), b"") == {}


@pytest.mark.parametrize(
    "folder",
    [
        member(tarfile.DIRTYPE, uid=1001, mode=0o755),
        member(tarfile.DIRTYPE, mode=0o775),
        member(tarfile.DIRTYPE, mode=0o757),
        member(tarfile.SYMTYPE, mode=0o777),
    ],
)
def test_a_folder_that_others_can_change_is_told(folder: bytes) -> None:
    for way in ((folder, WAY[1]), (WAY[0], folder)):
        assert "not root's alone" in numbered_groups(way, packed(PLAIN))


@pytest.mark.parametrize(
    "file",
    [
        packed(PLAIN, uid=1001),
        packed(PLAIN, mode=0o664),
        packed(PLAIN, mode=0o646),
        member(tarfile.SYMTYPE, mode=0o644),
        member(tarfile.DIRTYPE, mode=0o755),
        packed(b"", size=LARGEST_BYTES + 1),
    ],
)
def test_a_file_that_others_can_change_is_told(file: bytes) -> None:
    assert "no plain file" in numbered_groups(WAY, file)
