"""`images.yaml`: the images that people may start, and the rule for images of their own."""

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.policy.document import Section, load_document
from ds01_spawner.policy.image_building import BuildSection, Reference
from ds01_spawner.policy.image_references import (
    canonical_reference,
    check_pattern,
    full_repository,
    is_somebodys,
    matches,
    own_repository,
)
from ds01_spawner.policy.values import Flag

__all__ = [
    "ImageCatalogue",
    "ImageEntry",
    "canonical_reference",
    "own_repository",
    "parse_images",
]

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"expected lower-case letters, digits and hyphens; found {text!r}")
    return text


class ImageEntry(Section):
    """One image of the catalogue."""

    reference: Reference = Field(
        description="What the engine calls it.", examples=["ds01/starter:latest"]
    )
    title: str = Field(min_length=1, max_length=60, description="What people read in the form.")
    description: str = Field(default="", max_length=300, description="What is in it.")
    gpu_recommended: Flag = Field(
        default=False, description="Whether the form proposes a GPU with it."
    )
    groups: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Policy groups that may start it; absent: everybody.",
    )

    def offered_to(self, group: str | None) -> bool:
        """Whether people of this policy group may start it."""
        return self.groups is None or group in self.groups


class ImageCatalogue(Section):
    """The whole file."""

    images: dict[Annotated[str, AfterValidator(_key)], ImageEntry] = Field(
        min_length=1, description="Images by a short name, in the order of the form."
    )
    default: str = Field(description="The image that the form proposes: a key of `images`.")
    allow_own_images: Flag = Field(
        default=True,
        description="Whether people may start images they built: ds01-<user>/<name>:<tag>.",
    )
    pull_allowed: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = Field(
        default=(),
        description="Repositories that people may fetch images from, with their registry; * is one "
        "whole component. What is fetched is everybody's.",
        examples=[["docker.io/library/*", "nvcr.io/nvidia/*"]],
    )
    build: BuildSection = Field(
        default_factory=BuildSection,
        description="What people are offered to make images of.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default not in self.images:
            raise ValueError(
                f"default: {self.default!r} is no key of images ({', '.join(self.images)})"
            )
        references = [entry.reference for entry in self.images.values()]
        twice = {reference for reference in references if references.count(reference) > 1}
        if twice:
            raise ValueError(f"images: {', '.join(sorted(twice))} is listed more than once")
        return self

    def entry(self, reference_or_key: str) -> ImageEntry | None:
        """The catalogue's entry for a key or a reference in any spelling, or `None`."""
        if reference_or_key in self.images:
            return self.images[reference_or_key]
        try:
            wanted = canonical_reference(reference_or_key)
        except ValueError:
            return None
        return next((each for each in self.images.values() if each.reference == wanted), None)

    def offered_to(self, group: str | None) -> dict[str, ImageEntry]:
        """What people of this policy group may start, by key, in the order of the form."""
        return {key: each for key, each in self.images.items() if each.offered_to(group)}

    def default_for(self, group: str | None) -> ImageEntry | None:
        """The image proposed to this policy group, or `None` when nothing is offered to it."""
        offered = self.offered_to(group)
        return offered.get(self.default) or next(iter(offered.values()), None)

    def is_pullable(self, reference: str) -> bool:
        """Whether people may fetch this canonical reference from its registry."""
        return not is_somebodys(reference) and any(
            matches(pattern, reference) for pattern in self.pull_allowed
        )

    def registries(self) -> frozenset[str]:
        """The registries that images may be fetched from: `docker.io`, `registry.lab:5000`."""
        listed = {entry.reference for entry in self.images.values()} | self.build.references()
        named = map(full_repository, listed)
        return frozenset(each.partition("/")[0] for each in (*self.pull_allowed, *named))

    def is_shared_with(self, group: str | None, reference: str) -> bool:
        """Whether people of this group may use what has this canonical reference, if it exists.

        It is in the catalogue for them, or images are built on it, or it could have been fetched
        by one of them.
        """
        entry = self.entry(reference)
        if entry is not None:
            return entry.reference == reference and entry.offered_to(group)
        return self.is_base(reference) or self.is_pullable(reference)

    def is_base(self, reference: str) -> bool:
        """Whether people may build images on what has this canonical reference."""
        return reference in self.build.references()

    def is_own(self, user: str, reference: str) -> bool:
        """Whether a canonical reference is in this person's namespace."""
        return reference.startswith(f"{own_repository(user)}/")

    def pull_choices(self) -> str:
        """What may be fetched, as the second sentence of a refusal."""
        if not self.pull_allowed:
            return "Nothing may be fetched here; ask the administrator for the image."
        return f"You may fetch from {_listed(self.pull_allowed)}."

    def check(self, user: str, group: str | None, reference_or_key: str) -> None:
        """Return when the person may start the image.

        Raises:
            InvalidRequest: It is not an image reference.
            Forbidden: It is neither in the catalogue for this group nor the person's own.
        """
        self.resolve(user, group, reference_or_key)

    def resolve(self, user: str, group: str | None, reference_or_key: str) -> str:
        """The engine's reference for what the person asked to start.

        Raises:
            InvalidRequest: It is not an image reference.
            Forbidden: It is neither in the catalogue for this group nor the person's own.
        """
        entry = self.entry(reference_or_key)
        if entry is not None:
            if entry.offered_to(group):
                return entry.reference
            raise Forbidden(
                f"The image {entry.title} is for {_listed(entry.groups or ())} only.",
                self._alternatives(group),
            )
        try:
            reference = canonical_reference(reference_or_key)
        except ValueError as exc:
            raise InvalidRequest(f"{exc}.", self._alternatives(group)) from exc
        if self.is_own(user, reference):
            if self.allow_own_images:
                return reference
            raise Forbidden(
                "Only images of the catalogue can be started on this server.",
                self._alternatives(group),
            )
        if is_somebodys(reference):
            raise Forbidden(
                f"The image {reference} belongs to somebody else.", self._alternatives(group)
            )
        if self.is_base(reference) or self.is_pullable(reference):
            return reference
        raise Forbidden(
            f"The image {reference} is not in the catalogue.", self._alternatives(group)
        )

    def _alternatives(self, group: str | None) -> str:
        offered = self.offered_to(group)
        if not offered:
            return "Ask the administrator for an image."
        return f"Choose {_listed(offered, last='or')}."


def parse_images(text: str, path: str) -> ImageCatalogue:
    """The catalogue that `text` holds.

    Raises:
        PolicyError: It names file, line, key and what was expected.
    """
    return load_document(text, path, ImageCatalogue)


def _listed(names: Iterable[str], last: str = "and") -> str:
    *rest, final = names
    return f"{', '.join(rest)} {last} {final}" if rest else final
