"""What the API answers, in words that every way in says alike. Pure."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ds01_spawner.domain import page_words
from ds01_spawner.domain.gpu import FULL_PROFILE
from ds01_spawner.domain.wording import about

if TYPE_CHECKING:
    from ds01_spawner.client.models import Container, Place, Removed, ServerSize

_STATES = {"exited": "stopped", "created": "not started yet", "dead": "broken"}


def state_words(state: str) -> str:
    """A container's state as people say it: `running`, `stopped`, `not started yet`."""
    return _STATES.get(state, state)


def gpu_words(container: "Container | Removed") -> str:
    """`, with GPU slot 0:1 (2g.10gb)`; empty without any."""
    slots: tuple[str, ...] = getattr(container, "gpu_slots", ())
    if not slots:
        return ""
    profiles: tuple[str, ...] = getattr(container, "gpu_profiles", ())
    sizes = ["a whole GPU" if each == FULL_PROFILE else each for each in profiles]
    if len(sizes) != len(slots):
        sizes = [""] * len(slots)
    shown = [f"{slot} ({size})" if size else slot for slot, size in zip(slots, sizes, strict=True)]
    return f", with GPU slot{'s' * (len(slots) > 1)} {', '.join(shown)}"


def place_words(place: "Place") -> str:
    """`Waiting for a MIG slot: you are number 2 of 3. All are in use.`."""
    if place.place == 0:
        return f"Your turn: you get {place.gpu}."
    where = f"you are number {place.place} of {place.length}"
    if place.length <= 1:
        where = "you are the next"
    reason = f" {place.reason}" if place.reason else ""
    expected = ""
    if place.expected_seconds is not None:
        expected = f" Expected wait: {about(timedelta(seconds=place.expected_seconds))}."
    return f"Waiting for {place.gpu}: {where}.{reason}{expected}"


def wait_words(size: "ServerSize") -> str:
    """How long one waits for GPUs of a size: `none for 1, about 1 hour for 2`; empty for none."""
    return page_words.waits(
        [None if each is None else timedelta(seconds=each) for each in size.waits]
    )
