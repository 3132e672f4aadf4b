import json
from collections.abc import Mapping
from typing import Any

import pytest

from ds01_spawner.gateway.docker.build.output import LateReply, OutputReply, Words
from ds01_spawner.gateway.docker.images.progress_lines import LONGEST_LINE, UNREAD, Progress
from fakes.calls import FakeReply

ID = "sha256:" + "a" * 64


def shouted(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**message, "stream": message["stream"].upper()} if "stream" in message else message


async def test_lines_are_changed_whole_however_they_come() -> None:
    reply = FakeReply()
    progress = Progress(reply, shouted)
    await progress.begin(200, {"Content-Type": "application/json", "Content-Length": "9"})
    text = b'{"stream":"one"}\r\n{"status":"two"}\r\n{"stream":"three"}\r\nno json\n'
    for place in range(len(text)):
        await progress.write(text[place : place + 1])
    await progress.finish()
    assert reply.content == text.replace(b"one", b"ONE").replace(b"three", b"THREE")
    assert reply.headers == {"Content-Type": "application/json"}
    assert reply.finished


async def test_a_line_without_end_is_handed_on_as_it_is() -> None:
    reply = FakeReply()
    progress = Progress(reply, shouted)
    await progress.begin(200, {})
    await progress.write(b"x" * (LONGEST_LINE + 1))
    assert len(reply.content) == LONGEST_LINE + 1


async def test_a_long_error_is_read() -> None:
    reply = FakeReply()
    progress = Progress(reply, strict=True)
    await progress.begin(200, {})
    command = "x" * 180_000
    error = f"The command '{command}' returned a non-zero code: 1"
    line = json.dumps({"errorDetail": {"message": error}, "error": error}).encode() + b"\r\n"
    for place in range(0, len(line), 4096):
        await progress.write(line[place : place + 4096])
    await progress.finish()
    assert reply.content == line
    assert len(progress.failure) < 5000
    assert progress.failure.startswith("The command 'xx")
    assert progress.failure.endswith("returned a non-zero code: 1")


@pytest.mark.parametrize(
    "told", [b"x" * (LONGEST_LINE + 1) + b'"}\n', b"no json\n", b"[]\n", b'{"stream": "cut']
)
async def test_what_cannot_be_read_of_a_build_is_a_failure(told: bytes) -> None:
    reply = FakeReply()
    progress = Progress(reply, strict=True)
    await progress.begin(200, {})
    for part in (b'{"stream":"fine"}\r\n\r\n', told[:-3], told[-3:]):
        await progress.write(part)
    await progress.finish()
    assert progress.failure == UNREAD
    assert reply.content.endswith(told)


async def test_what_failed_is_known() -> None:
    progress = Progress(FakeReply())
    await progress.begin(200, {})
    await progress.write(b'{"errorDetail":{"message":"no"},"error":"no"}')
    await progress.finish()
    assert progress.failure == "no"
    refused = Progress(FakeReply())
    await refused.begin(404, {})
    await refused.write(b'{"message":"not there"}\n')
    await refused.finish()
    assert refused.failure == "not there"


async def test_the_engines_refusal_is_no_output() -> None:
    lines: list[bytes] = []

    async def take(line: bytes) -> None:
        lines.append(line)

    reply = OutputReply(take)
    await reply.begin(200, {})
    await reply.write(b"a")
    assert lines == [b"a"]
    other = OutputReply(take)
    await other.begin(400, {})
    await other.write(b'{"message":"no"}')
    assert json.loads(other.error) == {"message": "no"}
    assert lines == [b"a"]


async def test_an_answer_begins_with_its_first_line() -> None:
    reply = FakeReply()
    late = LateReply(reply)
    assert reply.status == 0
    await late.write(b"x")
    await late.finish()
    assert (reply.status, reply.content, reply.finished) == (200, b"x", True)
    silent = FakeReply()
    await LateReply(silent).finish()
    assert silent.status == 200


def test_the_builder_tells_things_in_ones_own_words() -> None:
    words = Words("alice", {ID: "web:1"})
    assert words.told({"stream": f"Step 1/2 : FROM {ID}"}) == {"stream": "Step 1/2 : FROM web:1"}
    assert words.told({"stream": f"RUN says {ID}"}) == {"stream": f"RUN says {ID}"}
    assert words.told({"stream": "Successfully tagged ds01-alice/x:1"}) == {
        "stream": "Successfully tagged x:1"
    }
    told = words.told({"errorDetail": {"code": 1, "message": ID}, "error": ID})
    assert told == {"errorDetail": {"code": 1, "message": "web:1"}, "error": "web:1"}
    assert words.told({"aux": {"ID": ID}}) == {"aux": {"ID": ID}}
    assert words.image_id == ID
