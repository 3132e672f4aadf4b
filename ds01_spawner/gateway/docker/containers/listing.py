"""`docker ps`: a person's own containers, filtered in their own words by the engine itself."""

import asyncio
import re
from collections.abc import Mapping

from ds01_spawner.domain import names
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.views import listed_view
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.filters import Filters, parse_filters
from ds01_spawner.gateway.docker.reading.image_names import candidates
from ds01_spawner.gateway.docker.reading.names import engine_name
from ds01_spawner.gateway.docker.reading.parameters import flag, number
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

_BY_CONTAINER = ("before", "since")
_BY_NAME = ("network", "volume")


class ContainerList:
    """Answers `GET /containers/json` with the caller's own containers."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._owned = owned

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"GET /containers/json": self.show}

    async def show(self, call: Call, reply: Reply) -> None:
        """`GET /containers/json`."""
        caller = call.caller
        query = {name: "1" for name in ("all", "size") if flag(call, name)}
        limit = max(0, number(call, "limit") or 0)
        if limit:
            query["limit"] = str(limit)
        filters = await self._filters(call)
        found = await self._owned.listed(
            caller,
            engine_filters(filters, caller),
            query,
            version=call.version,
            older_filters=filters,
        )
        seen = [listed_view(entry, caller.user) for entry in found]
        await reply.json(seen[:limit] if limit else seen)

    async def _filters(self, call: Call) -> dict[str, list[str]]:
        """The client's filters, with ids for containers that they name.

        Raises:
            NotFound: One is not the caller's.
        """
        filters = parse_filters(call.first("filters"))
        for key in _BY_CONTAINER:
            asked = [self._owned.container(call.caller, ref) for ref in filters.get(key, ())]
            if asked:
                filters[key] = [str(found["Id"]) for found in await asyncio.gather(*asked)]
        return filters


def engine_filters(filters: Filters, caller: Caller) -> dict[str, list[str]]:
    """Filters for what the platform made: the engine's words for a person's names."""
    asked = {name: list(values) for name, values in filters.items()}
    if "name" in asked:
        asked["name"] = [engine_pattern(text, caller) for text in asked["name"]]
    for key in _BY_NAME:  # ids and paths stay
        if key in asked:
            asked[key] += [engine_name(name, caller.user) for name in asked[key]]
    if "ancestor" in asked:
        asked["ancestor"] = [
            reference for text in asked["ancestor"] for reference in _images(text, caller.user)
        ]
    return asked


def _images(text: str, user: str) -> tuple[str, ...]:
    """References, or ids, of the images that a person may mean; what is none stays as it is."""
    try:
        return (*candidates(text, user), text)
    except InvalidRequest:
        return (text,)


def engine_pattern(pattern: str, caller: Caller) -> str:
    """A regular expression for the engine's names, from one for what a person calls them.

    The engine's names end with their owner, and a match must end before that. It is the engine
    that matches, in linear time (https://github.com/google/re2): a client's expression is never
    run here. AIME's `mlc` ends names with the user id.
    """
    slug = names.user_slug(caller.user)
    ending = re.escape(f"{SEPARATOR}{slug}")
    for known in (str(caller.uid), slug):
        pattern = pattern.replace(f"{SEPARATOR}{known}", "")
    if "$" not in pattern:
        return f"(?:{pattern}).*{ending}$"
    if pattern.find("$") == len(pattern) - 1 and "|" not in pattern:
        return f"(?:{pattern[:-1]}){ending}$"
    within = pattern.replace("$", f"(?:{ending})?$")
    return f"(?:{within})(?:.*{ending})?$"
