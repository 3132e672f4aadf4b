"""`docker cp` through the handlers, into and out of containers with folders of the host."""

import base64
import io
import json
import os
import secrets
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ds01_spawner.adapters.personal_paths.paths import UnixPaths
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.bind import Bind
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.docker.containers import archive as module
from ds01_spawner.gateway.docker.containers.archive import STAT_HEADER, Archive, visit_of
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.errors import ClientGone
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.containers.binds import Binds
from fakes.calls import FakeReply, a_call
from fakes.door import FakePlatform
from integration.gateway.image_lab import eventually
from integration.plain_link import PlainLink
from integration.unix_people import ALICE, BOB, as_person, own_folder, run_folder, unix_person

INSTANCE = f"test{secrets.token_hex(4)}"
MEGABYTES = 16
TREE = """
mkdir -p /tmp/x/sub /tmp/x/empty; echo hi > /tmp/x/a; ln /tmp/x/a /tmp/x/b; ln -s x /tmp/l
ln -s /tmp/x/a /tmp/fl; ln -s nowhere /tmp/bl; mkfifo /tmp/x/p; chmod 4755 /tmp/x/sub
echo deep > "/tmp/x/sub/with space"; touch -d @1000000000 /tmp/x/a; : > /tmp/ready
while :; do sleep 300; done
"""


