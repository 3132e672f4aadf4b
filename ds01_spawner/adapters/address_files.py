"""People's own addresses for notices: each `addresses_file` of `notifications.yaml`."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ds01_spawner.adapters.channels import NOTIFICATIONS_FILE
from ds01_spawner.adapters.text_files import put_text, read_text
from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.policy.addresses import with_address, without_address
from ds01_spawner.policy.notifications import parse_addresses, parse_notifications
from ds01_spawner.ports.people import AddressChannel

_NEW_MODE = 0o640


@dataclass(frozen=True, slots=True)
class _Kept:
    """A channel, and the file of its addresses."""

    channel: AddressChannel
    file: Path


class AddressFiles:
    """The `Addresses` port.

    Args:
        directory: Where `notifications.yaml` is, if there is one.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NOTIFICATIONS_FILE

    def channels(self) -> Sequence[AddressChannel]:
        """The channels with an `addresses_file`, one that does not exist yet too."""
        return tuple(each.channel for each in self._kept())

    def of(self, user: str) -> Mapping[str, str]:
        """A person's own addresses by channel."""
        found = {each.channel.name: _addresses(each.file).get(user) for each in self._kept()}
        return {channel: address for channel, address in found.items() if address is not None}

    def put(self, user: str, channel: str, address: str) -> None:
        """Write a person's address down."""
        place = next((each.file for each in self._kept() if each.channel.name == channel), None)
        if place is None:
            raise NotFound(f"No channel {channel} of {self._path} keeps addresses.")
        self._edit(place, lambda text: with_address(text, str(place), user, address))

    def remove(self, user: str) -> None:
        """Forget a person's addresses in every channel."""
        for place in dict.fromkeys(each.file for each in self._kept()):
            if user in _addresses(place):
                self._edit(place, partial(without_address, path=str(place), user=user))

    def _kept(self) -> list[_Kept]:
        if not self._path.exists():
            return []
        found = []
        for name, entry in parse_notifications(
            read_text(self._path), str(self._path)
        ).entries.items():
            if entry.addresses_file is None:
                continue
            url = "" if entry.url is None else entry.url.get_secret_value()
            if entry.url_file is not None:
                url = read_text(self._path.parent / entry.url_file)
            scheme = url.strip().partition("://")[0].lower()
            file = self._path.parent / entry.addresses_file
            found.append(_Kept(AddressChannel(name, scheme), file))
        return found

    def _edit(self, place: Path, change: Callable[[str], str]) -> None:
        with self._alone():
            before = read_text(place) if place.exists() else ""
            after = change(before)
            if after == before:
                return
            try:
                put_text(place, after, _NEW_MODE)
            except OSError as exc:
                raise Unavailable(f"{place} cannot be written: {exc.strerror}.") from exc

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _addresses(file: Path) -> Mapping[str, str]:
    return parse_addresses(read_text(file), str(file)) if file.exists() else {}
