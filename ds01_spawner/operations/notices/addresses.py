"""Which channel an address for notices is for."""

from collections.abc import Sequence

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.policy.notifications import is_address
from ds01_spawner.ports.people import AddressChannel

_MAIL = frozenset({"mailto", "mailtos"})


def channel_of(text: str, channels: Sequence[AddressChannel]) -> tuple[str, str]:
    """The channel and the address that `mail:alice@uni.example`, `mailto:…` or an address means.

    Raises:
        InvalidRequest: No channel keeps addresses, or it is not clear which one is meant.
    """
    names = [each.name for each in channels]
    if not names:
        raise InvalidRequest(
            "notifications.yaml has no channel that keeps people's own addresses.",
            "Add to a channel: addresses_file: addresses.yaml",
        )
    prefix, colon, rest = text.partition(":")
    if colon and prefix.lower() in _MAIL:
        fitting, address = [each.name for each in channels if each.scheme in _MAIL], rest
    elif colon and prefix in names:
        fitting, address = [prefix], rest
    else:
        fitting, address = names, text
    if len(fitting) != 1:
        which = ", ".join(f"{name}:ADDRESS" for name in names)
        raise InvalidRequest(f"No one channel is meant by {text!r}.", f"Write one of {which}.")
    if not is_address(address):
        raise InvalidRequest(f"{address!r} is not one address.", "Such as alice@uni.example.")
    return fitting[0], address
