"""This machine's engine, asked without the wire: for handlers under test."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.gateway.wire.call import Answer, Call, Query, Reply, Rewrite

_CHUNK = 65536


class _UnixConnection(HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(DEFAULT_SOCKET)


class PlainLink:
    """Questions and relayed answers; no streams both ways.

    Attributes:
        asked: Every question, as `METHOD /path`.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        del version, seconds
        self.asked.append(f"{method} {path}")
        content = None if body is None else json.dumps(body).encode()
        status, _, told = await asyncio.to_thread(_exchange, method, path, query, content)
        return Answer(status, json.loads(told) if told.strip() else None)

    async def relay(
        self,
        call: Call,
        reply: Reply,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        stream: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        rewrite: Rewrite | None = None,
    ) -> int:
        del call, headers, rewrite
        self.asked.append(f"{method} {path}")
        content = None if body is None else json.dumps(body).encode()
        if stream is not None:
            content = b"".join([part async for part in stream])
        status, answered, told = await asyncio.to_thread(_exchange, method, path, query, content)
        await reply.begin(status, answered)
        for place in range(0, len(told), _CHUNK):
            await reply.write(told[place : place + _CHUNK])
        await reply.finish()
        return status


def _exchange(
    method: str, path: str, query: Query | None, content: bytes | None
) -> tuple[int, dict[str, str], bytes]:
    connection = _UnixConnection("localhost")
    try:
        kind = "application/x-tar" if method == "PUT" else "application/json"
        url = f"/v1.41{path}?{urlencode(query or {}, doseq=True)}"
        connection.request(method, url, content, {"Content-Type": kind} if content else {})
        answer: HTTPResponse = connection.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()
    finally:
        connection.close()
