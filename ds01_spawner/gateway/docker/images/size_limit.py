"""How large an image of a person's may be, and what is said of one that is larger. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.domain.wording import clean
from ds01_spawner.gateway.docker.options.limits import amount_in_words

KEY = "max_image_size"
_MOST_STEPS = 3
_LONGEST_STEP = 70
_NO_INSTRUCTION = "/bin/sh -c #(nop) "
_SHELL = "/bin/sh -c "
_COMMAND = re.compile(r"The command '.*' returned a non-zero code: (\d+)", re.DOTALL)
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class SizeLimit:
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

    def refusal(
        self,
        size_bytes: int,
        history: Sequence[Mapping[str, Any]] = (),
        *,
        going_on: tuple[str, int] | None = None,
    ) -> "ImageTooLarge":
        """What is said of an image that it does not allow.

        Args:
            size_bytes: How large it is, with all that it stands on.
            history: Its steps, as `GET /images/{id}/history` lists them.
            going_on: The step that is not among them yet, and the bytes that it has written.
        """
        allowed = self.largest_bytes or 0
        steps = [
            (instruction(str(step.get("CreatedBy") or "")), int(step.get("Size") or 0))
            for step in history
        ]
        if going_on is not None:
            steps.append(going_on)
        largest = sorted((step for step in steps if step[1]), key=lambda step: -step[1])
        said = "; ".join(
            f"{amount_in_words(written)} {clean(text, _LONGEST_STEP)}"
            for text, written in largest[:_MOST_STEPS]
        )
        summary = (
            f"The image has {amount_in_words(size_bytes)}; one of yours may have "
            f"{amount_in_words(allowed)} ({KEY}, {self.where})."
        )
        return ImageTooLarge(
            summary + (f" Its largest steps: {said}." if said else ""),
            "Leave out what it need not hold: data belongs into folders, and what a step fetches "
            "and no longer needs it must delete itself. Or ask your administrator for more.",
            asked=size_bytes,
            allowed=allowed,
            summary=summary,
        )


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


def logged_failure(text: str) -> str:
    """What the log says of a failure that the builder told: no command either."""
    return _COMMAND.sub(r"A step returned a non-zero code: \1", text)[:_LONGEST_REASON]


def instruction(created_by: str) -> str:
    """A step as a Dockerfile says it, as far as the engine tells."""
    text = " ".join(created_by.split())
    if text.startswith(_NO_INSTRUCTION):
        return text.removeprefix(_NO_INSTRUCTION).strip()
    if _SHELL in text:  # build arguments precede it: |1 NAME=value /bin/sh -c …
        return f"RUN {text.partition(_SHELL)[2]}"
    return text or "an imported archive"
