"""The wire alone before an engine: as a fixture within a test, or as a process of its own.

`python -m integration.gateway.wire_server SOCKET ENGINE_SOCKET` passes everything on.
"""

import asyncio
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.gateway.attendance import Attendance
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Reply
from ds01_spawner.gateway.wire.connection import Bounds, Dispatch
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from ds01_spawner.gateway.wire.server import Identify, Server


async def somebody(pid: int, uid: int, _gid: int) -> Caller:
    """Everybody is an administrator."""
    return Caller(uid, pid, "root", None, is_admin=True)


def passing_on(engine: UnixEngineLink) -> Dispatch:
    """Every request goes to the engine as it is."""

    async def dispatch(_endpoint: str | None, call: Call, reply: Reply) -> None:
        await engine.relay_all(call, reply)

    return dispatch


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(1024)
    return listener


def reachable_folder() -> Path:
    """A new folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(prefix="ds01-wire-"))
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def serving(
    dispatch: Dispatch,
    *,
    identify: Identify = somebody,
    bounds: Bounds | None = None,
    attendance: Attendance | None = None,
) -> AsyncIterator[tuple[Path, Server]]:
    """A server, and the path of its socket, which everybody may connect to."""
    folder = reachable_folder()
    listener = listening(folder / "wire.sock")
    server = Server(listener, identify, dispatch, bounds=bounds, attendance=attendance)
    task = asyncio.ensure_future(server.serve())
    try:
        yield folder / "wire.sock", server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listener.close()
        shutil.rmtree(folder)


class Client:
    """A client that writes what it likes."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.setblocking(False)
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await asyncio.wait_for(self._loop.sock_sendall(self.sock, data), 20)

    async def receive(self) -> bytes:
        """What comes next; empty at the end."""
        return await asyncio.wait_for(self._loop.sock_recv(self.sock, 65536), 20)

    async def until(self, text: bytes) -> bytes:
        """Everything up to some text."""
        data = b""
        while text not in data:
            more = await self.receive()
            assert more, data
            data += more
        return data

    async def rest(self) -> bytes:
        """Everything up to the end."""
        data = b""
        while more := await self.receive():
            data += more
        return data

    def end(self) -> None:
        """Nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


async def answer(path: Path, request: bytes) -> bytes:
    """All that is answered to some bytes, up to the end of the connection."""
    client = Client(path)
    try:
        await client.send(request)
        return await client.rest()
    finally:
        client.close()


async def condition(check: Callable[[], object], seconds: float = 10.0) -> None:
    """Returns when `check()` is true."""
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(0.01)


async def _main(listener: socket.socket, engine: str) -> None:
    await Server(listener, somebody, passing_on(UnixEngineLink(engine))).serve()


if __name__ == "__main__":
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    own = listening(Path(sys.argv[1]))
    asyncio.run(_main(own, sys.argv[2] if len(sys.argv) > 2 else DEFAULT_SOCKET))
