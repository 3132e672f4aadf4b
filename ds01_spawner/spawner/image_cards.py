"""The images that a person may start, as the form shows them: the lab's, then their own. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.wording import clean, size
from ds01_spawner.policy.image_references import canonical_reference, own_repository
from ds01_spawner.policy.images import ImageCatalogue
from ds01_spawner.ports import LocalImage

LAB = "From the lab"
OWN = "Built by you"
_USUAL_TAG = ":latest"


@dataclass(frozen=True, slots=True)
class ImageCard:
    """One image.

    Attributes:
        value: What is sent.
        title: What people read.
        origin: Whose it is, in words.
        description: What is in it.
        facts: Size and age; or that it is not here yet.
        own: Whether the person built it.
        gpu_recommended: Whether a GPU is proposed with it.
        selected: Whether it is proposed.
        is_last: Whether it is what they chose last time.
    """

    value: str
    title: str
    origin: str
    description: str = ""
    facts: str = ""
    own: bool = False
    gpu_recommended: bool = False
    selected: bool = False
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is on this machine.

    Attributes:
        images: By reference; `None` where the engine does not tell.
        now: When it was read.
    """

    images: Mapping[str, LocalImage] | None
    now: datetime


def image_cards(
    catalogue: ImageCatalogue, group: str | None, user: str, shelf: Shelf, last: str
) -> tuple[ImageCard, ...]:
    """The cards, with one proposed: the last choice, which comes first, else the catalogue's.

    Args:
        catalogue: Of this installation.
        group: The person's policy group.
        user: The person.
        shelf: What is on this machine.
        last: What they chose last time; not trusted.
    """
    offered = catalogue.offered_to(group)
    cards = [
        ImageCard(
            value=key,
            title=entry.title,
            origin=LAB,
            description=entry.description,
            facts=_facts(entry.reference, shelf),
            gpu_recommended=entry.gpu_recommended,
        )
        for key, entry in offered.items()
    ]
    if catalogue.allow_own_images:
        cards += _own(user, shelf)
    chosen = _known_as(catalogue, last)
    default = catalogue.default_for(group)
    usual = next((key for key, entry in offered.items() if entry is default), "")
    values = [card.value for card in cards]
    proposed = next((each for each in (chosen, usual, *values) if each in values), "")
    found = (
        replace(
            card,
            selected=card.value == proposed,
            is_last=card.value == proposed == chosen,
        )
        for card in cards
    )
    return tuple(sorted(found, key=lambda card: not card.is_last))


def _own(user: str, shelf: Shelf) -> Iterable[ImageCard]:
    namespace = f"{own_repository(user)}/"
    for reference in sorted(shelf.images or ()):
        if reference.startswith(namespace):
            title = reference.removeprefix(namespace).removesuffix(_USUAL_TAG)
            yield ImageCard(reference, clean(title), OWN, facts=_facts(reference, shelf), own=True)


def _facts(reference: str, shelf: Shelf) -> str:
    if shelf.images is None:
        return ""
    found = shelf.images.get(reference)
    if found is None:
        return "Not fetched yet: its first start takes some minutes longer."
    built = "" if found.created_at is None else wording.age(shelf.now - found.created_at)
    return ", ".join(each for each in (size(found.size_bytes), built) if each)


def _known_as(catalogue: ImageCatalogue, last: str) -> str:
    """The value of the card that was chosen, however it was spelt; empty where it is none."""
    entry = catalogue.entry(last)
    if entry is not None:
        return next(key for key, each in catalogue.images.items() if each is entry)
    try:
        return canonical_reference(last)
    except ValueError:
        return ""
