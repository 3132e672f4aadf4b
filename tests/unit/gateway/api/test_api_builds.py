import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.api import builds
from ds01_spawner.gateway.docker.build.handler import BuildResult
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.recipes.source import source_digest
from fakes.api_lab import ApiLab, api_lab
from fakes.builder import FakeBuilder

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

WANTED = {"name": "thesis", "dockerfile": "FROM starter\n"}


@pytest.fixture
def builder() -> FakeBuilder:
    return FakeBuilder()


@pytest.fixture
async def lab(tmp_path: Path, builder: FakeBuilder) -> AsyncIterator[ApiLab]:
    async with api_lab(tmp_path, builder=builder) as lab:
        yield lab


def _blocks(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another task
            await asyncio.sleep(0.01)


async def test_a_build_is_begun_and_followed_to_its_end(lab: ApiLab, builder: FakeBuilder) -> None:
    begun = await lab.ask("alice", "POST", "/images/builds", {**WANTED, "files": {"a/b.txt": "x"}})
    assert (begun.status, begun.body["state"]) == (202, "running"), begun.body
    assert begun.body["name"] == "ds01-alice/thesis:latest"
    path = f"/images/builds/{begun.body['id']}/events"
    following = asyncio.ensure_future(lab.ask("alice", "GET", path))
    builder.may_end.set()
    told = _blocks((await following).body)
    assert told[0] == ("log", {"text": "Step 1/1"})
    assert told[-1][0] == "end"
    assert (told[-1][1]["state"], told[-1][1]["image_id"]) == ("done", "sha256:abc")
    again = _blocks((await lab.ask("alice", "GET", path)).body)
    assert [name for name, _ in again] == ["log", "end"]
    (caller, context, options, interface) = builder.asked[0]
    assert (caller.user, caller.is_admin, interface) == ("alice", False, Interface.API)
    assert options.tags == ("ds01-alice/thesis:latest",)
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        assert sorted(archive.getnames()) == ["Dockerfile", "a/b.txt"]


@pytest.mark.parametrize(
    ("result", "error", "failure"),
    [
        (BuildResult("", "the command returned 1"), None, "the command returned 1"),
        (BuildResult("", ""), NotFound("No such image: x"), "No such image: x"),
        (BuildResult("", ""), ZeroDivisionError("secret"), "failed inside the gateway"),
    ],
)
async def test_a_build_that_fails_says_why(
    lab: ApiLab, builder: FakeBuilder, result: BuildResult, error: Exception | None, failure: str
) -> None:
    builder.result, builder.error = result, error
    builder.may_end.set()
    begun = await lab.ask("alice", "POST", "/images/builds", WANTED)
    told = await lab.ask("alice", "GET", f"/images/builds/{begun.body['id']}/events")
    name, end = _blocks(told.body)[-1]
    assert (name, end["state"]) == ("end", "failed")
    assert failure in end["failure"]
    assert "secret" not in end["failure"]


async def test_a_build_is_cancelled(lab: ApiLab, builder: FakeBuilder) -> None:
    begun = await lab.ask("alice", "POST", "/images/builds", WANTED)
    await _until(lambda: bool(builder.asked))
    told = await lab.ask("alice", "DELETE", f"/images/builds/{begun.body['id']}")
    assert (told.status, told.body["state"]) == (200, "cancelled")
    (shown,) = (await lab.ask("alice", "GET", "/images/builds")).body["builds"]
    assert shown["state"] == "cancelled"


async def test_a_build_of_somebody_else_does_not_exist(lab: ApiLab) -> None:
    begun = await lab.ask("bob", "POST", "/images/builds", WANTED)
    for method, path in (("GET", "/events"), ("DELETE", "")):
        told = await lab.ask("alice", method, f"/images/builds/{begun.body['id']}{path}")
        assert told.status == 404
    assert (await lab.ask("alice", "GET", "/images/builds")).body["builds"] == []
    assert (await lab.ask("bob", "GET", "/images/builds")).body["builds"][0]["state"] == "running"


async def test_nobody_has_more_builds_waiting_than_they_may(lab: ApiLab) -> None:
    statuses = [(await lab.ask("alice", "POST", "/images/builds", WANTED)).status for _ in range(4)]
    assert statuses == [202, 202, 202, 409]
    assert (await lab.ask("bob", "POST", "/images/builds", WANTED)).status == 202


@pytest.mark.parametrize(
    "change",
    [
        {"name": "ds01-bob/thesis"},
        {"name": "UPPER"},
        {"files": {"../x": ""}},
        {"files": {"/etc/passwd": ""}},
        {"files": {"a\nb": ""}},
        {"dockerfile": ""},
        {"build_args": {"A": 1}},
    ],
    ids=str,
)
async def test_a_build_that_makes_no_sense_is_refused(lab: ApiLab, change: dict[str, Any]) -> None:
    told = await lab.ask("alice", "POST", "/images/builds", {**WANTED, **change})
    assert told.status == 400, told.body


async def test_without_a_builder_nothing_is_built(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        assert (await lab.ask("alice", "POST", "/images/builds", WANTED)).status == 503


def test_a_long_log_keeps_its_end() -> None:
    job = builds._Job("i", "alice", "n", None)  # type: ignore[arg-type]
    for number in range(300):
        job.tell(f"{number:05}" + "x" * 10_000)
    assert job.size <= builds.MOST_LOG_CHARACTERS
    assert job.log[-1].startswith("00299")
    assert job.dropped + len(job.log) == 300


def test_what_builders_say_becomes_text() -> None:
    lines = (
        b'{"stream":"a\\n"}\n{"status":"Pulling","id":"x"}\n{"status":"Done"}\n'
        b'{"error":"bad"}\n[1]\n{\n{"aux":{}}\n'
    )
    assert builds.said(lines) == "a\nPulling x\nDone\nbad\n"


@given(st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=20), max_size=4))
def test_no_file_of_a_build_leaves_its_folder(files: dict[str, str]) -> None:
    wanted = m.BuildRequest(name="x", dockerfile="FROM y", files=files)
    try:
        content = builds.packed(wanted)
    except InvalidRequest:
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            assert member.isfile()
            assert not member.name.startswith("/")
            assert ".." not in member.name.split("/")


