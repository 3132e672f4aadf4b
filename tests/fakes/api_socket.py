"""The API of a lab on a Unix socket, behind the gateway's own wire."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from ds01_spawner.gateway.api.bridge import Bridge
from ds01_spawner.gateway.api.serving import socket_application
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Reply
from ds01_spawner.gateway.wire.connection import Bounds
from ds01_spawner.gateway.wire.server import Server
from fakes.api_lab import ApiLab
from fakes.builder import FakeBuilder
from fakes.calls import ALICE


class Peer:
    """Whom the kernel names."""

    now: Caller = ALICE


@contextmanager
def api_socket(folder: Path, silence_seconds: float = 30.0) -> Iterator[tuple[ApiLab, Path, Peer]]:
    """A lab, the socket that its API listens on, and who connects to it."""
    path, who = folder / "ds01.sock", Peer()
    ready: Future[ApiLab] = Future()
    stop: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def identify(_pid: int, _uid: int, _gid: int) -> Caller:
        return who.now

    async def dispatch(_endpoint: str | None, _call: Call, reply: Reply) -> None:
        await reply.json({"message": "not the API"}, 404)

    async def serve() -> None:
        builder = FakeBuilder()
        builder.may_end.set()
        lab = ApiLab(folder, builder=builder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        bridge = Bridge(socket_application(lab.served))
        bounds = Bounds(silence_seconds=silence_seconds)
        server = Server(listener, identify, dispatch, api=bridge, bounds=bounds)
        task = asyncio.ensure_future(server.serve())
        stop.set_result((asyncio.get_running_loop(), task))
        ready.set_result(lab)
        with suppress(asyncio.CancelledError):
            await task
        listener.close()
        lab.api.threads.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield ready.result(timeout=30), path, who
    finally:
        loop, task = stop.result(timeout=30)
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=30)
