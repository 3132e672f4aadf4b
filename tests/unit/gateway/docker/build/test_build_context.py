import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.build import context as build_context
from ds01_spawner.gateway.docker.build.context import BuildContext, Spool, read_context


def archive(*members: tuple[str, str] | tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tree:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tree.addfile(member)
                continue
            entry = tarfile.TarInfo(member[0])
            entry.size = len(member[1])
            tree.addfile(entry, io.BytesIO(member[1].encode()))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Callable[..., BuildContext]]:
    spools: list[Spool] = []

    def reading(content: bytes, dockerfile: str = "", largest: int = 2**30) -> BuildContext:
        spool = Spool(tmp_path / "builds", largest)
        spools.append(spool)
        spool.write(content)
        return read_context(spool, dockerfile)

    yield reading
    assert list((tmp_path / "builds").iterdir()) == []
    for spool in spools:
        spool.close()


Read = Callable[..., BuildContext]


def sent(context: BuildContext, dockerfile: str = "FROM x\n") -> dict[str, str]:
    """What the engine finds in what it is sent; the last of a name counts."""
    content = b"".join(context.chunks(dockerfile))
    with tarfile.open(fileobj=io.BytesIO(content)) as tree:
        return {
            member.name: opened.read().decode() if (opened := tree.extractfile(member)) else ""
            for member in tree.getmembers()
            if member.isreg()
        }


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_another_dockerfile_is_put_in(
    read: Read, pack: Callable[[bytes], bytes], form: int
) -> None:
    long = "d/" + "n" * (90 if form == tarfile.USTAR_FORMAT else 200)
    context = read(pack(archive(("Dockerfile", "FROM a"), ("x", "1"), (long, "2"), form=form)))
    assert context.dockerfile == b"FROM a"
    assert sent(context) == {
        "Dockerfile": "FROM a",
        "x": "1",
        long: "2",
        ".dockerignore": f".dockerignore\n{context.name}\n",
        context.name: "FROM x\n",
    }


def test_the_name_of_the_dockerfile_is_never_the_same(read: Read) -> None:
    content = archive(("Dockerfile", "FROM a"))
    first, second = read(content), read(content)
    assert first.name != second.name
    assert len(first.name) > 32


def test_the_last_of_a_name_counts(read: Read) -> None:
    assert read(archive(("Dockerfile", "1"), ("./Dockerfile", "2"))).dockerfile == b"2"
    assert read(archive(("a/../Dockerfile", "3"))).dockerfile == b"3"
    assert read(archive(("/Dockerfile", "4"))).dockerfile == b"4"


def test_another_path_may_be_named(read: Read) -> None:
    content = archive(("Dockerfile", "1"), ("sub/Dockerfile.dev", "2"))
    assert read(content, "sub/Dockerfile.dev").dockerfile == b"2"
    assert read(content, "./sub/../sub/Dockerfile.dev").dockerfile == b"2"
    assert read(archive(("dockerfile", "low"))).dockerfile == b"low"
    with pytest.raises(InvalidRequest, match="Cannot locate specified Dockerfile: x"):
        read(content, "../x")


@pytest.mark.parametrize(
    "member",
    [
        link("Dockerfile", "/etc/passwd"),
        link("Dockerfile", "x", tarfile.LNKTYPE),
        link("Dockerfile", "", tarfile.DIRTYPE),
        link("Dockerfile", "", tarfile.FIFOTYPE),
    ],
    ids=["symlink", "hardlink", "folder", "fifo"],
)
def test_a_dockerfile_that_is_no_file_is_refused(read: Read, member: tarfile.TarInfo) -> None:
    with pytest.raises(InvalidRequest, match="link or no file"):
        read(archive(("Dockerfile", "FROM a"), member))


def test_what_is_ignored_is_taken_out_as_docker_does(read: Read) -> None:
    members = (("Dockerfile", "FROM a"), ("x", "1"), (".dockerignore", "# all\nDocker*\n"))
    context = read(archive(*members))
    assert sent(context).keys() == {"x", ".dockerignore", context.name}
    kept = read(archive(("Dockerfile", "FROM a"), (".dockerignore", "*\n!Dockerfile\n")))
    assert "Dockerfile" in sent(kept)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        archive(("Dockerfile", "FROM a"))[:515],
        archive(("Dockerfile", "FROM a"))[:1024] + b"x" * 512,
        gzip.compress(archive(("Dockerfile", "FROM a")))[:-9],
        b"BZh9" + b"x" * 100,
        b"\xfd7zXZ\x00" + b"x" * 100,
    ],
    ids=["empty", "text", "cut", "broken header", "cut gzip", "bzip2", "xz"],
)
def test_what_is_no_archive_is_refused(read: Read, content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(content)


def test_a_bomb_is_refused_before_it_fills_the_disk(read: Read) -> None:
    bomb = gzip.compress(bytes(20 * 1024**2))
    with pytest.raises(InvalidRequest, match="larger than"):
        read(bomb, largest=1024**2)


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10)
    spool.write(b"12345")
    with pytest.raises(InvalidRequest, match="larger than"):
        spool.write(b"123456")
    spool.close()


def test_a_name_of_gigabytes_is_not_read(read: Read) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 * 2**30
    with pytest.raises(InvalidRequest, match="too long"):
        read(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    header.type = tarfile.XHDTYPE
    with pytest.raises(InvalidRequest, match="too long"):
        read(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


def test_too_many_files_are_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_context, "MOST_MEMBERS", 3)
    with pytest.raises(InvalidRequest, match="more than 3 files"):
        read(archive(*((str(number), "") for number in range(5))))


def test_a_large_dockerfile_is_refused(read: Read) -> None:
    with pytest.raises(InvalidRequest, match="1 MiB"):
        read(archive(("Dockerfile", "#" * (1024**2 + 1))))


def test_what_follows_the_end_is_not_sent(read: Read) -> None:
    content = archive(("Dockerfile", "FROM a")) + archive((".dockerfile.x", "FROM b"))
    assert ".dockerfile.x" not in sent(read(content))


def test_the_last_member_may_lack_its_padding_as_dockers_own_client_sends_it(read: Read) -> None:
    whole = archive(("Dockerfile", "FROM y\n"), ("code.py", "print()\n"))
    content = whole[: 3 * 512 + len("print()\n")]

    found = sent(read(content))

    assert found["code.py"] == "print()\n"
    assert "FROM x\n" in found.values()
