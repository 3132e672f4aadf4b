"""Images that go: one's own tags, and what nothing else calls or uses."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages, image_path
from ds01_spawner.gateway.docker.images.rights import ImageRights, labels_of, tagged
from ds01_spawner.gateway.docker.images.view import (
    freed_bytes,
    is_prunable,
    removed_images,
)
from ds01_spawner.gateway.docker.reading.filters import Filters, has_label, parse_filters
from ds01_spawner.gateway.docker.reading.image_names import candidates, shown_image
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.docker.reading.prune_filters import check_prune_filters
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.gateway.wire.turns import Turns
from ds01_spawner.policy.image_references import split_reference, without_namespace

Steps = list[dict[str, str]]
_SECONDS = 600.0
PRUNES = 2
"""How many prunes of images go on at a time, of different people: each asks for several lists."""


class ImageRemoval:
    """Handlers that remove images.

    Args:
        door: What handlers stand on.
        images: Finds images.
        owned: The person's containers.
    """

    def __init__(self, door: Door, images: OwnImages, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._images = images
        self._owned = owned
        self._prunes = Turns(1, PRUNES)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "DELETE /images/{ref}": self.remove,
            "POST /images/prune": self.prune,
            "POST /build/prune": self.prune_builds,
        }

    async def remove(self, call: Call, reply: Reply) -> None:
        """`docker rmi`: own tags, and the image itself where nothing else has it."""
        rights = await self._images.rights(call.caller)
        text = call.parts["ref"]
        reference, found = await self._images.image(call.caller, text, rights)
        force = flag(call, "force")
        targets = self._targets(reference, found, rights, text, force=force)
        if force and await self._has_others(call, found, targets):
            force = False
        steps: Steps = []
        for target in targets:
            query = {"force": ["1"] if force else ["0"]}
            if flag(call, "noprune"):
                query["noprune"] = ["1"]
            answer = await self._engine.ask(
                "DELETE", image_path(target, ""), query, seconds=_SECONDS
            )
            own_words = partial(without_namespace, user=rights.user)
            steps += checked(answer, own_words).value or ()
        await self._tell(call, shown_image(targets[0], rights.user), steps)
        await reply.json(removed_images(steps, rights.user))

    def _targets(
        self,
        reference: str,
        image: Mapping[str, Any],
        rights: ImageRights,
        text: str,
        *,
        force: bool,
    ) -> list[str]:
        """What a removal means: a tag, or by its id all own tags, or itself without any."""
        if is_named(reference, text, rights.user):
            if rights.is_own(reference):
                return [reference]
            raise _not_own(text)
        own = rights.own_tags(image)
        if not own:
            if rights.is_own_untagged(image):
                return [str(image["Id"])]
            raise _not_own(text)
        if len({split_reference(each)[0] for each in own}) > 1 and not force:
            raise Conflict(
                f"conflict: unable to delete {text} (must be forced) - image is referenced in "
                "multiple repositories"
            )
        return own

    async def _has_others(self, call: Call, image: Mapping[str, Any], targets: list[str]) -> bool:
        """Whether force would take the image from under somebody else's containers."""
        if set(tagged(image.get("RepoTags"))) - set(targets):
            return False
        using = (await self._images.in_use(str(image["Id"]))).get(str(image["Id"]), [])
        return any(not self._owned.is_own(each.get("Labels") or {}, call.caller) for each in using)

    async def prune(self, call: Call, reply: Reply) -> None:
        """`docker image prune`: own images that nothing uses; with `-a` those with a tag, too."""
        rights = await self._images.rights(call.caller)
        filters = parse_filters(call.first("filters"))
        dangling = [each.lower() for each in filters.pop("dangling", ())]
        until = check_prune_filters(filters, self._door.platform.clock.now())
        tagged_too = any(each in {"0", "false"} for each in dangling)
        async with self._prunes.of(rights.user):
            found = await self._prunable(rights, tagged_too=tagged_too)
            chosen = [each for each in found if _is_meant(each, filters, until)]
            every = await self._images.everything(intermediate=True) if chosen else []
            steps: Steps = []
            for entry in chosen:
                steps += await self._pruned(rights.own_tags(entry) or [str(entry["Id"])])
        deleted = [each["Deleted"] for each in steps if "Deleted" in each]
        if steps:
            await self._tell(call, "unused", steps)
        await reply.json(
            {
                "ImagesDeleted": removed_images(steps, rights.user) or None,
                "SpaceReclaimed": freed_bytes(deleted, every),
            }
        )

    async def _prunable(self, rights: ImageRights, *, tagged_too: bool) -> list[Mapping[str, Any]]:
        """What the person alone has and nothing uses.

        The engine is asked about everybody's where there is no other way: whether a tagged image
        has other tags too, and whether somebody's container uses it.
        """
        asking = self._images.everything() if tagged_too else self._images.dangling(rights)
        mine = [
            each
            for each in await asking
            if is_prunable(each, rights, frozenset(), tagged_too=tagged_too)
        ]
        used = frozenset(await self._images.in_use()) if mine else frozenset()
        return [each for each in mine if str(each["Id"]) not in used]

    async def prune_builds(self, call: Call, reply: Reply) -> None:
        """`docker builder prune`: the classic builder keeps nothing but images."""
        del call
        await reply.json({"CachesDeleted": None, "SpaceReclaimed": 0})

    async def _pruned(self, targets: list[str]) -> Steps:
        """What went; what is in use after all stays."""
        steps: Steps = []
        for target in targets:
            answer = await self._engine.ask("DELETE", image_path(target, ""), seconds=_SECONDS)
            try:
                steps += checked(answer).value or ()
            except DS01Error:
                continue
        return steps

    async def _tell(self, call: Call, name: str, steps: Steps) -> None:
        details = {"deleted": sum("Deleted" in each for each in steps)}
        await self._door.note(call.caller, "image.delete", name, details=details)


def _is_meant(entry: Mapping[str, Any], filters: Filters, until: datetime | None) -> bool:
    marks = labels_of(entry)
    return (
        all(has_label(marks, each) for each in filters.get("label", ()))
        and not any(has_label(marks, each) for each in filters.get("label!", ()))
        and (until is None or float(entry.get("Created") or 0) < until.timestamp())
    )


def is_named(reference: str, text: str, user: str) -> bool:
    """Whether somebody who wrote `text` named what has this reference, and not by its id."""
    try:
        return reference in candidates(text, user)
    except InvalidRequest:
        return False


def _not_own(text: str) -> Forbidden:
    return Forbidden(
        f"The image {text} is shared with everybody.", "Only an administrator can remove it."
    )
