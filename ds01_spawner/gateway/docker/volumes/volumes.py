"""A person's volumes: folders that the engine keeps, under names of their own."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound, QuotaExceeded
from ds01_spawner.domain.labels import unreserved
from ds01_spawner.domain.names import SEPARATOR, home_volume
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.views import without_owner
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.filters import (
    Filters,
    encode_filters,
    has_label,
    parse_filters,
)
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.names import engine_name, is_own_name, own_name
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.docker.volumes.view import (
    ANONYMOUS_MARK,
    VolumeWish,
    check_filters,
    check_volume_name,
    is_anonymous,
    is_kept,
    is_own,
    mounted_volumes,
    parse_volume,
    prunes_named,
    volume_payload,
    volume_view,
)
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_answers import checked

MOST_VOLUMES = 100
"""How many a person has, beside those that go with their containers."""

MOST_BYTES = 256 * 1024
_SECONDS = 60.0


class Volumes:
    """Handlers of `/volumes`.

    Args:
        door: What handlers stand on.
        owned: The person's containers.
    """

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "GET /volumes": self._list,
            "POST /volumes/create": self._create,
            "POST /volumes/prune": self._prune,
            "GET /volumes/{id}": self._inspect,
            "DELETE /volumes/{id}": self._remove,
        }

    async def volume(self, caller: Caller, name: str) -> str:
        """The engine's name of the caller's volume.

        Args:
            caller: Who asks.
            name: What they call it, or the engine's name of it.

        Raises:
            NotFound: The caller has no such volume.
            Unavailable: The engine does not answer.
        """
        return str((await self._found(caller, name))["Name"])

    async def ensure(
        self, caller: Caller, name: str, marks: Mapping[str, str] | None = None
    ) -> str:
        """The same, made if the caller has no such volume yet, as `docker run -v NAME:/path` does.

        Args:
            caller: Who asks.
            name: What they call it.
            marks: Labels for a new one.

        Raises:
            InvalidRequest: Nothing can have that name.
            QuotaExceeded: The caller has too many.
            Unavailable: The engine does not answer.
        """
        try:
            return await self.volume(caller, name)
        except NotFound:
            check_volume_name(name, caller.user)
        made = await self._ensured(caller, VolumeWish(name, unreserved(marks or {})))
        return str(made["Name"])

    async def own(
        self, caller: Caller, filters: Filters | None = None, version: str = ""
    ) -> list[dict[str, Any]]:
        """The engine's JSON of the caller's volumes that meet `filters`; `name` is not one."""
        query = {"filters": [encode_filters(filters or {})]}
        answer, containers = await asyncio.gather(
            self._engine.ask("GET", "/volumes", query, version=version),
            self._owned.listed(caller, query={"all": "1"}),
        )
        mounted = mounted_volumes(containers)
        return [
            each
            for each in (checked(answer, partial(without_owner, user=caller.user)).value or {}).get(
                "Volumes"
            )
            or ()
            if is_own(each, caller.user, self._owned.instance, mounted)
        ]

    async def _list(self, call: Call, reply: Reply) -> None:
        filters = parse_filters(call.first("filters"))
        check_filters(filters)
        wanted = filters.pop("name", [])
        user = call.caller.user
        seen = [
            volume_view(each, user) for each in await self.own(call.caller, filters, call.version)
        ]
        named = [
            each
            for each in seen
            if not wanted or any(own_name(part, user) in each["Name"] for part in wanted)
        ]
        await reply.json({"Volumes": named, "Warnings": None})

    async def _inspect(self, call: Call, reply: Reply) -> None:
        found = await self._found(call.caller, call.parts["id"], call.version)
        await reply.json(volume_view(found, call.caller.user))

    async def _create(self, call: Call, reply: Reply) -> None:
        content = await call.body.read(MOST_BYTES)
        wish = parse_volume(Fields.of(content or b"{}"), call.caller.user)
        made = await self._ensured(call.caller, wish)
        await reply.json(volume_view(made, call.caller.user), 201)

    async def _ensured(self, caller: Caller, wish: VolumeWish) -> dict[str, Any]:
        turn = self._turns.setdefault(caller.user, asyncio.Lock())
        async with turn:
            if wish.name:
                existing = await self._looked_up(engine_name(wish.name, caller.user))
                if existing is not None:
                    return self._checked_own(existing, caller, wish.name)
            self._check_room(caller, await self.own(caller))
            payload = volume_payload(wish, caller.user, self._owned.instance)
            answer = await self._engine.ask(
                "POST", "/volumes/create", body=payload, seconds=_SECONDS
            )
            made: dict[str, Any] = checked(answer, partial(without_owner, user=caller.user)).value
        try:
            await self._note(caller, "volume.create", made)
        except BaseException:
            await self._engine.ask("DELETE", _path(str(made["Name"])), seconds=_SECONDS)
            raise
        return made

    def _checked_own(self, volume: dict[str, Any], caller: Caller, name: str) -> dict[str, Any]:
        """The volume that is there, unless another installation made it.

        Raises:
            Conflict: It did.
        """
        if is_own(volume, caller.user, self._owned.instance):
            return volume
        raise Conflict(
            f"The volume {name} belongs to another installation of DS01 on this server.",
            "Choose another name.",
        )

    def _check_room(self, caller: Caller, own: list[dict[str, Any]]) -> None:
        held = [each for each in own if is_kept(each, caller.user)]
        if len(held) < MOST_VOLUMES:
            return
        names = tuple(sorted(own_name(str(each["Name"]), caller.user) for each in held))
        raise QuotaExceeded(
            f"You have {len(held)} of {MOST_VOLUMES} volumes ({', '.join(names[:4])}, …).",
            "Remove one: docker volume rm NAME, or all that are not used: docker volume prune -a.",
            limit="volumes",
            used=len(held),
            asked=1,
            allowed=MOST_VOLUMES,
            holders=names,
        )

    async def _remove(self, call: Call, reply: Reply) -> None:
        name = call.parts["id"]
        try:
            found = await self._found(call.caller, name)
        except NotFound:
            if not flag(call, "force"):
                raise
            await reply.empty()
            return
        if found["Name"] == home_volume(call.caller.user):
            raise Forbidden(
                f"{found['Name']} is your home in JupyterHub and cannot be removed.",
                "Remove the files in it that you do not need.",
            )
        await self._removed(call.caller, found, name)
        await reply.empty()

    async def _prune(self, call: Call, reply: Reply) -> None:
        filters = parse_filters(call.first("filters"))
        check_filters(filters, prune=True)
        asked = {"dangling": ["true"]} | (
            {"label": filters["label"]} if filters.get("label") else {}
        )
        named_too = prunes_named(call.version, filters)
        gone: list[str] = []
        for each in await self.own(call.caller, asked, call.version):
            name, marks = str(each["Name"]), each.get("Labels") or {}
            if name == home_volume(call.caller.user):
                continue
            if any(has_label(marks, unwanted) for unwanted in filters.get("label!", ())):
                continue
            if not named_too and not (is_anonymous(name) or ANONYMOUS_MARK in marks):
                continue
            try:
                await self._removed(call.caller, each, name)
            except (Conflict, NotFound):  # in use by now, or gone
                continue
            gone.append(own_name(name, call.caller.user))
        await reply.json({"VolumesDeleted": gone or None, "SpaceReclaimed": 0})

    async def _removed(self, caller: Caller, volume: Mapping[str, Any], ref: str) -> None:
        answer = await self._engine.ask("DELETE", _path(str(volume["Name"])), seconds=_SECONDS)
        own_words = partial(without_owner, user=caller.user)
        checked(answer, own_words, no_such_volume(ref))
        await self._note(caller, "volume.remove", volume)

    async def _found(self, caller: Caller, name: str, version: str = "") -> dict[str, Any]:
        for candidate in _engine_names(name, caller):
            found = await self._looked_up(candidate, version)
            if found is not None and await self._is_own(caller, found):
                return found
        raise no_such_volume(name)

    async def _is_own(self, caller: Caller, volume: Mapping[str, Any]) -> bool:
        if is_own(volume, caller.user, self._owned.instance):
            return True
        name = str(volume["Name"])
        if not is_anonymous(name):
            return False
        entries = await self._owned.listed(caller, {"volume": [name]}, {"all": "1"})
        return is_own(volume, caller.user, self._owned.instance, mounted_volumes(entries))

    async def _looked_up(self, name: str, version: str = "") -> dict[str, Any] | None:
        answer = await self._engine.ask("GET", _path(name), version=version)
        if answer.is_missing:
            return None
        found: dict[str, Any] = checked(answer).value
        return found if found.get("Name") == name else None

    async def _note(self, caller: Caller, action: str, volume: Mapping[str, Any]) -> None:
        name = own_name(str(volume["Name"]), caller.user)
        await self._door.note(caller, action, name)


def no_such_volume(name: str) -> NotFound:
    """Docker's own words, for what does not exist and for what is not the caller's."""
    return NotFound(f"get {name}: no such volume")


def _engine_names(name: str, caller: Caller) -> list[str]:
    """What the engine may call the volume that a person names `name`."""
    if not name or "/" in name:
        return []
    if SEPARATOR in name:
        return [name] if is_own_name(name, caller.user) else []
    known = is_anonymous(name) or name == home_volume(caller.user)
    return [engine_name(name, caller.user), *([name] if known else [])]


def _path(name: str) -> str:
    return f"/volumes/{quote(name, safe='')}"
