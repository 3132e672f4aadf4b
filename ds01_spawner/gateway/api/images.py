"""What somebody may start: the catalogue's images, and their own, which they may delete."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound
from ds01_spawner.domain.labels import Interface, name_of
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.api.shared_reading import SharedReading
from ds01_spawner.gateway.docker.containers.lookup import owner
from ds01_spawner.gateway.docker.reading.image_names import own_reference
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.policy.image_references import own_repository
from ds01_spawner.policy.images import ImageCatalogue, ImageEntry

_DELETE_SECONDS = 120.0


Listed = SharedReading[Sequence[Mapping[str, Any]]]
"""What the engine has, as `GET /images/json` shows it: 0.1 s of its CPU."""


def listed_by(engine: EngineLink) -> Listed:
    """Asks the engine."""

    async def read() -> Sequence[Mapping[str, Any]]:
        return checked(await engine.ask("GET", "/images/json")).value or ()

    return SharedReading(read)


class Images:
    """Answers about images."""

    def __init__(self, api: Api, listed: Listed) -> None:
        self._api = api
        self._listed = listed

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listImages": self.every, "deleteImage": self.delete}

    async def every(self, ask: Ask) -> m.Images:
        """The catalogue as it is offered to who asks, then images of their own."""

        def offered(platform: Platform) -> tuple[ImageCatalogue, str | None]:
            return platform.images, _group(platform, ask.requester)

        catalogue, group = await ask.run(self._api, offered)
        return offered_images(catalogue, group, ask.requester.user, await self._listed())

    async def delete(self, ask: Ask) -> m.Removed:
        """Delete one of one's own, by what its owner calls it."""
        name, user = ask.parts["name"], ask.requester.user
        reference = own_reference(name, user)
        path = f"/images/{quote(reference, safe='/:@')}"
        answer = await self._api.engine.ask("DELETE", path, seconds=_DELETE_SECONDS)
        missing = NotFound(f"You have no image called {shown(name)}.", "See: GET /images.")
        try:
            checked(answer, not_found=missing)
        except Conflict as exc:
            raise Conflict(*await self._in_use(ask, reference)) from exc

        def record(platform: Platform) -> None:
            platform.audit.write(
                "image.delete", user=user, resource=reference, interface=Interface.API.value
            )

        await ask.run(self._api, record)
        return m.Removed(name=reference.removeprefix(f"{own_repository(user)}/"))

    async def _in_use(self, ask: Ask, reference: str) -> tuple[str, str]:
        filters = json.dumps({"ancestor": [reference]})
        query = {"all": ["1"], "filters": [filters]}
        found = checked(await self._api.engine.ask("GET", "/containers/json", query)).value or ()
        instance = await ask.run(self._api, lambda platform: platform.instance)
        users = [
            name_of(each.get("Labels") or {}, str((each.get("Names") or ["?"])[0]).lstrip("/"))
            for each in found
            if owner(each.get("Labels") or {}, instance) == ask.requester.user
        ]
        by = f" by {', '.join(sorted(users))}" if users else ""
        return f"{reference} is in use{by}.", "Retire what uses it first."


def offered_images(
    catalogue: ImageCatalogue, group: str | None, user: str, present: Sequence[Mapping[str, Any]]
) -> m.Images:
    """What somebody may start.

    Args:
        catalogue: Of this installation.
        group: The person's policy group.
        user: The person.
        present: What the engine has, as `GET /images/json` shows it.
    """
    by_tag = {tag: each for each in present for tag in each.get("RepoTags") or ()}
    default = catalogue.default_for(group)
    offered = [
        _offered(key, entry, by_tag.get(entry.reference), is_default=entry is default)
        for key, entry in catalogue.offered_to(group).items()
    ]
    own = _own(by_tag, f"{own_repository(user)}/") if catalogue.allow_own_images else ()
    return m.Images(images=(*offered, *own))


def _offered(
    key: str, entry: ImageEntry, found: Mapping[str, Any] | None, *, is_default: bool
) -> m.Image:
    return m.Image(
        reference=entry.reference,
        key=key,
        title=entry.title,
        description=entry.description,
        own=False,
        default=is_default,
        gpu_recommended=entry.gpu_recommended,
        present=found is not None,
        size_bytes=None if found is None else int(found.get("Size") or 0),
        created_at=None if found is None else _created(found),
    )


def _own(by_tag: Mapping[str, Mapping[str, Any]], namespace: str) -> Iterable[m.Image]:
    for tag, found in sorted(by_tag.items()):
        if tag.startswith(namespace):
            yield m.Image(
                reference=tag,
                key=None,
                title=tag.removeprefix(namespace),
                own=True,
                present=True,
                size_bytes=int(found.get("Size") or 0),
                created_at=_created(found),
            )


def _created(found: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(found.get("Created") or 0), UTC)


def _group(platform: Platform, requester: Requester) -> str | None:
    try:
        return platform.admission.limits(requester.user, requester.hub_groups).group
    except Forbidden:  # root is nobody's account
        return None
