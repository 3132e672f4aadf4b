"""What each of a container's slots counts of a whole GPU. Pure."""

from collections.abc import Collection, Mapping

from ds01_spawner.domain.gpu import Slot

_DIGITS = 4
"""As labels tell it."""


def share_of(
    uuid: str, uuids: Collection[str], together: float, slots: Mapping[str, Slot]
) -> float:
    """A slot's share: as it is, else an equal part of what the others that are known leave.

    Args:
        uuid: The slot's device.
        uuids: Of all slots of the container.
        together: What they are said to count.
        slots: Those that there are, by device.
    """
    if uuid in slots:
        return round(slots[uuid].equivalents, _DIGITS)
    known = [slots[each].equivalents for each in uuids if each in slots]
    return max(together - sum(known), 0.0) / max(len(uuids) - len(known), 1)
