import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts.engine_link import EngineLinkContract, Script
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from fakes.engine_link import FakeEngineLink


@pytest.fixture
def engine() -> FakeEngineLink:
    return FakeEngineLink()


@pytest.fixture
def script(engine: FakeEngineLink) -> Script:
    return engine.answers.__setitem__


class TestFakeEngineLink(EngineLinkContract):
    @pytest.fixture
    def link(self, engine: FakeEngineLink) -> FakeEngineLink:
        return engine


class TestUnixEngineLink(EngineLinkContract):
    @pytest.fixture
    async def link(self, engine: FakeEngineLink, tmp_path: Path) -> AsyncIterator[UnixEngineLink]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            method, target, _ = head.split(" ", 2)
            url = urlsplit(target)
            path = url.path.removeprefix("/v1.41")
            found = await engine.ask(method, path, parse_qs(url.query))
            writer.write(_written(found, in_lines=path == "/events"))
            writer.close()

        path = str(tmp_path / "engine.sock")
        server = await asyncio.start_unix_server(answer, path)
        link = UnixEngineLink(path)
        yield link
        link.close()
        server.close()
        await server.wait_closed()


def _written(answer: Answer, *, in_lines: bool) -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n" % answer.status
    if answer.value is None:
        return head + b"\r\n"
    if in_lines and answer.ok:
        lines = [json.dumps(each).encode() + b"\n" for each in answer.value]
        chunks = b"".join([b"%x\r\n%b\r\n" % (len(line), line) for line in lines])
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    content = json.dumps(answer.value).encode()
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
