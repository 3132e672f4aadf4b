"""A lab, and who asks its API."""

from dataclasses import dataclass

from ds01_spawner.gateway.identity import Caller
from fakes.api_lab import ApiLab
from fakes.api_socket import Peer
from fakes.lab import Lab


@dataclass(frozen=True)
class House:
    """What commands in a test find.

    Attributes:
        api: The lab as its API sees it.
        peer: Whom the kernel names.
    """

    api: ApiLab
    peer: Peer

    @property
    def lab(self) -> Lab:
        """What the API stands on."""
        return self.api.lab

    def asks(self, caller: Caller) -> None:
        """From here on, `caller` types the commands."""
        self.peer.now = caller
