"""`ds01-gateway`: the daemon, as systemd or a script starts it."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from ds01_spawner.adapters.hub_api import hub_from
from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.identity import ADMIN_GROUP
from ds01_spawner.gateway.listeners import BACKLOG, OwnSocket, passed_sockets
from ds01_spawner.gateway.service import Gateway, Settings

ADMIN_GROUP_VARIABLE = "DS01_GATEWAY_ADMIN_GROUP"
SERVICE_URL_VARIABLE = "JUPYTERHUB_SERVICE_URL"
TOKEN_VARIABLE = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name
_TURN_SECONDS = 0.0005
_DOCKER = "docker"
_API = "api"


def main() -> None:
    """Run until the process is ended."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    directories = Directories.from_environment()
    own = OwnSocket(directories.gateway_socket)
    try:
        passed = passed_sockets(os.environ)
        docker = passed.get(_DOCKER) or own.listen()
        api = _api_listener(passed.get(_API), os.environ)
        gateway = Gateway(
            open_platform(directories, actor="gateway"),
            Settings(
                admin_group=os.environ.get(ADMIN_GROUP_VARIABLE) or ADMIN_GROUP,
                hub_environment=os.environ,
            ),
            hub_from(os.environ),
        )
        asyncio.run(_served(gateway, docker, api, directories.gateway_socket))
    except DS01Error as exc:
        sys.exit(f"ds01-gateway: {exc}")
    finally:
        own.close()


async def _served(
    gateway: Gateway, docker: socket.socket, api: socket.socket | None, path: Path
) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio runs this in one
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, task.cancel)
    # What takes many requests waits at each for Python's lock while threads decide: with 30 people
    # who ask at once, the usual 5 ms made the slowest answers twice as slow.
    sys.setswitchinterval(_TURN_SECONDS)
    gc.freeze()  # what is imported stays: to go through all of it took 30 ms, every 150 lists
    with suppress(asyncio.CancelledError):
        await gateway.serve(
            docker, api, lambda: logging.getLogger("ds01-gateway").info("listens on %s", path)
        )


def _api_listener(
    passed: socket.socket | None, environment: Mapping[str, str]
) -> socket.socket | None:
    """Where the API is answered; `None` without a hub. Docker is answered all the same."""
    if passed is not None and not environment.get(TOKEN_VARIABLE):
        logging.getLogger("ds01-gateway").error(
            "no API: systemd passes its socket, and gateway.env has no %s", TOKEN_VARIABLE
        )
        passed.close()
        return None
    return passed or _hub_listener(environment)


def _hub_listener(environment: Mapping[str, str]) -> socket.socket | None:
    """Where JupyterHub's proxy looks for the service `ds01`, listening; `None` without a hub."""
    url = environment.get(SERVICE_URL_VARIABLE)
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        sys.exit(f"{SERVICE_URL_VARIABLE} is {url!r}; expected http://127.0.0.1:PORT.")
    listener = socket.create_server((parts.hostname, parts.port), backlog=BACKLOG)
    listener.settimeout(0)
    return listener


if __name__ == "__main__":
    main()
