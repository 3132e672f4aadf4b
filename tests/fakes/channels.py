"""Channels in memory."""

from collections.abc import Callable, Sequence

from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.domain.notice import Notice, NoticeKind


class FakeChannels:
    """The `Channels` port.

    Attributes:
        kinds: The notices that go through each channel, by its name.
        sent: (channel, notice) of everything accepted, oldest first.
        tried: (channel, notice) of everything asked for, accepted or not.
        down: Channels that accept nothing.
        unknown: People without an address.
        shared: Channels that need nobody's address.
        meanwhile: Called while something is being sent.
    """

    def __init__(self, *names: str) -> None:
        self.kinds: dict[str, frozenset[NoticeKind]] = dict.fromkeys(names, frozenset(NoticeKind))
        self.sent: list[tuple[str, Notice]] = []
        self.tried: list[tuple[str, Notice]] = []
        self.down: set[str] = set()
        self.unknown: set[str] = set()
        self.shared: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    def names(self, kind: NoticeKind) -> Sequence[str]:
        return [name for name, kinds in self.kinds.items() if kind in kinds]

    def send(self, channel: str, notice: Notice) -> None:
        self.tried.append((channel, notice))
        self.meanwhile()
        if channel not in self.kinds:
            raise NotFound(f"There is no channel {channel}.")
        if notice.user in self.unknown and channel not in self.shared:
            raise NotFound(f"{notice.user} has no address for the channel {channel}.")
        if channel in self.down:
            raise Unavailable(f"The channel {channel} did not take it: connection refused.")
        self.sent.append((channel, notice))