async def test_a_build_tells_sizes_and_keeps_its_recipe(lab: ApiLab, builder: FakeBuilder) -> None:
    sizes = {"ds01-alice/thesis:latest": 5, "sha256:abc": 7}
    for reference, size in sizes.items():
        lab.link.answers[f"GET /images/{reference}/json"] = Answer(200, {"Size": size})
    begun = await lab.ask("alice", "POST", "/images/builds", {**WANTED, "recipe": "r"})
    builder.may_end.set()
    told = await lab.ask("alice", "GET", f"/images/builds/{begun.body['id']}/events")
    end = _blocks(told.body)[-1][1]
    assert (end["previous_size_bytes"], end["size_bytes"], end["failed_step"]) == (5, 7, None)
    assert end["largest_bytes"] == 40 * 1024**3
    assert builder.asked[0][2].labels == {
        "ds01.recipe": "r",
        "ds01.source": source_digest(WANTED["dockerfile"], {}),
    }


async def test_a_build_that_fails_names_the_step_and_its_line(
    lab: ApiLab, builder: FakeBuilder
) -> None:
    builder.lines = (b'{"stream": "Step 1/2 : FROM x\\n"}\n{"stream": "Step 2/2 : RUN a  b\\n"}\n',)
    builder.result = BuildResult("", "it returned 1")
    builder.may_end.set()
    wanted = {"name": "t", "dockerfile": "FROM x\n\n# why\nRUN a \\\n    b\n"}
    begun = await lab.ask("alice", "POST", "/images/builds", wanted)
    told = await lab.ask("alice", "GET", f"/images/builds/{begun.body['id']}/events")
    end = _blocks(told.body)[-1][1]
    assert (end["state"], end["failed_step"], end["failed_line"]) == ("failed", "RUN a b", 4)
    assert end["size_bytes"] is None
