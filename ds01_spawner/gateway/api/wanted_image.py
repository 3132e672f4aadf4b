"""The image that somebody asks for through the API: found here, or to be fetched."""

from dataclasses import dataclass

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Forbidden, NotFound
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.api.ask import Api, Ask
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.identity import Caller


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image.

    Attributes:
        reference: The engine's.
        present: Whether it is here; else it may be fetched.
    """

    reference: str
    present: bool


class WantedImage:
    """Finds images by what people call them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def find(self, ask: Ask, caller: Caller, text: str | None) -> FoundImage:
        """The image, by its key in the catalogue, a name of one's own, or a reference.

        Raises:
            NotFound: There is none, or it is not for them.
            Forbidden: It may not be started by them.
            InvalidRequest: It is no reference.
        """
        user, hub_groups = caller.user, ask.requester.hub_groups

        def by_key(platform: Platform) -> str | None:
            group = platform.admission.limits(user, hub_groups).group
            if text is None:
                entry = platform.images.default_for(group)
                if entry is None:
                    raise Forbidden("No image is offered to you.", "Ask your administrator.")
                return entry.reference
            offered = platform.images.offered_to(group).get(text)
            return offered.reference if offered else None

        def by_name(platform: Platform) -> str:
            group = platform.admission.limits(user, hub_groups).group
            reference = platform.images.resolve(user, group, text or "")
            if not platform.admission.rules.may_pull(reference):
                raise NotFound(f"You have no image called {shown(text)}.", "See: ds01 image list.")
            return reference

        key = await ask.run(self._api, by_key)
        door = Door(self._api.platform, self._api.engine, self._api.threads)
        own = OwnImages(door, Owned(self._api.engine, self._api.platform.instance))
        try:
            found, _ = await own.image(caller, key or text or "")
        except NotFound:
            reference = key if key is not None else await ask.run(self._api, by_name)
            return FoundImage(reference, present=False)
        return FoundImage(found, present=True)
