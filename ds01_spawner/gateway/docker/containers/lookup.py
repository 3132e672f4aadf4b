"""Finds a person's own containers, by every way that Docker lets one name them.

Whatever is not theirs does not exist: the same words, whoever else has it.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NotFound
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.gateway.docker.reading.filters import Filters, encode_filters, label_filter
from ds01_spawner.gateway.docker.reading.names import engine_name, is_own_name, without_number
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.engine_answers import checked, message_of

_FULL_ID = re.compile(r"^[0-9a-f]{64}\Z")
_ID_PART = re.compile(r"^[0-9a-f]{1,63}\Z")
_SHORT_ID = 12
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}\Z")
_SEVERAL = "Multiple IDs found with provided prefix"
_OLDER_SECONDS = 5.0


class Owned:
    """A person's containers.

    Args:
        engine: Asked what exists.
        instance: Id of this installation: another one's containers on the same engine are not here.
        monotonic: The time, in seconds.
    """

    def __init__(
        self,
        engine: EngineLink,
        instance: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self.instance = instance
        self._monotonic = monotonic
        self._older: dict[str, tuple[float, bool]] = {}

    async def container(self, caller: Caller, ref: str, *, version: str = "") -> dict[str, Any]:
        """The engine's inspect JSON of the caller's own container; go on with its full `Id`.

        Args:
            caller: Who asks.
            ref: What the caller calls it, with or without a leading slash, the engine's name of it,
                its id, or a part of its id that begins no other id of the caller's.
            version: Engine API version that the answer is in; empty: the newest known.

        Raises:
            NotFound: The caller has no such container.
            InvalidRequest: Several of the caller's have ids that begin so.
            Unavailable: The engine does not answer.
        """
        found = await self._own(caller, ref, version)
        if found is None:
            raise no_such_container(ref)
        return found

    async def path(self, caller: Caller, ref: str, ending: str) -> str:
        """The engine's path of something about the caller's own container.

        Raises:
            NotFound: The caller has no such container.
            Unavailable: The engine does not answer.
        """
        found = await self.container(caller, ref)
        return f"/containers/{found['Id']}/{ending}"

    async def made_here(self, caller: Caller, ref: str) -> dict[str, Any]:
        """As `container`, but one that the platform made: others may only be looked at and ended.

        Raises:
            NotFound: The caller has no such container.
            Forbidden: The platform did not make it.
            Unavailable: The engine does not answer.
        """
        found = await self.container(caller, ref)
        check_made_here(found)
        return found

    def is_own(self, marks: Mapping[str, str], caller: Caller) -> bool:
        """Whether a container with these labels belongs to the caller."""
        return owner(marks, self.instance) == caller.user

    async def listed(
        self,
        caller: Caller,
        filters: Filters | None = None,
        query: Mapping[str, str] | None = None,
        *,
        version: str = "",
        older_filters: Filters | None = None,
    ) -> list[dict[str, Any]]:
        """The engine's list entries of the caller's containers, newest first.

        Args:
            caller: Whose.
            filters: More filters of `GET /containers/json`, in the engine's words.
            query: More of its parameters.
            version: As for `container`.
            older_filters: The filters for older containers, whose names have another form; by
                default the same.

        Raises:
            Unavailable: The engine does not answer.
        """
        managed = label_filter(labels.own_marks(caller.user, self.instance))
        has_older = await self._has_older(caller)
        asked = [self._list(managed, filters or {}, query or {}, version)]
        if has_older:
            older = label_filter({labels.LEGACY_USER: caller.user})
            others = filters if older_filters is None else older_filters
            asked.append(self._list(older, others or {}, query or {}, version))
        answers = await asyncio.gather(*asked)
        entries = {entry["Id"]: entry for answer in answers for entry in answer}
        mine = [each for each in entries.values() if self.is_own(each.get("Labels") or {}, caller)]
        return sorted(mine, key=lambda each: int(each.get("Created") or 0), reverse=True)

    async def _has_older(self, caller: Caller) -> bool:
        """Whether they have containers that the platform did not make; some seconds old.

        Nothing here makes such a container, and to ask takes half as long as the list itself. The
        question is about the caller's alone: others' could make the answer as long as they like.
        """
        now = self._monotonic()
        known = self._older.get(caller.user)
        if known is None or now - known[0] > _OLDER_SECONDS:
            marks = label_filter({labels.LEGACY_USER: caller.user})
            found = await self._list(marks, {}, {"all": "1"}, "")
            has_older = any(
                entry_labels.get(labels.MANAGED) != "true"
                for entry in found
                if self.is_own(entry_labels := entry.get("Labels") or {}, caller)
            )
            known = self._older[caller.user] = (now, has_older)
        return known[1]

    async def _list(
        self,
        marks: list[str],
        filters: Filters,
        query: Mapping[str, str],
        version: str,
    ) -> list[dict[str, Any]]:
        merged = {**filters, "label": [*filters.get("label", ()), *marks]}
        asked = {name: [value] for name, value in query.items()}
        asked["filters"] = [encode_filters(merged)]
        answer = await self._engine.ask("GET", "/containers/json", asked, version=version)
        return list(checked(answer).value or ())

    async def _own(self, caller: Caller, ref: str, version: str) -> dict[str, Any] | None:
        """In Docker's own order: a full id, a name, the beginning of an id."""
        text = ref.removeprefix("/")
        if not _NAME.match(text):
            return None
        if _FULL_ID.match(text):
            return await self._own_by_id(caller, text, version)
        for name in _engine_names(text, caller):
            found = await self._inspect(name, version)
            if found and found.get("Name") == f"/{name}" and self._is_own(found, caller):
                return found
        if _ID_PART.match(text):
            return await self._own_by_part(caller, text, version)
        return None

    async def _own_by_part(self, caller: Caller, part: str, version: str) -> dict[str, Any] | None:
        """Among one's own ids alone: that others' begin so too is nobody's business."""
        if len(part) >= _SHORT_ID:  # what clients show; the engine finds it without a list
            found = await self._own_by_id(caller, part, version)
            if found is not None:
                return found
        every = await self.listed(caller, query={"all": "1"}, version=version)
        mine = [str(each["Id"]) for each in every if str(each["Id"]).startswith(part)]
        if len(mine) > 1:
            raise InvalidRequest(f"{_SEVERAL}: {part}")
        return await self._own_by_id(caller, mine[0], version) if mine else None

    async def _own_by_id(self, caller: Caller, part: str, version: str) -> dict[str, Any] | None:
        found = await self._inspect(part, version)
        if found is None or not str(found.get("Id")).startswith(part):
            return None
        return found if self._is_own(found, caller) else None

    async def _inspect(self, name_or_id: str, version: str) -> dict[str, Any] | None:
        if not _NAME.match(name_or_id):
            return None
        path = f"/containers/{quote(name_or_id, safe='')}/json"
        answer = await self._engine.ask("GET", path, version=version)
        if answer.is_missing or message_of(answer).startswith(_SEVERAL):
            return None
        return dict(checked(answer).value)

    def _is_own(self, inspected: Mapping[str, Any], caller: Caller) -> bool:
        return self.is_own(labels_of(inspected), caller)


