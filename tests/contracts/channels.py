"""What every `Channels` does, the fake and the real one."""

from collections.abc import Callable

import pytest

from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.ports import Channels
from fakes.clock import EPOCH

NOTICE = Notice("n1", "alice", NoticeKind.STOPPED, EPOCH, "It stopped.", "It stopped.\n\nWhy.")
STRANGER = Notice("n2", "bob", NoticeKind.STOPPED, EPOCH, "It stopped.", "It stopped.\n\nWhy.")


class ChannelsContract:
    """Inherit, and give the fixtures `channels`, `arrived` and `break_down`.

    There are `every` (for all kinds, alice alone has an address) and `stops` (for stops alone,
    the same place for everybody).
    """

    def test_a_kind_goes_through_the_channels_that_are_for_it(self, channels: Channels) -> None:
        assert list(channels.names(NoticeKind.STOPPED)) == ["every", "stops"]
        assert list(channels.names(NoticeKind.STORAGE)) == ["every"]

    def test_what_is_accepted_has_arrived(
        self, channels: Channels, arrived: Callable[[], int]
    ) -> None:
        channels.send("every", NOTICE)
        channels.send("stops", NOTICE)
        assert arrived() == 2

    def test_there_is_no_use_in_trying_a_channel_again_that_is_not_there(
        self, channels: Channels
    ) -> None:
        with pytest.raises(NotFound, match="other"):
            channels.send("other", NOTICE)

    def test_there_is_no_use_in_trying_somebody_again_who_has_no_address(
        self, channels: Channels, arrived: Callable[[], int]
    ) -> None:
        with pytest.raises(NotFound, match="bob has no address for the channel every"):
            channels.send("every", STRANGER)
        assert arrived() == 0

    def test_what_is_not_accepted_may_be_tried_again(
        self,
        channels: Channels,
        arrived: Callable[[], int],
        break_down: Callable[[bool], None],
    ) -> None:
        break_down(True)
        with pytest.raises(Unavailable, match="The channel every did not take it"):
            channels.send("every", NOTICE)
        before = arrived()
        break_down(False)
        channels.send("every", NOTICE)
        assert arrived() == before + 1
