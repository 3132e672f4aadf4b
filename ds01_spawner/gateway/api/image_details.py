"""One image in full; images that go because nothing needs them; what images may be made of."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error, Forbidden, NotFound
from ds01_spawner.domain.labels import (
    IMAGE_RECIPE,
    IMAGE_SOURCE,
    RESERVED_LABELS,
    Interface,
    name_of,
)
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.builds import caller_of
from ds01_spawner.gateway.api.images import Listed
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages, image_path
from ds01_spawner.gateway.docker.images.rights import ImageRights, labels_of
from ds01_spawner.gateway.docker.images.view import freed_bytes, is_prunable
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.recipes.catalogue import Catalogue

_LONGEST_INSTRUCTION = 500
_SHORT_ID = 12
_NO_UID = -1
_DELETE_SECONDS = 120.0


class ImageDetails:
    """Answers about images, in full."""

    def __init__(self, api: Api, listed: Listed) -> None:
        self._api = api
        self._listed = listed

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {
            "getImage": self.one,
            "getImageOptions": self.options,
            "pruneImages": self.prune,
        }

    async def one(self, ask: Ask) -> m.ImageDetail:
        """One image: by its key in the catalogue, a name of one's own, or a reference."""
        caller, rights, images = await self._known(ask)
        text = ask.parts["name"]
        offered = rights.catalogue.offered_to(rights.limits.group)
        entry = offered.get(text)
        try:
            reference, found = await images.image(
                caller, entry.reference if entry else text, rights
            )
        except NotFound as exc:
            if entry is not None:
                return _absent(text, entry.reference, entry.title, entry.description)
            raise NotFound(
                f"There is no image called {shown(text)}.", "See: ds01 image list."
            ) from exc
        image_id = str(found["Id"])
        history, using = await asyncio.gather(
            self._api.engine.ask("GET", image_path(image_id, "history")), images.in_use(image_id)
        )
        key = next((key for key, each in offered.items() if each.reference == reference), None)
        default = rights.catalogue.default_for(rights.limits.group)
        is_own = rights.is_own(reference) or rights.is_own_untagged(found)
        marks = labels_of(found)
        named = offered[key] if key is not None else None
        return m.ImageDetail(
            reference=reference,
            key=key,
            title=named.title if named else shown_image(reference, caller.user),
            description=named.description if named else "",
            own=is_own,
            default=named is not None and named is default,
            gpu_recommended=named is not None and named.gpu_recommended,
            present=True,
            size_bytes=int(found.get("Size") or 0),
            created_at=_moment(found.get("Created")),
            layers=tuple(map(_layer, checked(history).value or ())),
            recipe=marks.get(IMAGE_RECIPE),
            source=marks.get(IMAGE_SOURCE),
            labels=_shown_labels(marks),
            used_by=self._users(caller, using.get(image_id, ())),
        )

    async def options(self, ask: Ask) -> m.ImageOptions:
        """What images may be made of, and which of it is here."""
        user = ask.requester.user

        def read(platform: Platform) -> tuple[Catalogue, frozenset[str], int | None]:
            catalogue = platform.build_catalogue
            may_pull = platform.admission.rules.may_pull
            try:  # without the hub's groups, as builds are
                largest = platform.admission.limits(user).max_image_size_bytes
            except Forbidden:  # root is nobody's account
                largest = None
            return catalogue, frozenset(filter(may_pull, catalogue.bases())), largest

        catalogue, fetchable, largest = await ask.run(self._api, read)
        return image_options(catalogue, fetchable, await self._listed(), largest)

    async def prune(self, ask: Ask) -> m.Pruned:
        """Delete one's own that nothing uses; or say which."""
        query = ask.asked(m.PruneQuery)
        _, rights, images = await self._known(ask)
        every = await images.everything(intermediate=True)
        heads = await images.everything()
        used = frozenset(await images.in_use())
        meant = [each for each in heads if is_prunable(each, rights, used, tagged_too=query.unused)]
        if query.dry_run:
            ids = _chains(meant, every, heads)
            names = [name for each in meant for name in _names(each, rights)]
            return m.Pruned(dry_run=True, images=tuple(names), freed_bytes=freed_bytes(ids, every))
        gone: list[str] = []
        deleted: list[str] = []
        for each in meant:
            targets = rights.own_tags(each) or [str(each["Id"])]
            steps = [step for target in targets for step in await self._deleted(target)]
            if steps:
                gone += _names(each, rights)
                deleted += [step["Deleted"] for step in steps if "Deleted" in step]
        if gone:
            await self._record(ask, gone)
        return m.Pruned(dry_run=False, images=tuple(gone), freed_bytes=freed_bytes(deleted, every))

    async def _known(self, ask: Ask) -> tuple[Caller, ImageRights, OwnImages]:
        requester = ask.requester

        def read(platform: Platform) -> tuple[Caller, ImageRights]:
            try:
                caller = caller_of(platform, requester)
                limits = platform.admission.limits(caller.user, requester.hub_groups)
            except Forbidden:  # root is nobody's account
                caller, limits = Caller(_NO_UID, 0, requester.user, None), Limits()
            return caller, ImageRights(caller.user, limits, platform.images)

        caller, rights = await ask.run(self._api, read)
        door = Door(self._api.platform, self._api.engine, self._api.threads)
        owned = Owned(self._api.engine, self._api.platform.instance)
        return caller, rights, OwnImages(door, owned)

    async def _deleted(self, target: str) -> Sequence[Mapping[str, str]]:
        """What went; what is in use after all stays."""
        try:
            answer = await self._api.engine.ask(
                "DELETE", image_path(target, ""), seconds=_DELETE_SECONDS
            )
            return checked(answer).value or ()
        except DS01Error:
            return ()

    async def _record(self, ask: Ask, gone: Sequence[str]) -> None:
        def write(platform: Platform) -> None:
            platform.audit.write(
                "image.delete",
                user=ask.requester.user,
                resource="unused",
                interface=Interface.API.value,
                details={"deleted": len(gone)},
            )

        await ask.run(self._api, write)

    def _users(self, caller: Caller, using: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        owned = Owned(self._api.engine, self._api.platform.instance)
        mine = [each for each in using if owned.is_own(each.get("Labels") or {}, caller)]
        return tuple(
            sorted(
                name_of(each.get("Labels") or {}, str((each.get("Names") or ["?"])[0]).lstrip("/"))
                for each in mine
            )
        )


def image_options(
    catalogue: Catalogue,
    fetchable: frozenset[str],
    listed: Sequence[Mapping[str, Any]],
    largest_bytes: int | None = None,
) -> m.ImageOptions:
    """What wizards may offer.

    Args:
        catalogue: What images are made of here.
        fetchable: Which of its bases a build may fetch.
        listed: What the engine has, as `GET /images/json` shows it.
        largest_bytes: How large an image may be; `None` is unlimited.
    """
    by_tag = {tag: each for each in listed for tag in each.get("RepoTags") or ()}
    bases = [
        m.BaseOption(
            reference=each,
            present=each in by_tag,
            fetchable=each in fetchable,
            size_bytes=int(by_tag[each].get("Size") or 0) if each in by_tag else None,
        )
        for each in catalogue.bases()
    ]
    return m.ImageOptions(
        frameworks=tuple(m.FrameworkOption(**asdict(each)) for each in catalogue.frameworks),
        jupyter=catalogue.jupyter,
        data_science=catalogue.data_science,
        use_cases=tuple(
            m.UseCaseOption(
                key=each.key,
                title=each.title,
                description=each.description,
                packages=each.packages,
                apt=each.apt,
                of_family=dict(each.of_family),
            )
            for each in catalogue.use_cases
        ),
        tools=catalogue.tools,
        notices_from=catalogue.notices_from,
        host_settings=catalogue.host_settings,
        bases=tuple(bases),
        largest_bytes=largest_bytes,
    )


def _absent(key: str, reference: str, title: str, description: str) -> m.ImageDetail:
    """What may be started, and is fetched then."""
    return m.ImageDetail(
        reference=reference,
        key=key,
        title=title,
        description=description,
        own=False,
        present=False,
        layers=(),
        recipe=None,
        labels={},
        used_by=(),
    )


def _layer(step: Mapping[str, Any]) -> m.ImageLayer:
    made = step.get("Created")
    text = " ".join(str(step.get("CreatedBy") or "").split())
    return m.ImageLayer(
        created_by=text[:_LONGEST_INSTRUCTION],
        size_bytes=int(step.get("Size") or 0),
        created_at=datetime.fromtimestamp(made, UTC) if isinstance(made, int) and made else None,
    )


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _shown_labels(marks: Mapping[str, str]) -> dict[str, str]:
    """Those that people gave it."""
    return {key: text for key, text in marks.items() if not key.startswith(RESERVED_LABELS)}


def _names(image: Mapping[str, Any], rights: ImageRights) -> list[str]:
    own = [shown_image(each, rights.user) for each in rights.own_tags(image)]
    return own or [str(image["Id"]).removeprefix("sha256:")[:_SHORT_ID]]


def _chains(
    meant: Sequence[Mapping[str, Any]],
    every: Sequence[Mapping[str, Any]],
    heads: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Ids of images that would go, and of the unnamed steps below them that nothing else needs."""
    by_id = {str(each["Id"]): each for each in every}
    going = {str(each["Id"]) for each in meant}
    kept = {str(each["Id"]) for each in heads} - going
    needed: set[str] = set()
    for head in kept:
        step = head
        while step in by_id and step not in needed:
            needed.add(step)
            step = str(by_id[step].get("ParentId") or "")
    found: list[str] = []
    for head in going:
        step = head
        while step in by_id and step not in needed and step not in found:
            found.append(step)
            step = str(by_id[step].get("ParentId") or "")
    return found
