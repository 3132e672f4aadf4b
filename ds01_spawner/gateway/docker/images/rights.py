"""Which images a person may see, and start. Pure.

One's own are those tagged in one's namespace, and untagged ones that carry one's mark. Shared are
those that the catalogue offers, and what the allow-list lets people fetch. All others do not exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import user_slug
from ds01_spawner.gateway.docker.reading.image_names import is_untagged, shown_image
from ds01_spawner.policy.images import ImageCatalogue


@dataclass(frozen=True, slots=True)
class ImageRights:
    """What one person may use.

    Attributes:
        user: The person.
        limits: Their limits.
        catalogue: The images of this installation.
    """

    user: str
    limits: Limits
    catalogue: ImageCatalogue

    def is_own(self, reference: str) -> bool:
        """Whether a canonical reference is in the person's namespace."""
        return self.catalogue.is_own(self.user, reference)

    def is_shared(self, reference: str) -> bool:
        """Whether a canonical reference is everybody's, and this person's too."""
        return self.catalogue.is_shared_with(self.limits.group, reference)

    def may_see(self, reference: str) -> bool:
        """Whether what has this reference is the person's, or shared with them."""
        return self.is_own(reference) or self.is_shared(reference)

    def seen(self, references: Sequence[str] | None) -> list[str]:
        """Those of the engine's references that the person may see, in the engine's words."""
        return [each for each in tagged(references) if self.may_see(each)]

    def shown(self, references: Sequence[str] | None) -> list[str]:
        """The same in the person's words."""
        return [shown_image(each, self.user) for each in self.seen(references)]

    def sees(self, image: Mapping[str, Any]) -> bool:
        """Whether the person may see an image, as listed or inspected, by what it says of itself.

        That a container of theirs uses it is for others to find out.
        """
        references = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
        return bool(self.seen(references)) or self.is_own_untagged(image)

    def is_own_untagged(self, image: Mapping[str, Any]) -> bool:
        """Whether the person made it, and nobody calls it anything."""
        if tagged(image.get("RepoTags")) or tagged(image.get("RepoDigests")):
            return False
        return labels_of(image).get(IMAGE_OWNER) == user_slug(self.user)

    def is_unchecked(self, image: Mapping[str, Any]) -> bool:
        """Whether nobody may have looked at its size: nobody calls it anything, nor is it shared.

        Such are steps of a build that failed, and what is being committed or imported.
        """
        return not tagged(image.get("RepoTags")) and not self.seen(image.get("RepoDigests"))

    def own_tags(self, image: Mapping[str, Any]) -> list[str]:
        """The person's own references of an image, in the engine's words."""
        return [each for each in tagged(image.get("RepoTags")) if self.is_own(each)]

    def start_reference(self, image: Mapping[str, Any]) -> str | None:
        """What to call an image when a container is made of it; `None`: it may not be started."""
        seen = self.seen([*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())])
        if seen:
            return min(seen, key=lambda each: not self.is_own(each))
        return str(image["Id"]) if self.is_own_untagged(image) else None


def tagged(references: Sequence[str] | None) -> list[str]:
    """References without Docker's `<none>:<none>`."""
    return [each for each in references or () if not is_untagged(each)]


def labels_of(image: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of an image, as listed or inspected."""
    return image.get("Labels") or (image.get("Config") or {}).get("Labels") or {}
