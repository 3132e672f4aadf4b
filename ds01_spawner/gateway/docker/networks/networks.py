"""A person's networks: made within bounds, seen under their own names, joined by own containers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ds01_spawner.adapters.docker_engine.networks import BRIDGE_OPTION, free_bridge, free_subnet
from ds01_spawner.adapters.docker_engine.subnets import subnets_of
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import (
    Conflict,
    Forbidden,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import network_name
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds, Deed
from ds01_spawner.gateway.docker.containers.lookup import Owned, labels_of
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks, checked_of
from ds01_spawner.gateway.docker.networks.view import NO_NETWORK, has_name, network_view
from ds01_spawner.gateway.docker.networks.wish import (
    NetworkWish,
    network_payload,
    parse_network,
)
from ds01_spawner.gateway.docker.options.network import DEFAULT, asked_endpoint, endpoint_settings
from ds01_spawner.gateway.docker.reading.filters import encode_filters, label_filter, parse_filters
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.names import engine_name, own_name
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_answers import message_of

_T = TypeVar("_T")

MOST_NETWORKS = 16
"""How many a person has beside their own; the pool is everybody's."""

MOST_BYTES = 256 * 1024
_TRIES = 5
_SECONDS = 60.0
_TAKEN = ("overlaps", "same bridge name")


