"""Fetching an image from its registry: minutes, apart from all other calls."""

import re
import time

import docker.errors
import requests
from docker import APIClient
from docker.utils import parse_repository_tag

from ds01_spawner.adapters.docker_engine.connection import Connection
from ds01_spawner.domain.errors import NotFound, Unavailable

_ABSENT = re.compile(
    r"manifest unknown|not found|repository does not exist|name unknown", re.IGNORECASE
)


def pull_image(connection: Connection, reference: str) -> None:
    """Fetch `reference`; `latest` when it names no tag.

    Raises:
        NotFound: The registry does not have it, or does not show it without a login.
        Unavailable: The registry or the engine fails, or the deadline passes.
    """
    repository, tag = parse_repository_tag(reference)
    deadlines = connection.deadlines
    until = time.monotonic() + deadlines.pull
    client = APIClient(
        base_url=f"unix://{connection.socket_path}",
        version=connection.api_version(),
        timeout=int(deadlines.pull_silence),
    )
    try:
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if error := line.get("error"):
                raise _failure(reference, str(error))
            if time.monotonic() > until:
                raise Unavailable(
                    f"The image {reference} was not fetched within {deadlines.pull / 60:.0f} min."
                )
    except (docker.errors.DockerException, requests.RequestException) as exc:
        raise _failure(reference, str(getattr(exc, "explanation", None) or exc)) from exc
    finally:
        client.close()


def _failure(reference: str, message: str) -> NotFound | Unavailable:
    if _ABSENT.search(message):
        return NotFound(f"The registry has no image {reference} ({message}).")
    return Unavailable(f"The image {reference} could not be fetched: {message}")
