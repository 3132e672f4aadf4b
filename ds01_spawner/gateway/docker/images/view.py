"""Images as a person sees them: lists, filters, and their own names instead of the engine's. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageList
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.images.rights import ImageRights, labels_of, tagged
from ds01_spawner.gateway.docker.reading.filters import Filters, has_label
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.policy.image_references import split_reference, without_namespace

_KNOWN = frozenset({"before", "dangling", "label", "reference", "since", "until"})
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})
_UNTAGGED = ["<none>:<none>"]
_UNTAGGED_DIGEST = ["<none>@<none>"]


@dataclass(frozen=True, slots=True)
class ImageFilters:
    """The filters of a list of images.

    Attributes:
        dangling: Only those without a tag, or only those with one; `None`: both.
        labels: Each must be there.
        references: One of these patterns must match a name.
        before: Made before this moment, in seconds.
        since: Made after this moment, in seconds.
    """

    dangling: bool | None = None
    labels: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    before: float | None = None
    since: float | None = None

    def view(self, entry: Mapping[str, Any], rights: ImageRights) -> dict[str, Any] | None:
        """An entry of the engine's list as the person sees it; `None`: not at all."""
        if not rights.sees(entry):
            return None
        tags, digests = rights.shown(entry.get("RepoTags")), rights.shown(entry.get("RepoDigests"))
        if self.references:
            tags = [each for each in tags if self._is_named(each)]
            digests = [each for each in digests if self._is_named(each)]
        is_named = bool(tags or digests)
        if (self.references and not is_named) or self.dangling is is_named:
            return None
        if not self._is_meant(entry):
            return None
        return {
            **entry,
            "RepoTags": tags or _UNTAGGED,
            "RepoDigests": digests or (_UNTAGGED_DIGEST if not tags else []),
        }

    def _is_meant(self, entry: Mapping[str, Any]) -> bool:
        made = float(entry.get("Created") or 0)
        return (
            all(has_label(labels_of(entry), label) for label in self.labels)
            and (self.before is None or made < self.before)
            and (self.since is None or made > self.since)
        )

    def _is_named(self, reference: str) -> bool:
        name, _rest = split_reference(reference)
        return any(_is_like(reference, each) or _is_like(name, each) for each in self.references)


def image_filters(
    filters: Filters, moments: Mapping[str, float], until: datetime | None = None
) -> ImageFilters:
    """The filters that a client asks for.

    Args:
        filters: What it sent.
        moments: When the images of `before` and `since` were made, by what they were called.
        until: The moment of `until`.

    Raises:
        InvalidRequest: One is not known, or says nothing that can be understood.
    """
    unknown = filters.keys() - _KNOWN
    if unknown:
        raise InvalidRequest(f"Invalid filter {shown(min(unknown))}")
    befores = [moments[each] for each in filters.get("before", ())]
    if until is not None:
        befores.append(until.timestamp())
    return ImageFilters(
        dangling=_flag(filters.get("dangling", ())),
        labels=tuple(filters.get("label", ())),
        references=tuple(filters.get("reference", ())),
        before=min(befores, default=None),
        since=max((moments[each] for each in filters.get("since", ())), default=None),
    )


def inspected_image(image: Mapping[str, Any], rights: ImageRights) -> dict[str, Any]:
    """`GET /images/{ref}/json`.

    Engines from 25 on leave `ContainerConfig` out; docker-compose 1.29 looks there for an image's
    volumes whenever it makes a container anew, and fails without it.
    """
    volumes = (image.get("Config") or {}).get("Volumes")
    seen = {"ContainerConfig": {"Volumes": volumes}, **image}
    for key in ("RepoTags", "RepoDigests"):
        seen[key] = rights.shown(image.get(key))
    return seen


def image_history(layers: Sequence[Mapping[str, Any]], rights: ImageRights) -> list[dict[str, Any]]:
    """`GET /images/{ref}/history`."""
    return [{**each, "Tags": rights.shown(each.get("Tags")) or None} for each in layers]


def removed_images(steps: Sequence[Mapping[str, str]], user: str) -> list[dict[str, str]]:
    """The answer to a removal."""
    return [{key: shown_image(text, user) for key, text in each.items()} for each in steps]


def in_own_words(value: Any, user: str) -> Any:
    """An error of the engine's without the person's namespace; anything else as it is."""
    if isinstance(value, Mapping) and isinstance(value.get("message"), str):
        return {**value, "message": without_namespace(value["message"], user)}
    return value


def freed_bytes(deleted: Sequence[str], every: Sequence[Mapping[str, Any]]) -> int:
    """What the removal of these ids gave back, as far as it can be known from a list of all."""
    sizes = {str(each["Id"]): int(each.get("Size") or 0) for each in every}
    parents = {str(each["Id"]): str(each.get("ParentId") or "") for each in every}
    return sum(
        max(0, sizes[each] - sizes.get(parents[each], 0)) for each in deleted if each in sizes
    )


def is_prunable(
    entry: Mapping[str, Any], rights: ImageRights, used: frozenset[str], *, tagged_too: bool
) -> bool:
    """Whether an image is the person's alone and nothing uses it.

    Args:
        entry: Of the engine's list.
        rights: The person's.
        used: Ids of the images of all containers, whosever.
        tagged_too: Whether those with a tag count.
    """
    if entry["Id"] in used:
        return False
    if rights.is_own_untagged(entry):
        return True
    return tagged_too and bool(rights.own_tags(entry)) and bool(tagged(entry.get("RepoTags")))


def _flag(values: Sequence[str]) -> bool | None:
    if not values:
        return None
    text = values[0].lower()
    if len(values) > 1 or text not in _TRUE | _FALSE:
        raise InvalidRequest("Invalid filter 'dangling': it is true or false")
    return text in _TRUE


def _is_like(reference: str, pattern: str) -> bool:
    """Go's path.Match: `*` stays within a component; fnmatch takes no time to say no."""
    parts, wanted = reference.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
