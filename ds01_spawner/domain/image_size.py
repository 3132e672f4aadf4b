"""How large an image of a person's may be, and what is said of one that is larger. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.domain.units import amount_in_words
from ds01_spawner.domain.wording import clean

KEY = "max_image_size"
LEAVE_OUT = (
    "Leave out what it need not hold: data belongs into folders, and what a step fetches "
    "and no longer needs it must delete itself. Or ask your administrator for more."
)
REMOVE = "Remove it: docker image rm. Or ask your administrator for more."
_MOST_STEPS = 3
_LONGEST_STEP = 70


class ImageTooLarge(QuotaExceeded):
    """An image is larger than its person may have.

    Attributes:
        summary: What happened, without the text of any step.
    """

    def __init__(
        self, message: str, next_step: str, *, asked: int, allowed: int, summary: str
    ) -> None:
        super().__init__(message, next_step, limit=KEY, used=0, asked=asked, allowed=allowed)
        self.summary = summary

    @property
    def logged(self) -> str:
        """No text of a step: it may hold what is its author's alone."""
        return self.summary


@dataclass(frozen=True, slots=True)
class ImageSizeLimit:
    """The bound of one person.

    Attributes:
        largest_bytes: What an image takes at most; `None` is unlimited.
        where: What says so, such as `group student, resource-limits.yaml line 31`.
    """

    largest_bytes: int | None
    where: str = ""

    def allows(self, size_bytes: int) -> bool:
        """Whether an image may be so large."""
        return self.largest_bytes is None or size_bytes <= self.largest_bytes

    def too_large(
        self,
        size_bytes: int,
        steps: Sequence[tuple[str, int]] = (),
        *,
        image: str = "The image",
        next_step: str = LEAVE_OUT,
    ) -> ImageTooLarge:
        """What is said of an image that it does not allow.

        Args:
            size_bytes: How large it is, with all that it stands on.
            steps: What made it, each with the bytes that it wrote.
            image: How a sentence about it begins.
            next_step: What its person can do.
        """
        allowed = self.largest_bytes or 0
        largest = sorted((step for step in steps if step[1]), key=lambda step: -step[1])
        said = "; ".join(
            f"{amount_in_words(written)} {clean(text, _LONGEST_STEP)}"
            for text, written in largest[:_MOST_STEPS]
        )
        origin = f"{KEY}, {self.where}" if self.where else KEY
        summary = (
            f"{image} has {amount_in_words(size_bytes)}; one of yours may have "
            f"{amount_in_words(allowed)} ({origin})."
        )
        return ImageTooLarge(
            summary + (f" Its largest steps: {said}." if said else ""),
            next_step,
            asked=size_bytes,
            allowed=allowed,
            summary=summary,
        )