@dataclass
class Stream:
    """What a client sends, in parts."""

    parts: list[bytes]

    async def read(self, limit_bytes: int) -> bytes:
        del limit_bytes
        return b"".join(self.parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


class Lab:
    """The handlers on the real engine, as two people of this machine."""

    def __init__(self, image: str, run: Path) -> None:
        self.image = image
        self.link = PlainLink()
        link = cast("EngineLink", self.link)
        platform = cast("Platform", FakePlatform())
        self.archive = Archive(Door(platform, link, Threads(4)), Owned(link, INSTANCE))
        self.accounts = {name: unix_person(name) for name in (ALICE, BOB)}
        paths = UnixPaths(lambda: [Path("/var/lib/docker")], run / "docker.sock")
        self.binds = Binds(paths, KernelBindStage(run))

    def caller(self, name: str = ALICE) -> Caller:
        account = self.accounts[name]
        return Caller(account.uid, 1, name, account)

    def container(
        self, *binds: Bind, script: str = TREE, name: str = ALICE, user: str = "", more: str = ""
    ) -> str:
        account = self.accounts[name]
        staged = self.binds.stage(account, binds)
        marks = {
            labels.MANAGED: "true",
            labels.USER: name,
            labels.INSTANCE: INSTANCE,
            labels.BINDS: staged.label,
            labels.INTERFACE: "docker",
        }
        made = output(
            *("docker", "create", "--name", f"c{secrets.token_hex(4)}._.{name}"),
            *("--user", user or f"{account.uid}:{account.gid}", "--network=none", "--cap-drop=ALL"),
            *more.split(),
            *(part for gid in account.group_ids for part in ("--group-add", str(gid))),
            *(part for each in marks.items() for part in ("--label", "=".join(each))),
            *(
                part
                for mount in staged.mounts
                for part in ("--mount", f"type=bind,source={mount.source},target={mount.target}")
            ),
            *(self.image, "sh", "-c", script),
        )
        output("docker", "start", made)
        if script == TREE:
            self.wait_ready(made)
        return made

    def wait_ready(self, container: str) -> None:
        until = "until [ -e /tmp/ready ]; do sleep 0.05; done"
        output("docker", "exec", container, "timeout", "10", "sh", "-c", until)

    async def ask(
        self, method: str, container: str, path: str, *, name: str = ALICE, **query: str
    ) -> FakeReply:
        reply = FakeReply()
        call = a_call(method, caller=self.caller(name), parts={"id": container}, **query)
        call = replace(call, query={**call.query, "path": [path]})
        await self.archive.handlers()[f"{method} /containers/{{id}}/archive"](call, reply)
        assert reply.finished
        return reply

    async def engine(self, method: str, container: str, path: str) -> FakeReply:
        """The engine's own answer."""
        reply = FakeReply()
        where = f"/containers/{container}/archive"
        await self.link.relay(a_call(method), reply, method, where, {"path": [path]})
        return reply

    async def put(
        self, container: str, path: str, content: bytes, *, name: str = ALICE, **query: str
    ) -> FakeReply:
        reply = FakeReply()
        call = a_call("PUT", caller=self.caller(name), parts={"id": container}, **query)
        parts = [content[place : place + 100_000] for place in range(0, len(content), 100_000)]
        call = replace(call, query={**call.query, "path": [path]}, body=Stream(parts))
        await self.archive.handlers()["PUT /containers/{id}/archive"](call, reply)
        assert reply.finished
        return reply


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def told(reply: FakeReply) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return dict(json.loads(base64.b64decode(headers[STAT_HEADER.lower()])))


def listing(content: bytes) -> list[tuple[Any, ...]]:
    """Everything but the kind in the mode's upper bits, which Docker repeats there."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [
            (
                *(each.name, each.type, oct(each.mode & 0o7777), each.uid, each.gid),
                *(each.size, each.linkname, int(each.mtime)),
            )
            for each in archive
        ]


def packed(*entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            found = tarfile.TarInfo(entry[0])
            found.size, found.mode, found.mtime = len(entry[1]), 0o6755, 1_000_000_000
            archive.addfile(found, io.BytesIO(entry[1]))
    return buffer.getvalue()


def entry(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, 0o7777
    made.devmajor, made.devminor = 1, 3
    return made


@pytest.fixture
def run() -> Iterator[Path]:
    with run_folder() as made:
        yield made


@pytest.fixture
def folder(run: Path) -> Iterator[Path]:
    with own_folder(unix_person(ALICE)) as made:
        yield made
        stage = KernelBindStage(run)
        for key in frozenset(stage.keys()):
            stage.clear(key)


@pytest.fixture
def lab(tiny_image: str, run: Path, folder: Path) -> Iterator[Lab]:
    del folder
    yield Lab(tiny_image, run)
    mine = ("--filter", f"label={labels.INSTANCE}={INSTANCE}")
    for each in output("docker", "ps", "-aq", *mine).split():
        output("docker", "rm", "-f", each)


@pytest.fixture
def alice() -> UnixAccount:
    return unix_person(ALICE)


PATHS = ["/tmp/x", "/tmp/x/", "/tmp/x/.", "/tmp/l", "/tmp/l/", "/tmp/l/.", "/tmp/fl", "/tmp/bl"]
PATHS += ["/tmp/x/a", "tmp/x/../x", "/tmp/x/sub/with space", "/tmp/x/empty", "/tmp/x/p", "//tmp/x"]


async def test_from_within_it_is_what_the_engine_would_answer(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    for path in PATHS:
        inside = await lab.ask("GET", container, path)
        engine = await lab.engine("GET", container, path)
        assert told(inside) == told(engine), path
        assert listing(inside.content) == listing(engine.content), path
        assert inside.headers["Content-Type"] == "application/x-tar"
        head = await lab.ask("HEAD", container, path)
        assert (head.status, told(head), head.content) == (200, told(engine), b"")


async def test_the_root_is_told_as_the_engine_does(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    for path in ("/", ".", "/."):
        inside = told(await lab.ask("HEAD", container, path))
        engine = told(await lab.engine("HEAD", container, path))
        assert (inside["name"], inside["mode"]) == (engine["name"], engine["mode"])


async def test_what_is_missing_is_said_in_dockers_words(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    for method in ("HEAD", "GET"):
        with pytest.raises(
            NotFound, match=f"Could not find the file /nope in container {container}"
        ):
            await lab.ask(method, container, "/nope")
    with pytest.raises(NotFound):
        await lab.put(container, "/nope", packed(("a", b"1")))
    with pytest.raises(InvalidRequest, match="extraction point is not a directory"):
        await lab.put(container, "/tmp/x/a", packed(("a", b"1")))
    for path in ("", "/a\0b"):
        with pytest.raises(InvalidRequest, match="bad parameter"):
            await lab.ask("GET", container, path)


async def test_a_file_goes_in_as_the_person_without_set_uid(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    reply = await lab.put(container, "/work", packed(("tool", b"hello"), ("new/deep/file", b"2")))
    assert reply.status == 200
    found = (folder / "tool").stat()
    assert stat.S_IMODE(found.st_mode) == 0o755
    assert (found.st_uid, int(found.st_mtime)) == (lab.accounts[ALICE].uid, 1_000_000_000)
    assert (folder / "new/deep/file").read_text() == "2"
    assert (folder / "new").stat().st_uid == lab.accounts[ALICE].uid


async def test_what_goes_in_comes_out(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    out = await lab.ask("GET", container, "/tmp/x")
    await lab.put(container, "/work", out.content)
    again = await lab.ask("GET", container, "/work/x")
    plain = [(*each[:2], oct(int(each[2], 8) & 0o777), *each[3:]) for each in listing(out.content)]
    assert listing(again.content) == plain


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
async def test_a_compressed_archive_is_taken(lab: Lab, folder: Path, mode: str) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        found = tarfile.TarInfo("a")
        found.size = 1
        archive.addfile(found, io.BytesIO(b"1"))
    await lab.put(container, "/work", buffer.getvalue())
    assert (folder / "a").read_text() == "1"


@pytest.mark.parametrize(
    "bad",
    [
        entry("null", tarfile.CHRTYPE),
        entry("disk", tarfile.BLKTYPE),
        ("../out", b"1"),
        ("a/../../out", b"1"),
        entry("hard", tarfile.LNKTYPE, "../../etc/passwd"),
    ],
)
async def test_devices_and_ways_out_are_not_taken(lab: Lab, folder: Path, bad: Any) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    with pytest.raises(InvalidRequest, match="Nothing more is copied"):
        await lab.put(container, "/work", packed(bad, ("after", b"1")))
    assert not names_in(folder)


@pytest.mark.parametrize("content", [b"not a tar", b"\0" * 100, packed(("a", b"x" * 5000))[:700]])
async def test_what_is_no_archive_is_said_so(lab: Lab, folder: Path, content: bytes) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    with pytest.raises(InvalidRequest, match="the archive cannot be read"):
        await lab.put(container, "/work", content)


async def test_a_header_without_end_is_not_kept_in_memory(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    endless = entry("x", tarfile.XHDTYPE)
    endless.size = 7 << 30
    content = endless.tobuf(tarfile.USTAR_FORMAT)

    async def parts() -> AsyncIterator[bytes]:
        yield content
        for _ in range(600):
            yield bytes(1 << 20)

    call = a_call("PUT", caller=lab.caller(), parts={"id": container})
    body = cast("Any", SimpleNamespace(chunks=parts))
    with pytest.raises(InvalidRequest, match="too long"):
        await lab.archive.put(replace(call, query={"path": ["/work"]}, body=body), FakeReply())


async def test_a_folder_is_never_replaced_and_a_file_only_if_wanted(
    lab: Lab, folder: Path, alice: UnixAccount
) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    as_person(alice, f"cd {folder}; mkdir folder; echo 1 > folder/kept; echo 2 > file")
    with pytest.raises(InvalidRequest, match="cannot overwrite directory"):
        await lab.put(container, "/work", packed(("folder", b"1")))
    with pytest.raises(InvalidRequest, match="cannot overwrite non-directory"):
        await lab.put(
            container, "/work", packed(entry("file", tarfile.DIRTYPE)), noOverwriteDirNonDir="true"
        )
    assert (folder / "folder/kept").read_text() == "1\n"
    await lab.put(container, "/work", packed(entry("file", tarfile.DIRTYPE), ("new", b"3")))
    assert (folder / "file").is_dir()
    assert (folder / "new").read_text() == "3"


async def test_a_link_that_is_in_the_way_is_replaced_not_followed(
    lab: Lab, folder: Path, alice: UnixAccount
) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    as_person(alice, f"cd {folder}; echo safe > target; ln -s target link")
    await lab.put(container, "/work", packed(("link", b"new")))
    assert (folder / "target").read_text() == "safe\n"
    assert (folder / "link").read_text() == "new"
    assert not (folder / "link").is_symlink()


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder of root's with something in it that only root may read."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    made.mkdir(mode=0o755)
    (made / "secret").write_text("x")
    (made / "secret").chmod(0o600)
    yield made
    (made / "secret").unlink()
    made.rmdir()


async def test_what_the_person_may_not_read_or_write_stays_so(
    lab: Lab, folder: Path, closed: Path
) -> None:
    container = lab.container(Bind(str(folder), "/work"), Bind(str(closed), "/data"))
    for path in ("/data", "/data/secret"):
        with pytest.raises(Forbidden, match="You may not use"):
            await lab.ask("GET", container, path)
    for path in ("/data", "/etc"):
        with pytest.raises(Forbidden, match="You may not use"):
            await lab.put(container, path, packed(("planted", b"1")))
    assert names_in(closed) == ["secret"]


async def test_a_link_swapped_to_another_folder_of_the_host_reads_as_the_person(
    lab: Lab, folder: Path, alice: UnixAccount
) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    as_person(alice, f"ln -s /root {folder}/link; ln -s /etc/hostname {folder}/host")
    with pytest.raises(NotFound):
        await lab.ask("GET", container, "/work/link/.")
    out = await lab.ask("GET", container, "/work/host")
    assert listing(out.content)[0][6] == "/etc/hostname"
    stat_ = told(out)
    assert stat_["linkTarget"] == "/etc/hostname"
    named = await lab.ask("GET", container, "/etc/hostname")
    with tarfile.open(fileobj=io.BytesIO(named.content)) as archive:
        member = archive.extractfile("hostname")
        assert member is not None
        assert member.read().strip().decode() == container[:12]


class Interrupted(Stream):
    """Of a client that is killed when the container has all that it sent."""

    def __init__(self, parts: list[bytes], arrived: Callable[[], bool]) -> None:
        super().__init__(parts)
        self._arrived = arrived

    async def chunks(self) -> AsyncIterator[bytes]:
        async for part in super().chunks():
            yield part
        await eventually(self._arrived)
        raise ClientGone


async def test_a_copy_that_is_killed_leaves_what_came_as_docker_does_and_nobody_elses_to_read(
    lab: Lab, folder: Path
) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    lab.wait_ready(container)
    (folder / "large").write_text("before")
    content = packed(("whole", b"1"), ("large", b"x" * 4_000_000))[:2_000_000]
    large = folder / "large"
    call = a_call("PUT", caller=lab.caller(), parts={"id": container})
    call = replace(
        call,
        query={**call.query, "path": ["/work"]},
        body=Interrupted([content], lambda: large.stat().st_size > 1_000_000),
    )

    with pytest.raises(ClientGone):
        await lab.archive.handlers()["PUT /containers/{id}/archive"](call, FakeReply())

    assert names_in(folder) == ["large", "whole"]
    assert 1_000_000 < large.stat().st_size < 2_000_000
    assert stat.S_IMODE(large.stat().st_mode) == 0o600
    assert (folder / "whole").read_bytes() == b"1"
    await lab.put(container, "/work", packed(("large", b"y" * 4_000_000)))
    assert large.read_bytes() == b"y" * 4_000_000
    assert stat.S_IMODE(large.stat().st_mode) == 0o755


async def test_what_has_no_folders_of_the_host_and_does_not_run_is_the_engines(lab: Lab) -> None:
    container = lab.container()
    output("docker", "kill", container)
    lab.link.asked.clear()
    await lab.put(container, "/tmp", packed(("file", b"1")))
    out = await lab.ask("GET", container, "/tmp/file")
    assert [name for name, *_ in listing(out.content)] == ["file"]
    relayed = [each for each in lab.link.asked if each.endswith("/archive")]
    assert relayed == [f"{verb} /containers/{container}/archive" for verb in ("PUT", "GET")]


async def test_with_folders_of_the_host_the_engine_copies_nothing(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    output("docker", "kill", container)
    inside = await lab.ask("GET", container, "/tmp/x")
    assert [name for name, *_ in listing(inside.content)][:2] == ["x", "x/a"]
    with pytest.raises(Conflict, match="of the server"):
        await lab.ask("GET", container, "/work")
    with pytest.raises(Conflict, match=f"docker start {container}, then copy"):
        await lab.put(container, "/tmp", packed(("a", b"1")))
    assert not [each for each in lab.link.asked if each.endswith("/archive")]


async def test_with_a_volume_in_another_the_engine_copies_nothing(lab: Lab) -> None:
    """The engine mounted a nested volume over any folder of the host that a link led to."""
    container = lab.container(more="-v /data -v /data/nested")
    output("docker", "kill", container)
    for method in ("HEAD", "GET"):
        assert told(await lab.ask(method, container, "/data/nested"))["name"] == "nested"
    with pytest.raises(Conflict):
        await lab.put(container, "/tmp", packed(("a", b"1")))
    await lab.put(container, "/data/nested", packed(("a", b"1")))
    assert not [each for each in lab.link.asked if each.endswith("/archive")]

    output("docker", "start", container)

    assert (await lab.ask("GET", container, "/data/nested/a")).content


@pytest.mark.parametrize(("user", "shown"), [("0:0", (0, 0)), ("4711:4712", (4711, 4712))])
async def test_what_ended_is_copied_out_of_as_whom_it_ran(
    lab: Lab, user: str, shown: tuple[int, int]
) -> None:
    script = "umask 077; mkdir /tmp/own; echo 1 > /tmp/own/a; : > /tmp/ready; exec sleep 300"
    container = lab.container(script=script, user=user, more="-v /data -v /data/nested")
    lab.wait_ready(container)
    output("docker", "kill", container)

    out = await lab.ask("GET", container, "/tmp/own")

    assert [(each[0], each[3:5]) for each in listing(out.content)] == [
        (name, shown) for name in ("own", "own/a")
    ]


@pytest.mark.parametrize(("user", "shown"), [("0:0", (0, 0)), ("4711:4712", (4711, 4712))])
async def test_where_the_image_says_who_runs_it_is_copied_as_that(
    lab: Lab, user: str, shown: tuple[int, int]
) -> None:
    script = "umask 077; mkdir /tmp/own; echo 1 > /tmp/own/a; : > /tmp/ready; exec sleep 300"
    container = lab.container(script=script, user=user)
    lab.wait_ready(container)

    await lab.put(container, "/tmp/own", packed(("b", b"2")))
    out = await lab.ask("GET", container, "/tmp/own")

    assert [(each[0], each[3:5]) for each in listing(out.content)] == [
        (name, shown) for name in ("own", "own/a", "own/b")
    ]


async def test_root_of_a_container_has_no_capability_in_a_copy(lab: Lab) -> None:
    script = "mkdir -m 700 /tmp/theirs; chown 7:7 /tmp/theirs; : > /tmp/ready; exec sleep 300"
    container = lab.container(script=script, user="0:0", more="--cap-add=CHOWN")
    lab.wait_ready(container)
    with pytest.raises(Forbidden, match="You may not use"):
        await lab.put(container, "/tmp/theirs", packed(("b", b"2")))


async def test_anothers_container_does_not_exist(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    for method in ("HEAD", "GET"):
        with pytest.raises(NotFound, match=f"No such container: {container}"):
            await lab.ask(method, container, "/tmp", name=BOB)
    with pytest.raises(NotFound):
        await lab.put(container, "/tmp", packed(("a", b"1")), name=BOB)


@pytest.mark.parametrize("pid", [os.getpid(), 1, 4_000_000])
async def test_a_process_that_is_not_the_containers_is_not_entered(
    lab: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    monkeypatch.setattr(
        module, "visit_of", lambda *given, **more: replace(visit_of(*given, **more), pid=pid)
    )
    with pytest.raises(Unavailable, match="has just stopped"):
        await lab.ask("GET", container, "/tmp/x")


async def test_a_client_that_goes_away_leaves_no_process(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))

    class Gone(Exception):
        pass

    async def parts() -> AsyncIterator[bytes]:
        yield packed(("big", b"x" * 100_000))[:50_000]
        raise Gone

    call = a_call("PUT", caller=lab.caller(), parts={"id": container})
    body = SimpleNamespace(chunks=parts)
    call = replace(call, query={"path": ["/work"]}, body=cast("Any", body))
    with pytest.raises(Gone):
        await lab.archive.put(call, FakeReply())
    assert not _children()


def _children() -> list[str]:
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in listed.stdout.splitlines() if "container_files" in line]


async def test_a_large_file_goes_in_and_out_whole(lab: Lab, folder: Path) -> None:
    container = lab.container(Bind(str(folder), "/work"))
    content = os.urandom(1 << 20) * MEGABYTES
    await lab.put(container, "/work", packed(("big", content)))
    assert (folder / "big").read_bytes() == content
    out = await lab.ask("GET", container, "/work/big")
    with tarfile.open(fileobj=io.BytesIO(out.content)) as archive:
        member = archive.extractfile("big")
        assert member is not None
        assert member.read() == content
