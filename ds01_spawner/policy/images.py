"""`images.yaml`: the images that people may start, and the rule for images of their own."""

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import user_slug
from ds01_spawner.policy.document import Section, load_document
from ds01_spawner.policy.values import Flag

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
_OWN_PREFIX = "ds01-"
_LONGEST_REFERENCE = 512


def canonical_reference(text: str) -> str:
    """`text` with its tag, and without the registry that everybody means.

    `docker.io/library/python` and `python:latest` become the same.

    Raises:
        ValueError: It is not an image reference.
    """
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST_REFERENCE else None
    if match is None:
        shown = text if len(text) <= _LONGEST_REFERENCE else f"{text[:_LONGEST_REFERENCE]}…"
        raise ValueError(f"{shown!r} is not an image reference such as ds01/starter:latest")
    repository = match["repository"].removeprefix("docker.io/").removeprefix("library/")
    digest = match["digest"] or ""
    tag = match["tag"] or ("" if digest else "latest")
    return f"{repository}{tag and ':'}{tag}{digest}"


def own_repository(user: str) -> str:
    """The namespace of a person's own images: `ds01-alice`. Nobody else's starts with it."""
    return f"{_OWN_PREFIX}{user_slug(user)}"


def _catalogued(text: str) -> str:
    reference = canonical_reference(text)
    if reference.startswith(_OWN_PREFIX) and "/" in reference:
        raise ValueError(
            f"{text!r} is in a person's own namespace ({_OWN_PREFIX}…/): that person could replace "
            "it for everybody; tag it as ds01/… instead"
        )
    return reference


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"expected lower-case letters, digits and hyphens; found {text!r}")
    return text


class ImageEntry(Section):
    """One image of the catalogue."""

    reference: Annotated[str, AfterValidator(_catalogued)] = Field(
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
        if reference.startswith(f"{own_repository(user)}/"):
            if self.allow_own_images:
                return reference
            raise Forbidden(
                "Images of one's own cannot be started here.", self._alternatives(group)
            )
        if reference.startswith(_OWN_PREFIX) and "/" in reference:
            raise Forbidden(
                f"The image {reference} belongs to somebody else.", self._alternatives(group)
            )
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
