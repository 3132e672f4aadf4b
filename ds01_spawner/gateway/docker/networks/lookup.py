"""Finds a person's networks, by every way that Docker lets one name them."""

from functools import partial
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.domain.names import network_name
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.views import without_owner
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.networks.view import NO_NETWORK, is_own
from ds01_spawner.gateway.docker.options.network import AskedEndpoint
from ds01_spawner.gateway.docker.reading.filters import Filters, encode_filters, label_filter
from ds01_spawner.gateway.docker.reading.names import engine_name
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.gateway.wire.engine_answers import checked, message_of


class OwnNetworks:
    """A person's networks, and what is linked on them.

    Args:
        door: What handlers stand on.
        owned: The person's containers.
    """

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned

    async def network(self, caller: Caller, ref: str) -> dict[str, Any]:
        """The engine's JSON of the caller's network; go on with its full `Id`.

        Args:
            caller: Who asks.
            ref: What they call it, the engine's name of it, its id or the beginning of that.
                `bridge`, `default` and nothing are the network that every person has; it is made
                if it does not exist yet. `none` is the engine's.

        Raises:
            NotFound: The caller has no such network.
            InvalidRequest: Several of the caller's have ids that begin so.
            Unavailable: The engine does not answer.
        """
        default = network_name(caller.user)
        if ref in {"", "bridge", "default", default}:
            return await self._default(caller)
        if ref == NO_NETWORK:
            return await self._no_network()
        found = await self.own(caller)
        by_name = {str(each["Name"]): each for each in found}
        by_id = {str(each["Id"]): each for each in found}
        exact = by_id.get(ref) or by_name.get(engine_name(ref, caller.user)) or by_name.get(ref)
        if exact is not None:
            return exact
        begun = [each for full_id, each in by_id.items() if ref and full_id.startswith(ref)]
        if len(begun) > 1:
            raise InvalidRequest(
                f"network {ref} is ambiguous ({len(begun)} matches found on ID prefix)"
            )
        if not begun:
            raise _not_found(ref)
        return begun[0]

    async def linked(self, caller: Caller, endpoint: AskedEndpoint) -> tuple[str, ...]:
        """The links of a place on a network: `ID:ALIAS`, with the containers' full ids.

        Raises:
            NotFound: The caller has no such container.
            Unavailable: The engine does not answer.
        """
        found = [
            (await self._owned.container(caller, link.container), link.alias)
            for link in endpoint.links
        ]
        return tuple(f"{linked['Id']}:{alias}" for linked, alias in found)

    async def own(
        self, caller: Caller, filters: Filters | None = None, version: str = ""
    ) -> list[dict[str, Any]]:
        """The engine's list entries of the caller's networks that meet `filters`."""
        asked = filters or {}
        marks = label_filter(labels.own_marks(caller.user, self._owned.instance))
        merged = {**asked, "label": [*asked.get("label", ()), *marks]}
        listed = await self.listed(merged, version)
        return [each for each in listed if is_own(each, caller.user, self._owned.instance)]

    async def listed(self, filters: Filters, version: str = "") -> list[dict[str, Any]]:
        """The engine's list entries of everybody's networks that meet `filters`."""
        query = {"filters": [encode_filters(filters)]}
        answer = await self._engine.ask("GET", "/networks", query, version=version)
        return list(checked(answer).value or ())

    async def _no_network(self) -> dict[str, Any]:
        listed = await self.listed({"name": [NO_NETWORK]})
        found = next((each for each in listed if each["Name"] == NO_NETWORK), None)
        if found is None:
            raise _not_found(NO_NETWORK)
        return {**found, "Containers": {}}

    async def _default(self, caller: Caller) -> dict[str, Any]:
        name = network_name(caller.user)
        answer = await self._engine.ask("GET", f"/networks/{name}")
        if answer.is_missing:
            marks = labels.own_marks(caller.user, self._owned.instance)
            await self._door.threads.run(
                caller.user, lambda: self._door.platform.engine.ensure_network(name, marks)
            )
            answer = await self._engine.ask("GET", f"/networks/{name}")
        found: dict[str, Any] = checked(answer).value
        return found


def _not_found(ref: str) -> NotFound:
    """Docker's own words, for what does not exist and for what is not the caller's."""
    return NotFound(f"network {ref} not found")


def checked_of(answer: Answer, caller: Caller, ref: str = "") -> Answer:
    """The answer, or the engine's error as the caller says it, of what they call `ref`."""
    is_it = answer.is_missing and ref and "network" in message_of(answer)
    own_words = partial(without_owner, user=caller.user)
    return checked(answer, own_words, _not_found(ref) if is_it else None)