def labels_of(inspected: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an inspected container."""
    return (inspected.get("Config") or {}).get("Labels") or {}


def is_managed(inspected: Mapping[str, Any]) -> bool:
    """Whether the platform made an inspected container, so that it knows what it was given."""
    return labels_of(inspected).get(labels.MANAGED) == "true"


def check_made_here(inspected: Mapping[str, Any]) -> None:
    """Return when the platform made an inspected container.

    Raises:
        Forbidden: It did not, so nobody knows what the container was given.
    """
    if not is_managed(inspected):
        raise Forbidden(
            "This container was made past the platform, so nobody knows what it was given: it can "
            "be looked at, stopped and removed, and no more.",
            "Make it anew with docker run.",
        )


def owner(marks: Mapping[str, str], instance: str) -> str | None:
    """Whose a container with these labels is, or `None`.

    What the platform did not make has an owner only by the older `aime.mlc` labels: an image can
    bring a `ds01.user` along.
    """
    if marks.get(labels.MANAGED) != "true":
        return marks.get(labels.LEGACY_USER) or None
    return marks.get(labels.USER) or None if marks.get(labels.INSTANCE) == instance else None


def no_such_container(ref: str) -> NotFound:
    """Docker's own words, for what does not exist and for what is not the caller's."""
    return NotFound(f"No such container: {ref}")


def _engine_names(text: str, caller: Caller) -> list[str]:
    """What the engine may call the container that a person names `text`."""
    if SEPARATOR not in text:
        return [engine_name(text, caller.user)]
    own = without_number(text, caller.uid)
    if own != text:
        return [text, engine_name(own, caller.user)]
    # How long an answer takes would tell whether somebody else's exists.
    return [text] if is_own_name(text, caller.user) else []
