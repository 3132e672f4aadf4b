"""Whether a server answers, asked often and cheaply."""

import asyncio
from urllib.parse import urlsplit

_ATTEMPT_SECONDS = 2.0


async def answers(url: str) -> bool:
    """Whether anything at `url` answers HTTP now, whatever its status below 500."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS):
            status = await _status(parts.hostname or "", parts.port or 80, f"{parts.path}api")
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return False
    return status < 500  # noqa: PLR2004 - server errors: it is still starting


async def _status(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        line = await reader.readline()
        return int(line.split(maxsplit=2)[1]) if line.startswith(b"HTTP/") else 500
    except IndexError as exc:
        raise ValueError("not HTTP") from exc
    finally:
        writer.close()
