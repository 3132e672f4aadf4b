"""JupyterHub's REST API with a service's token."""

from collections.abc import Iterator
from typing import Any

import requests

from ds01_spawner.domain.errors import Unavailable

_PAGE = 200
_PAGINATED = "application/jupyterhub-pagination+json"


class HubApi:
    """The `HubClient` port.

    Args:
        url: The hub's API, such as `http://127.0.0.1:8081/hub/api`.
        token: A token with the scopes `list:users` and `read:servers`.
        timeout_seconds: Deadline of one request.
    """

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Authorization": f"token {token}", "Accept": _PAGINATED})

    def servers(self) -> frozenset[tuple[str, str]]:
        """(user, server name) of every server that is ready, starting or stopping."""
        try:
            return frozenset(
                (user["name"], name) for user in self._users() for name in user["servers"]
            )
        except (KeyError, TypeError) as exc:
            # Without the scope the hub leaves the key out: that is not "no servers".
            raise Unavailable(
                "The hub does not tell which servers it has.",
                "Give this service's token the scopes list:users and read:servers.",
            ) from exc

    def _users(self) -> Iterator[dict[str, Any]]:
        """Users with such servers, however many pages that takes."""
        offset: int | None = 0
        while offset is not None:
            page = self._get("/users", state="active", offset=offset, limit=_PAGE)
            yield from page["items"]
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        try:
            response = self._session.get(
                f"{self._url}{path}",
                params={key: str(value) for key, value in query.items()},
                timeout=self._timeout,
            )
            response.raise_for_status()
            found: dict[str, Any] = response.json()
        except (requests.RequestException, ValueError) as exc:
            raise Unavailable(f"The hub does not answer {path}: {exc}.") from exc
        return found
