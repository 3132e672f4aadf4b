"""The bound on a person's images, for images as the engine tells of them. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ds01_spawner.domain.image_size import ImageSizeLimit, ImageTooLarge

_NO_INSTRUCTION = "/bin/sh -c #(nop) "
_SHELL = "/bin/sh -c "
_COMMAND = re.compile(r"The command '.*' returned a non-zero code: (\d+)", re.DOTALL)
_LONGEST_REASON = 1000


class SizeLimit(ImageSizeLimit):
    """The bound of one person."""

    __slots__ = ()

    def refusal(
        self,
        size_bytes: int,
        history: Sequence[Mapping[str, Any]] = (),
        *,
        going_on: tuple[str, int] | None = None,
    ) -> ImageTooLarge:
        """What is said of an image that it does not allow.

        Args:
            size_bytes: How large it is, with all that it stands on.
            history: Its steps, as `GET /images/{id}/history` lists them.
            going_on: The step that is not among them yet, and the bytes that it has written.
        """
        steps = [
            (instruction(str(step.get("CreatedBy") or "")), int(step.get("Size") or 0))
            for step in history
        ]
        if going_on is not None:
            steps.append(going_on)
        return self.too_large(size_bytes, steps)


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