class Networks:
    """Handlers of `/networks`.

    Args:
        door: What handlers stand on.
        owned: The person's containers.
        networks: Finds networks.
    """

    def __init__(self, door: Door, owned: Owned, networks: OwnNetworks) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._networks = networks
        self._deeds = ContainerDeeds(door)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "GET /networks": self._list,
            "POST /networks/create": self._create,
            "POST /networks/prune": self._prune,
            "GET /networks/{id}": self._inspect,
            "DELETE /networks/{id}": self._remove,
            "POST /networks/{id}/connect": self._connect,
            "POST /networks/{id}/disconnect": self._disconnect,
        }

    async def _list(self, call: Call, reply: Reply) -> None:
        asked = parse_filters(call.first("filters"))
        wanted = asked.pop("name", [])
        user = call.caller.user
        own, none = await asyncio.gather(
            self._networks.own(call.caller, asked, call.version),
            self._networks.listed({**asked, "name": [NO_NETWORK]}, call.version),
        )
        shared = [each for each in none if each["Name"] == NO_NETWORK]
        seen = [network_view(each, user) for each in [*own, *shared]]
        await reply.json([each for each in seen if has_name(each["Name"], wanted)])

    async def _inspect(self, call: Call, reply: Reply) -> None:
        found = await self._networks.network(call.caller, call.parts["id"])
        if found["Name"] == NO_NETWORK:
            await reply.json(network_view(found, call.caller.user))
            return
        path = f"/networks/{found['Id']}"
        answer = await self._engine.ask("GET", path, version=call.version)
        value = checked_of(answer, call.caller, call.parts["id"]).value
        await reply.json(network_view(value, call.caller.user))

    async def _create(self, call: Call, reply: Reply) -> None:
        body = Fields.of(await call.body.read(MOST_BYTES))
        pool, prefix = await self._in_thread(call.caller, self._pool)
        wish = parse_network(body, call.caller.user, pool, prefix)
        turn = self._turns.setdefault(call.caller.user, asyncio.Lock())
        async with turn:
            self._check_room(wish, await self._networks.own(call.caller), call.caller)
            made = await self._made(call.caller, wish)
        try:
            await self._note(call.caller, "network.create", wish.name, made)
        except BaseException:
            await self._engine.ask("DELETE", f"/networks/{made}", seconds=_SECONDS)
            raise
        await reply.json({"Id": made, "Warning": ""}, 201)

    def _check_room(
        self, wish: NetworkWish, own: Sequence[Mapping[str, Any]], caller: Caller
    ) -> None:
        beside = [each["Name"] for each in own if each["Name"] != network_name(caller.user)]
        if engine_name(wish.name, caller.user) in beside:
            raise Conflict(f"network with name {wish.name} already exists")
        if len(beside) >= MOST_NETWORKS:
            names = tuple(sorted(own_name(name, caller.user) for name in beside))
            raise QuotaExceeded(
                f"You have {len(beside)} of {MOST_NETWORKS} networks ({', '.join(names[:4])}, …).",
                "Remove one: docker network rm NAME, or all that are not used: docker network"
                " prune.",
                limit="networks",
                used=len(beside),
                asked=1,
                allowed=MOST_NETWORKS,
                holders=names,
            )

    async def _made(self, caller: Caller, wish: NetworkWish) -> str:
        name = engine_name(wish.name, caller.user)
        for left in reversed(range(_TRIES)):
            listed = await self._networks.listed({})
            plan = await self._in_thread(caller, lambda: self._place(name, wish, listed))  # noqa: B023 - run before the next turn
            payload = network_payload(wish, caller.user, self._owned.instance, *plan)
            answer = await self._engine.ask(
                "POST", "/networks/create", body=payload, seconds=_SECONDS
            )
            if answer.ok:
                return str(answer.value["Id"])
            # Somebody else's network took the range between the look and the deed.
            if not left or wish.subnet or not any(text in message_of(answer) for text in _TAKEN):
                checked_of(answer, caller)
        raise Unavailable(f"The network {wish.name} could not be made.", "Try again.")

    def _pool(self) -> tuple[IPv4Network, int]:
        engine = self._door.platform.engine
        return engine.network_pool, engine.network_prefix

    def _place(
        self, name: str, wish: NetworkWish, listed: list[dict[str, Any]]
    ) -> tuple[IPv4Network, dict[str, str]]:
        bridge = {BRIDGE_OPTION: free_bridge(name, self._owned.instance)}
        if wish.subnet is None:
            return free_subnet(name, listed, *self._pool()), bridge
        if any(wish.subnet.overlaps(each) for each in subnets_of(listed)):
            raise Forbidden(
                f"The address range {wish.subnet} is in use.",
                "Leave out the subnet, and a free one is taken.",
            )
        return wish.subnet, bridge

    async def _remove(self, call: Call, reply: Reply) -> None:
        ref = call.parts["id"]
        found = await self._networks.network(call.caller, ref)
        if found["Name"] in {network_name(call.caller.user), NO_NETWORK}:
            raise Forbidden(
                f"The network {found['Name']} cannot be removed: your containers join it unless you"
                " say otherwise."
            )
        path = f"/networks/{found['Id']}"
        answer = await self._engine.ask("DELETE", path, seconds=_SECONDS)
        checked_of(answer, call.caller, ref)
        await self._note(
            call.caller, "network.remove", own_name(found["Name"], call.caller.user), found["Id"]
        )
        await reply.empty()

    async def _prune(self, call: Call, reply: Reply) -> None:
        caller, filters = call.caller, parse_filters(call.first("filters"))
        marks = label_filter(labels.own_marks(caller.user, self._owned.instance))
        # Only what people made themselves has a name.
        marks.append(labels.NAME)
        merged = {**filters, "label": [*filters.get("label", ()), *marks]}
        query = {"filters": [encode_filters(merged)]}
        answer = await self._engine.ask("POST", "/networks/prune", query, seconds=_SECONDS)
        gone = (checked_of(answer, call.caller).value or {}).get("NetworksDeleted") or ()
        names = [own_name(str(name), call.caller.user) for name in gone]
        for name in names:
            await self._note(call.caller, "network.remove", name, "")
        await reply.json({"NetworksDeleted": names or None})

    async def _connect(self, call: Call, reply: Reply) -> None:
        body = Fields.of(await call.body.read(MOST_BYTES))
        ref, fields = body.text("Container"), body.inner("EndpointConfig")
        body.finish()
        network = await self._networks.network(call.caller, call.parts["id"])
        is_default = network["Name"] == network_name(call.caller.user)
        endpoint = asked_endpoint(fields, DEFAULT if is_default else str(network["Name"]))
        container = await self._owned.container(call.caller, ref)
        links = await self._networks.linked(call.caller, endpoint)
        name = own_name(str(container["Name"]).removeprefix("/"), call.caller.user)
        payload = {
            "Container": container["Id"],
            "EndpointConfig": endpoint_settings(endpoint, name, links),
        }
        await self._tell(call, network, "connect", payload)
        await self._record(call.caller, network, container, "container.connect")
        await reply.empty(200)

    async def _disconnect(self, call: Call, reply: Reply) -> None:
        body = Fields.of(await call.body.read(MOST_BYTES))
        ref, force = body.text("Container"), bool(body.flag("Force"))
        body.finish()
        network = await self._networks.network(call.caller, call.parts["id"])
        container = await self._owned.container(call.caller, ref)
        origin = labels.origin_of(labels_of(container))
        if origin is Interface.HUB and network["Name"] == network_name(call.caller.user):
            raise Forbidden(
                f"{ref} is a server of the hub, which reaches it through {network['Name']}.",
                "Connect it to further networks as you like, and leave it in this one.",
            )
        payload = {"Container": container["Id"], "Force": force}
        await self._tell(call, network, "disconnect", payload)
        await self._record(call.caller, network, container, "container.disconnect")
        await reply.empty(200)

    async def _tell(
        self, call: Call, network: Mapping[str, Any], deed: str, payload: Mapping[str, Any]
    ) -> None:
        path = f"/networks/{network['Id']}/{deed}"
        answer = await self._engine.ask("POST", path, body=payload, seconds=_SECONDS)
        checked_of(answer, call.caller, call.parts["id"])

    async def _record(
        self, caller: Caller, network: Mapping[str, Any], container: Mapping[str, Any], action: str
    ) -> None:
        name = own_name(str(network["Name"]), caller.user)
        await self._deeds.tell(caller, container, Deed(action, details={"network": name}))

    async def _note(self, caller: Caller, action: str, name: str, network_id: str) -> None:
        details = {"id": network_id} if network_id else {}
        await self._door.note(caller, action, name, details=details)

    async def _in_thread(self, caller: Caller, deed: Callable[[], _T]) -> _T:
        return await self._door.threads.run(caller.user, deed)
